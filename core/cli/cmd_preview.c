/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/preview_page.h"
#include "cli/print.h"
#include "cli/serve.h"
#include "connectors/file/listing.h"
#include "connectors/file/stores.h"
#include "connectors/file/triggers.h"
#include "connectors/record.h"

enum { PAGE_MAX = 256 * 1024 * 1024 };

static const PmCommandOption options[] = {
    {"out", "FILE", "Where the page is written; preview.html by default, - is standard output.", 'o'},
    {NULL, NULL, NULL, 0},
};

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

/* --- a run whose renditions are kept in memory --- */

typedef struct Run {
    const PmListing *listing;
    const char *folder; /* that the worker's renditions pass through */
    PmPreviewPictures *pictures;
    json_t **record; /* or NULL */
} Run;

static PmTrigger *open_trigger(void *data, PmContext *context, const PmTriggerSink *sink, PmError *err)
{
    return pm_trigger_list_new(context->loop, ((const Run *)data)->listing, sink, NULL, NULL, err);
}

static PmStore *open_store(void *data, PmContext *context, PmError *err)
{
    return pm_store_file_new(context->helper, ((const Run *)data)->folder, true, err);
}

static void keep(const PmOutputResult *output, PmPreviewPicture *picture)
{
    char why[200];
    void *bytes = NULL;
    *picture = (PmPreviewPicture){
        .name = strdup(output->output), .width = output->width, .height = output->height, .pages = output->pages};
    if (output->format != NULL) pm_text_copy(picture->format, sizeof picture->format, output->format);
    if (picture->name != NULL && output->format != NULL && output->location != NULL && output->stored == PM_STORED &&
        pm_file_read(output->location, PAGE_MAX, "the page", &bytes, &picture->size, why, sizeof why))
        picture->bytes = bytes;
}

static void on_result(void *data, const PmJobResult *result)
{
    Run *run = data;
    if (result->fate == PM_FATE_RETRY || run->pictures->items != NULL) return;
    run->pictures->items = calloc(result->output_count + 1, sizeof *run->pictures->items);
    for (size_t i = 0; run->pictures->items != NULL && i < result->output_count; i++) {
        PmPreviewPicture *picture = &run->pictures->items[run->pictures->count];
        keep(&result->outputs[i], picture);
        if (picture->name != NULL) run->pictures->count++;
    }
    if (run->record != NULL) *run->record = pm_record_of(result);
}

static PmStatus run_over(const PmPipeline *pipeline, const char *text, size_t size, const PmPoolOptions *pool, Run *run,
                         PmErrorList *errors, PmError *err)
{
    PmSessionInstead instead = {
        .data = run, .open_trigger = open_trigger, .open_store = open_store, .delivers = "file"};
    PmServeOptions request = {
        .session = {.pool = *pool, .once = true, .instead = &instead, .data = run, .result = on_result}};
    request.session.pool.workers = 1;
    PmServed served;
    PmStatus status = pm_serve(&(PmServePipeline){pipeline, text, size}, 1, &request, &served, errors, err);
    return status == PM_OK && served.interrupted ? pm_error_set(err, PM_TRANSIENT, "stopped by a signal") : status;
}

/* --- a folder that is gone afterwards --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_folder(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* New; NULL after an error was printed. */
static char *make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char path[4096];
    if (base == NULL || base[0] != '/') base = "/tmp";
    snprintf(path, sizeof path, "%s/pixmill-preview-XXXXXX", base);
    char *folder = mkdtemp(path);
    if (folder == NULL) {
        pm_cli_usage("TMPDIR names another place", "cannot make a folder in %s: %s", base, strerror(errno));
        return NULL;
    }
    return realpath(folder, NULL);
}

/* --- the page --- */

typedef struct Preview {
    const PmArguments *arguments;
    PmChecked checked;
    PmPreviewSteps steps;
    PmPipeline *between; /* of the pictures between the steps; NULL: it could not be read */
    PmPreviewPage page;
    bool failed; /* an image did */
} Preview;

/* The plan and pictures between steps are a help: where there are none, the page says what the run said. */
static PmStatus look_at(Preview *preview, const PmListed *listed, const char *folder, PmError *err)
{
    PmPreviewFile file = {.name = listed->object.key,
                          .size = (size_t)(listed->object.size > 0 ? listed->object.size : 0)};
    const PmPoolOptions *pool = &preview->arguments->pool;
    PmListing one = {0};
    PmErrorList errors = {0}, ignored = {0};
    PmError none = {0};
    const char *path = listed->object.path;
    PmStatus status = pm_listing_make(&one, &path, 1, folder, &preview->checked.pipeline->limits, err);
    Run made = {&one, folder, &file.made, &file.record}, between = {&one, folder, &file.between, NULL};
    if (status == PM_OK) {
        if (one.count > 0 && one.items[0].object.size > 0) file.size = (size_t)one.items[0].object.size;
        file.plan = pm_explain(&preview->checked, pool, path, "jpeg", 1, 1, &none);
        status = run_over(preview->checked.pipeline, preview->checked.text, preview->checked.size, pool, &made, &errors,
                          err);
    }
    pm_error_clear(&none);
    if (status == PM_OK && preview->between != NULL)
        run_over(preview->between, preview->steps.text, preview->steps.size, pool, &between, &ignored, &none);
    if (status == PM_OK) pm_preview_page_file(&preview->page, &file);
    preview->failed = preview->failed || file.record == NULL || json_object_get(file.record, "error") != NULL;
    pm_print_errors(&errors);
    pm_error_list_finish(&errors);
    pm_error_list_finish(&ignored);
    pm_listing_finish(&one);
    pm_preview_file_finish(&file);
    return status;
}

static void add_warnings(Preview *preview)
{
    const json_t *list = json_object_get(preview->checked.info, "warnings");
    for (size_t i = 0; i < json_array_size(list); i++) {
        PmError warning;
        pm_error_from_json(json_array_get(list, i), &warning);
        pm_error_list_add(&preview->page.notes, &warning);
    }
    pm_pipeline_warn_places(preview->checked.pipeline, json_object_get(preview->checked.info, "writes"),
                            &preview->page.notes);
}

/* An address in what a step is told, or one that a plugin has by itself. */
static bool names_address(const PmNode *node)
{
    if (node == NULL) return false;
    if (node->kind == PM_NODE_SCALAR)
        return strncmp(node->text, "http://", 7) == 0 || strncmp(node->text, "https://", 8) == 0;
    bool found = false;
    for (size_t i = 0; i < node->count && !found; i++)
        found = names_address(node->kind == PM_NODE_SEQUENCE ? node->items[i] : node->pairs[i].value);
    return found;
}

static bool asks_endpoints(const PmChecked *checked)
{
    const PmPipeline *p = checked->pipeline;
    bool found = json_array_size(json_object_get(checked->info, "endpoints")) > 0;
    for (size_t i = 0; i < p->step_count; i++) found = found || names_address(p->steps[i].params);
    for (size_t k = 0; k < p->output_count; k++)
        for (size_t i = 0; i < p->outputs[k].step_count; i++)
            found = found || names_address(p->outputs[k].steps[i].params);
    return found;
}

static PmStatus write_page(Preview *preview, const PmListing *listing, const char *folder, PmError *err)
{
    PmErrorList ignored = {0};
    const PmPipeline *pipeline = preview->checked.pipeline;
    PmStatus status = pm_preview_steps_make(pipeline, asks_endpoints(&preview->checked), &preview->steps, err);
    if (status != PM_OK) return status;
    preview->between = pm_pipeline_read(pipeline->file, pipeline->dir, preview->steps.text, preview->steps.size,
                                        pm_kinds, environment, NULL, &ignored);
    if (ignored.count > 0) {
        pm_pipeline_free(preview->between);
        preview->between = NULL;
    }
    pm_error_list_finish(&ignored);
    add_warnings(preview);
    pm_preview_page_begin(&preview->page);
    for (size_t i = 0; status == PM_OK && i < listing->count; i++)
        if (listing->items[i].skipped[0] == '\0') status = look_at(preview, &listing->items[i], folder, err);
    pm_preview_page_end(&preview->page);
    if (status == PM_OK && preview->page.out->failed)
        status = pm_error_set(err, PM_LIMIT, "the page would be larger than 256 MiB, or memory is short");
    return status;
}

static bool save(const char *path, const PmBuffer *page)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdout : fopen(path, "we");
    bool good = stream != NULL && fwrite(page->data, 1, page->size, stream) == page->size && fflush(stream) == 0;
    int why = errno;
    if (stream != NULL && !standard && fclose(stream) != 0) good = false;
    if (!good) pm_cli_usage(NULL, "cannot write %s: %s", path, strerror(why));
    return good;
}

/* Checked already. */
static int make_page(Preview *preview, const char *path)
{
    const PmArguments *arguments = preview->arguments;
    PmListing listing = {0};
    PmBuffer out;
    PmError err = {0};
    char *folder = make_folder();
    if (folder == NULL) return PM_EXIT_USAGE;
    pm_buffer_init(&out, PAGE_MAX);
    preview->page = (PmPreviewPage){.pipeline = preview->checked.pipeline,
                                    .steps = &preview->steps,
                                    .text = preview->checked.text,
                                    .size = preview->checked.size,
                                    .out = &out};
    PmStatus status = pm_listing_make(&listing, arguments->values + 1, arguments->count - 1, folder,
                                      &preview->checked.pipeline->limits, &err);
    if (status == PM_OK) status = write_page(preview, &listing, folder, &err);
    int code = status != PM_OK || !save(path, &out) ? PM_EXIT_USAGE : preview->failed ? PM_EXIT_FAILED : PM_EXIT_FINE;
    if (status != PM_OK)
        pm_print_error(&err);
    else if (code != PM_EXIT_USAGE && strcmp(path, "-") != 0)
        printf("%s: %zu %s, open it in a browser\n", path, listing.images,
               pm_plural(listing.images, "image", "images"));
    remove_folder(folder);
    free(folder);
    pm_buffer_finish(&out);
    pm_listing_finish(&listing);
    return code;
}

static int run(const PmArguments *arguments)
{
    Preview preview = {.arguments = arguments};
    PmErrorList errors = {0};
    PmError err = {0};
    const char *out = pm_arguments_get(arguments, "out");
    int code = PM_EXIT_USAGE;
    if (pm_check(arguments->values[0], &arguments->pool, &preview.checked, &errors, &err) == PM_OK)
        code = make_page(&preview, out != NULL ? out : "preview.html");
    pm_print_errors(&errors);
    if (err.status != PM_OK) pm_print_error(&err);
    pm_error_list_finish(&errors);
    pm_pipeline_free(preview.between);
    pm_preview_steps_finish(&preview.steps);
    pm_checked_finish(&preview.checked);
    return code;
}

const PmCommand pm_command_preview = {
    .name = "preview",
    .usage = "PIPELINE FILE... [--out PAGE.html]",
    .summary = "Show what a pipeline makes of pictures, step by step, in one HTML page.",
    .text =
        "The page holds each original, the picture after every step, each rendition with a slider between before and\n"
        "after, sizes and times, and the pipeline file with what is to be said at its lines. It is one file and loads\n"
        "nothing. Trigger, source and places are left out, as with apply; nothing but the page is written.\n"
        "\n"
        "Examples:\n"
        "  pixmill preview photos.yaml cat.jpg\n"
        "  pixmill preview photos.yaml samples/ --out /tmp/look.html",
    .options = options,
    .least = 2,
    .run = run,
};
