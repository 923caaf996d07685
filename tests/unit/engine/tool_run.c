/* SPDX-License-Identifier: Apache-2.0
 *
 * pm-run [--explain] PIPELINE IMAGE OUTDIR: the engine alone, without broker, child processes and sandbox. For those
 * who work on the engine or on a plugin; operators use `pixmill apply`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/engine.h"

static PmStatus save(void *data, const PmRendition *rendition, PmError *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", (const char *)data, rendition->output, rendition->extension);
    printf("%s: %s %dx%d, %d page(s), %zu bytes%s\n", rendition->output, rendition->format, rendition->width,
           rendition->height, rendition->pages, rendition->size, rendition->bytes == NULL ? " (the source)" : "");
    if (rendition->bytes == NULL) return PM_OK;
    FILE *file = fopen(path, "wb");
    bool good = file != NULL && fwrite(rendition->bytes, 1, rendition->size, file) == rendition->size;
    good = file != NULL && fclose(file) == 0 && good;
    return good ? PM_OK : pm_error_set(err, PM_TRANSIENT, "cannot write %s", path);
}

static PmStatus skipped(void *data, const char *output, const char *reason, PmError *err)
{
    (void)data;
    (void)err;
    printf("%s: skipped: %s\n", output, reason);
    return PM_OK;
}

static void plugin_log(void *data, int level, const char *plugin, const char *step, const char *text)
{
    (void)data, (void)step;
    fprintf(stderr, "%s: %s (level %d)\n", plugin, text, level);
}

static void print_error(const PmError *err)
{
    char text[4096];
    pm_error_format(err, text, sizeof text);
    fprintf(stderr, "%s\n", text);
}

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

static char *read_image(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(2);
    long length = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    *size = bytes != NULL ? fread(bytes, 1, (size_t)length, file) : 0;
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    bool explain = argc > 1 && strcmp(argv[1], "--explain") == 0;
    if (explain) argv++, argc--;
    if (argc < 3 || (argc < 4 && !explain)) {
        fprintf(stderr, "usage: pm-run [--explain] PIPELINE IMAGE OUTDIR\n");
        return 2;
    }
    PmError err = {0};
    PmErrorList errors = {0};
    char *text = NULL, *dir = NULL;
    size_t size, text_size;
    const char *plugins = getenv("PIXMILL_PLUGIN_PATH");
    const char *const dirs[] = {plugins != NULL ? plugins : PM_BUILD_DIR "/plugins", NULL};
    if (pm_pipeline_load_text(argv[1], &text, &text_size, &dir, &err) != PM_OK || pm_engine_setup(&err) != PM_OK) {
        print_error(&err);
        return 2;
    }
    PmPipeline *pipeline = pm_pipeline_read(argv[1], dir, text, text_size, NULL, environment, NULL, &errors);
    PmEngineOptions options = {.plugin_dirs = dirs};
    PmEngine *engine = pipeline != NULL ? pm_engine_new(pipeline, &options, &errors) : NULL;
    pm_error_list_sort(&errors);
    for (size_t i = 0; i < errors.count; i++) print_error(&errors.items[i]);
    if (engine == NULL || errors.count > 0) return 2;

    char *bytes = read_image(argv[2], &size);
    PmFacts *facts = pm_facts_new();
    pm_facts_set_key(facts, argv[2]);
    PmJobInput input = {.bytes = bytes, .size = size, .facts = facts};
    PmStatus status = PM_OK;
    if (explain) {
        json_t *plan = pm_engine_explain(engine, &input, NULL, 0, 0, &err);
        if (plan != NULL) json_dumpf(plan, stdout, JSON_INDENT(2));
        status = err.status;
        json_decref(plan);
    } else {
        PmSink sink = {.data = argv[3], .rendition = save, .skipped = skipped, .log = plugin_log};
        PmReport report;
        int times = getenv("PM_RUN_TIMES") != NULL ? (int)strtol(getenv("PM_RUN_TIMES"), NULL, 10) : 1;
        for (int i = 0; i < times && status == PM_OK; i++) {
            status = pm_engine_run(engine, &input, &sink, &report, &err);
            if (i + 1 < times) pm_report_finish(&report);
        }
        json_t *told = json_pack("{sO sO sO}", "verdicts", report.verdicts, "warnings", report.warnings, "timings",
                                 report.timings);
        json_dumpf(told, stdout, 0);
        printf("\n");
        json_decref(told);
        pm_report_finish(&report);
    }
    if (status != PM_OK) print_error(&err);
    pm_facts_free(facts);
    free(bytes);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    pm_error_list_finish(&errors);
    free(text);
    free(dir);
    return status == PM_OK ? 0 : 3;
}
