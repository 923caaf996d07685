/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/try.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/formats.h"
#include "engine/registry.h"

enum { EXIT_FINE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3, FOLDERS_MAX = 16, TEXT_MAX = 64 * 1024 };

static void print_error(const PmError *err)
{
    char text[4096];
    pm_error_format(err, text, sizeof text);
    fprintf(stderr, "%s\n", text);
}

/* --- a pipeline of one step --- */

/* The format that a file of that name is to have; NULL: it ends in none that can be written. */
static const char *format_of(const char *path)
{
    PmFormat format = pm_format_from_ending(path);
    return pm_formats_writes(format) ? pm_format_name(format) : NULL;
}

static void refuse_ending(const char *path)
{
    fprintf(stderr, "%s: its ending must be one of", path);
    for (int i = 1, n = 0; i < PM_FORMAT_COUNT; i++)
        if (pm_formats_writes((PmFormat)i))
            fprintf(stderr, "%s %s", n++ > 0 ? "," : "", pm_format_extension((PmFormat)i));
    fprintf(stderr, "\n");
}

/* As in the file of a pipeline, but for what YAML would take for a comment or a mapping. */
static void add_value(PmBuffer *yaml, const char *value)
{
    bool plain = value[0] != '\0' && strchr("#&*!|>%@`'\"", value[0]) == NULL &&
                 (value[0] == '[' || value[0] == '{' || (strstr(value, ": ") == NULL && strstr(value, " #") == NULL));
    json_t *text = plain ? NULL : json_string(value);
    char *quoted = text != NULL ? pm_json_text(text, JSON_ENCODE_ANY) : NULL;
    pm_buffer_addf(yaml, "%s\n", quoted != NULL ? quoted : value);
    free(quoted);
    json_decref(text);
}

static bool write_pipeline(const PmTry *try, const PmTransform *step, PmBuffer *yaml)
{
    const char *format = format_of(try->out);
    if (format == NULL && step->encode == NULL) {
        refuse_ending(try->out);
        return false;
    }
    pm_buffer_addf(
        yaml,
        "version: 1\noutputs:\n  out:\n    to: { file: { path: \"out.{ext}\" } }\n    steps:\n      - %s:", step->name);
    pm_buffer_adds(yaml, try->settings[0] == NULL ? " {}\n" : "\n");
    for (char *const *setting = try->settings; *setting != NULL; setting++) {
        const char *equals = strchr(*setting, '=');
        if (equals == NULL || equals == *setting) {
            fprintf(stderr, "\"%s\" is not a parameter: write param=value\n", *setting);
            return false;
        }
        pm_buffer_addf(yaml, "          %.*s: ", (int)(equals - *setting), *setting);
        add_value(yaml, equals + 1);
    }
    if (step->encode == NULL) pm_buffer_addf(yaml, "      - convert: { format: %s }\n", format);
    return !yaml->failed;
}

/* --- the job --- */

static PmStatus save(void *data, const PmRendition *rendition, PmError *err)
{
    const PmTry *try = data;
    FILE *file = fopen(try->out, "wbe");
    bool good = file != NULL && fwrite(rendition->bytes, 1, rendition->size, file) == rendition->size;
    good = file != NULL && fclose(file) == 0 && good;
    if (!good) return pm_error_set(err, PM_TRANSIENT, "cannot write %s: %s", try->out, strerror(errno));
    printf("%s: a %dx%d %s", try->out, rendition->width, rendition->height, rendition->format);
    if (rendition->pages > 1) printf(" of %d pages", rendition->pages);
    printf(", %zu bytes\n", rendition->size);
    return PM_OK;
}

static PmStatus skipped(void *data, const char *output, const char *reason, PmError *err)
{
    (void)data, (void)output;
    return pm_error_set(err, PM_BUG, "nothing was made: %s", reason);
}

static PmStatus no_fetch(void *data, const char *url, const PmRequest *request, PmResponse *response, PmError *err)
{
    (void)data, (void)request, (void)response;
    char origin[300];
    pm_text_origin(origin, sizeof origin, url);
    return pm_error_set(err, PM_TRANSIENT, "plugin run makes no requests: none went to %s", origin);
}

static void plugin_log(void *data, int level, const char *plugin, const char *step, const char *text)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    (void)data, (void)step;
    fprintf(stderr, "%-5s %s: %s\n", levels[level >= 0 && level < 4 ? level : 3], plugin, text);
}

static void report_verdicts(const PmReport *report)
{
    size_t i;
    json_t *verdict, *warning;
    json_array_foreach(report->verdicts, i, verdict)
    {
        const char *label = json_string_value(json_object_get(verdict, "label"));
        printf("verdict: %s, score %g", json_string_value(json_object_get(verdict, "decision")),
               json_number_value(json_object_get(verdict, "score")));
        if (label != NULL && label[0] != '\0') printf(", label \"%s\"", label);
        printf("\n");
    }
    json_array_foreach(report->warnings, i, warning)
    {
        PmError err = {0};
        pm_error_from_json(warning, &err);
        print_error(&err);
    }
}

static PmStatus do_job(const PmTry *try, PmEngine *engine, PmError *err)
{
    size_t size = 0;
    void *bytes = NULL;
    char why[256];
    if (!pm_file_read(try->in, 0, NULL, &bytes, &size, why, sizeof why))
        return pm_error_set(err, PM_BAD_INPUT, "cannot read %s: %s", try->in, why);
    PmFacts *facts = pm_facts_new();
    pm_facts_set_key(facts, try->in);
    PmJobInput input = {.bytes = bytes, .size = size, .facts = facts};
    PmSink sink = {
        .data = (void *)(uintptr_t)try, .rendition = save, .skipped = skipped, .fetch = no_fetch, .log = plugin_log};
    PmReport report;
    PmStatus status = pm_engine_run(engine, &input, &sink, &report, err);
    report_verdicts(&report);
    pm_report_finish(&report);
    pm_facts_free(facts);
    free(bytes);
    return status;
}

/* --- all of it --- */

static const char *no_variables(void *data, const char *name)
{
    (void)data, (void)name;
    return NULL;
}

static int run_text(const PmTry *try, const char *text, size_t size)
{
    char *folders = strdup(try->folders != NULL ? try->folders : ""), *rest = NULL, *here = getcwd(NULL, 0);
    const char *dirs[FOLDERS_MAX + 1] = {NULL};
    size_t count = 0;
    for (char *dir = strtok_r(folders, ":", &rest); dir != NULL && count < FOLDERS_MAX;
         dir = strtok_r(NULL, ":", &rest))
        dirs[count++] = dir;
    PmErrorList errors = {0};
    PmError err = {0};
    PmPipeline *pipeline =
        pm_pipeline_read("plugin run", here != NULL ? here : "/", text, size, NULL, no_variables, NULL, &errors);
    PmEngineOptions options = {.plugin_dirs = dirs, .plugin_file = try->plugin, .fetch = true};
    PmEngine *engine = pipeline != NULL ? pm_engine_new(pipeline, &options, &errors) : NULL;
    int code = EXIT_USAGE;
    pm_error_list_sort(&errors);
    for (size_t i = 0; i < errors.count; i++) print_error(&errors.items[i]);
    if (engine != NULL && errors.count == 0) {
        code = do_job(try, engine, &err) == PM_OK ? EXIT_FINE : EXIT_FAILED;
        if (err.status != PM_OK) print_error(&err);
    }
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    pm_error_list_finish(&errors);
    free(folders);
    free(here);
    return code;
}

int pm_try_run(const PmTry *try)
{
    PmError err = {0};
    PmBuffer yaml;
    int code = EXIT_USAGE;
    pm_buffer_init(&yaml, TEXT_MAX);
    PmRegistry *registry = pm_engine_setup(&err) == PM_OK ? pm_registry_new(NULL) : NULL;
    if (registry != NULL) pm_registry_open_by_path(registry);
    const PmLoaded *loaded = registry != NULL ? pm_registry_load_file(registry, try->plugin, &err) : NULL;
    if (loaded == NULL)
        print_error(&err);
    else if (write_pipeline(try, &loaded->transform, &yaml))
        code = run_text(try, yaml.data, yaml.size);
    pm_registry_free(registry);
    pm_buffer_finish(&yaml);
    return code;
}
