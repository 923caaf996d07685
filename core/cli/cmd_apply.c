/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/overlaps.h"
#include "cli/print.h"
#include "cli/start.h"
#include "connectors/file/listing.h"
#include "connectors/file/stores.h"
#include "connectors/file/triggers.h"
#include "connectors/record.h"

static const PmCommandOption options[] = {
    {"out", "DIR", "Where the renditions go: below it, each output's own path. Made when needed.", 'o'},
    {"steps", "STEPS", "Instead of a pipeline file: 'resize 400, convert webp quality=80'.", 's'},
    {"output", "NAME", "Only this output; may be given several times.", 0},
    {"workers", "N", "How many images at the same time; as many as processors may be used by default.", 'w'},
    {"json", NULL, "One JSON object for everything, on standard output.", 0},
    {NULL, NULL, NULL, 0},
};

typedef struct Apply {
    bool json, quiet;
    size_t files, done, skipped;
    json_t *results;
    const PmStepsLine *line; /* what the pipeline was made of, or NULL */
} Apply;

static void print_result(Apply *apply, const PmJobResult *result)
{
    if (apply->json) {
        if (result->fate != PM_FATE_RETRY) json_array_append_new(apply->results, pm_record_of(result));
    } else {
        PmBuffer line;
        pm_buffer_init(&line, 64 * 1024);
        pm_result_to_text(result, &line);
        pm_print_progress_end();
        if (!line.failed) puts(line.data);
        fflush(stdout);
        pm_buffer_finish(&line);
    }
}

static void on_result(void *data, const PmJobResult *result)
{
    Apply *apply = data;
    PmJobResult placed = *result;
    PmError err;
    if (result->error != NULL && apply->line != NULL) {
        err = *result->error;
        pm_steps_line_place(apply->line, &err);
        placed.error = &err;
    }
    if (result->fate != PM_FATE_RETRY) apply->done++;
    print_result(apply, &placed);
    char label[1200];
    pm_object_label(result->object, label, sizeof label);
    if (apply->files > 1) pm_print_progress(apply->done, apply->files, label);
}

static void print_skipped(Apply *apply, const PmListing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        const PmListed *listed = &listing->items[i];
        if (listed->skipped[0] == '\0') continue;
        apply->skipped++;
        print_result(apply, &(PmJobResult){.object = &listed->object, .skipped = listed->skipped});
    }
}

static char *make_out(const char *path)
{
    char partial[4096];
    if (!pm_text_copy(partial, sizeof partial, path)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) *slash = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) return NULL;
        if (slash == NULL) break;
        *slash = '/';
    }
    char *real = realpath(path, NULL);
    struct stat st;
    if (real != NULL && (stat(real, &st) != 0 || !S_ISDIR(st.st_mode))) {
        free(real);
        errno = ENOTDIR;
        return NULL;
    }
    return real;
}

static void print_summary(const Apply *apply, const PmSessionSummary *summary, const char *out)
{
    pm_print_progress_end();
    if (!apply->json) {
        char skipped[60] = "";
        if (apply->skipped > 0)
            snprintf(skipped, sizeof skipped, ", %zu %s skipped", apply->skipped,
                     pm_plural(apply->skipped, "file", "files"));
        printf("%zu of %zu %s done, %zu failed, %zu rejected%s; %zu %s in %s (%.1f s)\n", summary->done, apply->files,
               pm_plural(apply->files, "image", "images"), summary->failed, summary->rejected, skipped,
               summary->outputs, pm_plural(summary->outputs, "rendition", "renditions"), out,
               (double)summary->ms / 1000);
        return;
    }
    json_t *root =
        json_pack("{sO s{sI sI sI sI sI sI}}", "results", apply->results, "summary", "done", (json_int_t)summary->done,
                  "failed", (json_int_t)summary->failed, "rejected", (json_int_t)summary->rejected, "skipped",
                  (json_int_t)summary->skipped + (json_int_t)apply->skipped, "outputs", (json_int_t)summary->outputs,
                  "ms", (json_int_t)summary->ms);
    char *text = pm_json_text(root, JSON_INDENT(2));
    if (text != NULL) puts(text);
    free(text);
    json_decref(root);
}

/* False, and all said, when it must not begin. */
static bool find_files(const PmArguments *arguments, const PmStart *start, const char *folder,
                       const char *const *outputs, PmListing *listing)
{
    size_t first = start->line != NULL ? 0 : 1; /* behind the pipeline file */
    PmErrorList errors = {0};
    PmError err = {0};
    PmStatus status = pm_listing_make(listing, arguments->values + first, arguments->count - first, folder,
                                      &start->pipeline->limits, &err);
    if (status == PM_OK)
        status = pm_overlaps_find(start->pipeline, start->text, start->size, &arguments->pool, listing, outputs,
                                  &errors, &err);
    bool good = status == PM_OK && errors.count == 0;
    pm_start_say_all(start, &errors, NULL);
    if (status != PM_OK) pm_print_error(&err);
    return good;
}

/* What stands for the pipeline's own trigger and places. */
typedef struct Files {
    const PmListing *listing;
    const char *folder;
} Files;

static PmTrigger *open_trigger(void *data, PmContext *context, const PmTriggerSink *sink, PmError *err)
{
    return pm_trigger_list_new(context->loop, ((const Files *)data)->listing, sink, NULL, NULL, err);
}

static PmStore *open_store(void *data, PmContext *context, PmError *err)
{
    return pm_store_file_new(context->helper, ((const Files *)data)->folder, true, err);
}

static int apply_files(const PmArguments *arguments, PmStart *start, const char *folder, const char *out,
                       const char *const *outputs)
{
    PmListing listing = {0};
    if (!find_files(arguments, start, folder, outputs, &listing)) {
        pm_listing_finish(&listing);
        return PM_EXIT_USAGE;
    }
    Apply apply = {.json = pm_arguments_get(arguments, "json") != NULL,
                   .files = listing.images,
                   .results = json_array(),
                   .line = start->line};
    print_skipped(&apply, &listing);
    Files files = {&listing, folder};
    PmSessionInstead instead = {
        .data = &files, .open_trigger = open_trigger, .open_store = open_store, .delivers = "file"};
    PmServeOptions request = {.session = {.pool = arguments->pool,
                                          .once = true,
                                          .instead = &instead,
                                          .outputs = outputs,
                                          .data = &apply,
                                          .result = on_result}};
    PmServed served;
    int code = pm_start_run(start, &request, &served, NULL);
    if (code != PM_EXIT_USAGE) print_summary(&apply, &served.summary, out);
    json_decref(apply.results);
    pm_listing_finish(&listing);
    return code;
}

static const char usage[] = "PIPELINE FILE... --out DIR [--output NAME] [--json]\n"
                            "       pixmill apply --steps STEPS FILE... --out DIR [--json]";

/* "small.webp", and there is no such folder: probably a slip, which would make one. */
static bool looks_like_file(const char *out)
{
    struct stat st;
    return pm_listing_is_image_name(out) && stat(out, &st) != 0;
}

static int run(const PmArguments *arguments)
{
    PmStart start;
    const char *out = pm_arguments_get(arguments, "out");
    const char *steps = pm_arguments_get(arguments, "steps");
    if (out == NULL) return pm_cli_usage("say where the renditions go: --out DIR", "--out is missing");
    if (steps == NULL && arguments->count < 2)
        return pm_cli_usage("`pixmill apply --help` shows examples", "usage: pixmill apply %s", usage);
    if (looks_like_file(out))
        return pm_cli_usage("renditions are named after their sources: --out takes a folder",
                            "--out %s is the name of a file", out);
    PmStatus status = steps != NULL ? pm_start_read_steps(steps, &arguments->pool, &start, NULL)
                                    : pm_start_read(arguments->values[0], &arguments->pool, &start, NULL);
    if (status != PM_OK) return PM_EXIT_USAGE;
    char *folder = make_out(out);
    if (folder == NULL) {
        pm_start_finish(&start);
        return pm_cli_usage(NULL, "cannot make the folder %s: %s", out, strerror(errno));
    }
    const char *names[PM_CLI_VALUES_MAX + 1];
    size_t n = 0;
    for (const char *name; n < PM_CLI_VALUES_MAX && (name = pm_arguments_at(arguments, "output", n)) != NULL; n++)
        names[n] = name;
    names[n] = NULL;
    int code = apply_files(arguments, &start, folder, out, n > 0 ? names : NULL);
    free(folder);
    pm_start_finish(&start);
    return code;
}

const PmCommand pm_command_apply = {
    .name = "apply",
    .usage = usage,
    .summary = "Run a pipeline over files, into a folder.",
    .text = "Takes any pipeline: trigger and source are left out, every `to` becomes a path below DIR. The files stay\n"
            "where they are; a folder stands for all images in it, but for those below DIR. What would write two "
            "renditions\n"
            "into one file, or into a folder that is read, is refused before anything is written.\n"
            "\n"
            "With --steps no file is needed: steps are divided by commas, and each is a plugin, maybe with the value "
            "of its\n"
            "short form, then NAME=VALUE for its parameters. A value with spaces or commas stands in quotes, a list in "
            "[].\n"
            "\n"
            "Examples:\n"
            "  pixmill apply --steps 'resize 400, convert webp' cat.jpg -o out\n"
            "  pixmill apply --steps 'resize 300x300 gravity=attention, watermark \"© me\" opacity=0.5' *.jpg -o out\n"
            "  pixmill apply photos.yaml cat.jpg --out renditions\n"
            "  pixmill apply photos.yaml holiday/ --out renditions --output thumb\n"
            "  pixmill apply photos.yaml cat.jpg --out /tmp/x --json | jq '.results[].outputs'",
    .options = options,
    .least = 1,
    .run = run,
};
