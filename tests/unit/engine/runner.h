/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a pipeline given as text on an image in memory, and keeps what came out. For tests of the engine.
 */
#ifndef PM_TESTS_ENGINE_RUNNER_H
#define PM_TESTS_ENGINE_RUNNER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "engine/engine.h"

#define MAYBE_UNUSED __attribute__((unused))

enum { RENDITIONS_MAX = 8 };

typedef struct Bytes {
    void *data; /* g_free */
    size_t size;
} Bytes;

typedef struct Kept {
    char output[32], format[16], extension[8], mime[32];
    int32_t width, height, pages;
    Bytes bytes; /* data NULL: the source itself */
    json_t *facts;
} Kept;

typedef struct Result {
    PmErrorList errors; /* of the pipeline */
    PmStatus status;
    PmError err;
    PmReport report;
    Kept kept[RENDITIONS_MAX];
    size_t count;
    char skipped[RENDITIONS_MAX][160]; /* "output: reason" */
    size_t skipped_count;
    char logged[512]; /* the last line that a plugin logged */
} Result;

MAYBE_UNUSED static PmStatus keep(void *data, const PmRendition *r, PmError *err)
{
    (void)err;
    Result *result = data;
    assert_true(result->count < RENDITIONS_MAX);
    Kept *kept = &result->kept[result->count++];
    g_strlcpy(kept->output, r->output, sizeof kept->output);
    g_strlcpy(kept->format, r->format, sizeof kept->format);
    g_strlcpy(kept->extension, r->extension, sizeof kept->extension);
    g_strlcpy(kept->mime, r->mime, sizeof kept->mime);
    kept->width = r->width;
    kept->height = r->height;
    kept->pages = r->pages;
    if (r->bytes != NULL) kept->bytes = (Bytes){g_memdup2(r->bytes, r->size), r->size};
    kept->facts = pm_facts_to_json(r->facts);
    return PM_OK;
}

MAYBE_UNUSED static PmStatus note_skip(void *data, const char *output, const char *reason, PmError *err)
{
    (void)err;
    Result *result = data;
    g_snprintf(result->skipped[result->skipped_count++], 160, "%s: %s", output, reason);
    return PM_OK;
}

MAYBE_UNUSED static void note_log(void *data, int level, const char *plugin, const char *where, const char *message)
{
    (void)level, (void)plugin, (void)where;
    Result *result = data;
    g_strlcpy(result->logged, message, sizeof result->logged);
}

MAYBE_UNUSED static const char *no_environment(void *data, const char *name)
{
    (void)data;
    (void)name;
    return NULL;
}

static const char *const all_plugins[] = {PM_BUILD_DIR "/unit-plugins", PM_BUILD_DIR "/plugins",
                                          PM_BUILD_DIR "/test-plugins", NULL};

/* `body` follows "version: 1"; `dir` NULL: /tmp. */
MAYBE_UNUSED static PmPipeline *read_pipeline(const char *body, const char *dir, PmErrorList *errors)
{
    char *text = g_strdup_printf("version: 1\nname: test\n%s", body);
    PmPipeline *pipeline = pm_pipeline_read("test.yaml", dir != NULL ? dir : "/tmp", text, strlen(text), NULL,
                                            no_environment, NULL, errors);
    g_free(text);
    return pipeline;
}

MAYBE_UNUSED static Result run_with(const char *body, Bytes input, const char *dir, PmProgress *progress)
{
    Result result = {0};
    PmPipeline *pipeline = read_pipeline(body, dir, &result.errors);
    PmEngineOptions options = {.plugin_dirs = all_plugins, .progress = progress};
    PmEngine *engine = pipeline != NULL ? pm_engine_new(pipeline, &options, &result.errors) : NULL;
    pm_error_list_sort(&result.errors);
    if (engine == NULL) {
        result.status = PM_BAD_CONFIG;
    } else {
        PmFacts *facts = pm_facts_new();
        pm_facts_set_key(facts, "in/cat.jpg");
        PmJobInput job = {.bytes = input.data, .size = input.size, .facts = facts};
        PmSink sink = {.data = &result, .rendition = keep, .skipped = note_skip, .log = note_log};
        result.status = pm_engine_run(engine, &job, &sink, &result.report, &result.err);
        assert_int_equal(result.status, result.err.status);
        pm_facts_free(facts);
    }
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    return result;
}

MAYBE_UNUSED static Result run(const char *body, Bytes input)
{
    return run_with(body, input, NULL, NULL);
}

MAYBE_UNUSED static void result_finish(Result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        g_free(result->kept[i].bytes.data);
        json_decref(result->kept[i].facts);
    }
    pm_report_finish(&result->report);
    pm_error_list_finish(&result->errors);
}

MAYBE_UNUSED static void assert_ok(const Result *result)
{
    char text[4096] = "";
    if (result->errors.count > 0)
        pm_error_format(&result->errors.items[0], text, sizeof text);
    else if (result->status != PM_OK)
        pm_error_format(&result->err, text, sizeof text);
    assert_string_equal(text, "");
}

/* The message as the operator reads it, with place and crumbs but without the hint. */
MAYBE_UNUSED static void assert_says(const PmError *err, const char *expected)
{
    char text[4096];
    PmError copy = *err;
    copy.hint[0] = '\0';
    pm_error_format(&copy, text, sizeof text);
    assert_string_equal(text, expected);
}

MAYBE_UNUSED static const char *text_of(const json_t *facts, const char *name)
{
    return json_string_value(json_object_get(facts, name));
}

/* ------------------------------------------------------------------ images */

/* Owned: unref. Bands grow to the right, downwards and to the middle, so that turning and cutting shows. */
MAYBE_UNUSED static VipsImage *picture(int width, int height)
{
    VipsImage *t[6] = {NULL}, *out = NULL;
    assert_int_equal(vips_xyz(&t[0], width, height, NULL), 0);
    double a[2] = {200.0 / width, 200.0 / height}, b[2] = {20, 20};
    assert_int_equal(vips_linear(t[0], &t[1], a, b, 2, NULL), 0);
    assert_int_equal(vips_bandjoin_const1(t[1], &t[2], 90, NULL), 0);
    assert_int_equal(vips_cast(t[2], &t[3], VIPS_FORMAT_UCHAR, NULL), 0);
    assert_int_equal(vips_copy(t[3], &t[4], "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
    out = vips_image_copy_memory(t[4]);
    for (size_t i = 0; i < 6; i++) g_clear_object(&t[i]);
    return out;
}

/* `suffix` such as ".jpg[Q=90]". Takes the image. */
MAYBE_UNUSED static Bytes encode(VipsImage *image, const char *suffix)
{
    Bytes bytes = {0};
    assert_int_equal(vips_image_write_to_buffer(image, suffix, &bytes.data, &bytes.size, NULL), 0);
    g_object_unref(image);
    return bytes;
}

/* `count` pages of increasing brightness, 30 ms, 60 ms, .. apart, three times over. */
MAYBE_UNUSED static VipsImage *animation(int width, int height, int count)
{
    VipsImage *pages[16], *joined = NULL, *out = NULL;
    int delays[16];
    for (int i = 0; i < count; i++) {
        VipsImage *black, *grey;
        vips_black(&black, width, height, "bands", 3, NULL);
        vips_linear1(black, &grey, 0, 30 + 20 * i, "uchar", TRUE, NULL);
        vips_copy(grey, &pages[i], "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
        g_object_unref(black);
        g_object_unref(grey);
        delays[i] = 30 * (i + 1);
    }
    assert_int_equal(vips_arrayjoin(pages, &joined, count, "across", 1, NULL), 0);
    assert_int_equal(vips_copy(joined, &out, NULL), 0);
    g_object_unref(joined);
    for (int i = 0; i < count; i++) g_object_unref(pages[i]);
    vips_image_set_int(out, VIPS_META_PAGE_HEIGHT, height);
    vips_image_set_array_int(out, "delay", delays, count);
    vips_image_set_int(out, "loop", 3);
    return out;
}

/* What the bytes show; pages -1 for all. Loaders are blocked but those that pixmill uses, so by name. */
MAYBE_UNUSED static VipsImage *decode(Bytes bytes, const char *format, int pages)
{
    VipsImage *image = NULL, *memory;
    if (strcmp(format, "jpeg") == 0)
        vips_jpegload_buffer(bytes.data, bytes.size, &image, NULL);
    else if (strcmp(format, "png") == 0)
        vips_pngload_buffer(bytes.data, bytes.size, &image, NULL);
    else if (strcmp(format, "webp") == 0)
        vips_webpload_buffer(bytes.data, bytes.size, &image, "n", pages, NULL);
    else if (strcmp(format, "gif") == 0)
        vips_gifload_buffer(bytes.data, bytes.size, &image, "n", pages, NULL);
    else if (strcmp(format, "tiff") == 0)
        vips_tiffload_buffer(bytes.data, bytes.size, &image, NULL);
    assert_non_null(image);
    memory = vips_image_copy_memory(image);
    assert_non_null(memory);
    g_object_unref(image);
    return memory;
}

MAYBE_UNUSED static VipsImage *decode_kept(const Kept *kept)
{
    return decode(kept->bytes, kept->format, -1);
}

/* Mean absolute difference, 0..255; both must have the same size and bands. */
MAYBE_UNUSED static double difference(VipsImage *a, VipsImage *b)
{
    VipsImage *t[2] = {NULL};
    double average = 255;
    assert_int_equal(a->Xsize, b->Xsize);
    assert_int_equal(a->Ysize, b->Ysize);
    assert_int_equal(a->Bands, b->Bands);
    assert_int_equal(vips_subtract(a, b, &t[0], NULL) || vips_abs(t[0], &t[1], NULL) || vips_avg(t[1], &average, NULL),
                     0);
    g_object_unref(t[0]);
    g_object_unref(t[1]);
    return average;
}

MAYBE_UNUSED static double mean(VipsImage *image)
{
    double average = -1;
    assert_int_equal(vips_avg(image, &average, NULL), 0);
    return average;
}

MAYBE_UNUSED static int setup(void **state)
{
    (void)state;
    PmError err = {0};
    return pm_engine_setup(&err) == PM_OK ? 0 : -1;
}

#endif
