/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that a compiler made of the header of 1.0, kept as binaries, do their work in an engine of today: parameters
 * of every type, shapes, plans, verdicts, requests, regions and every call of the host go through the boundary, and
 * each side says where it finds the other changed. The same source, compiled with the header of today, likewise.
 */
#include "runner.h"

#include <stdio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "none"
#endif

static const char *const frozen[] = {PM_SOURCE_DIR "/tests/abi/1.0/" MACHINE, NULL};
static const char *const rebuilt[] = {PM_BUILD_DIR "/test-plugins", NULL};

#define VALUES                                                                                                     \
    "{ whole: 42, number: 1.25, text: hush hush, mode: fast, color: \"#20a0ff\", list: [c, a], asset: asset.txt, " \
    "endpoint: \"https://example.org/ask\", duration: 15s, message: \"{stem} of {format}\", pairs: { x: \"y\" }, " \
    "old: 7 }"

static PmStatus fetch(void *data, const char *url, const PmRequest *request, PmResponse *response, PmError *err)
{
    (void)data, (void)err;
    assert_string_equal(url, "https://example.org/ask");
    assert_string_equal(request->method, "PUT");
    assert_string_equal(request->content_type, "text/plain");
    assert_int_equal(request->body_size, 8);
    assert_memory_equal(request->body, "question", 8);
    assert_int_equal(request->timeout_ms, 1234);
    *response = (PmResponse){.status = 207, .content_type = "text/answer", .body = "answer", .body_size = 6};
    return PM_OK;
}

/* `values` are those of the crop. */
static Result run_frozen(const char *const *dirs, const char *values)
{
    Result result = {0};
    char dir[] = "/tmp/abi-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *asset = g_build_filename(dir, "asset.txt", NULL);
    assert_true(g_file_set_contents(asset, "bytes", 5, NULL));
    char *body =
        g_strdup_printf("steps: [ frozen-look: " VALUES " ]\noutputs:\n  a:\n    steps:\n    - frozen-crop: %s\n"
                        "    - frozen-write: " VALUES "\n",
                        values);
    PmPipeline *pipeline = read_pipeline(body, dir, &result.errors);
    PmEngineOptions options = {.plugin_dirs = dirs, .fetch = true};
    PmEngine *engine = pipeline != NULL ? pm_engine_new(pipeline, &options, &result.errors) : NULL;
    if (engine != NULL) {
        Bytes source = encode(picture(320, 200), ".png");
        PmFacts *facts = pm_facts_new();
        pm_facts_set_key(facts, "in/cat.png");
        PmJobInput job = {.bytes = source.data, .size = source.size, .facts = facts};
        PmSink sink = {.data = &result, .rendition = keep, .skipped = note_skip, .log = note_log, .fetch = fetch};
        result.status = pm_engine_run(engine, &job, &sink, &result.report, &result.err);
        pm_facts_free(facts);
        g_free(source.data);
    }
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    unlink(asset);
    rmdir(dir);
    g_free(asset);
    g_free(body);
    return result;
}

static void do_their_work(const char *const *dirs)
{
    Result r = run_frozen(dirs, VALUES);
    assert_ok(&r);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.kept[0].width, 160);
    assert_int_equal(r.kept[0].height, 200);
    assert_string_equal(r.kept[0].mime, "image/png");
    assert_string_equal(text_of(r.report.facts, "frozen-crop.told"), "cat of png");
    assert_string_equal(r.logged, "asset asset.txt");
    const json_t *verdict = json_array_get(r.report.verdicts, 0);
    assert_string_equal(text_of(verdict, "decision"), "flag");
    assert_string_equal(text_of(verdict, "label"), "as it was");
    assert_true(json_real_value(json_object_get(verdict, "score")) == 0.75);
    result_finish(&r);
    /* What create() says of a parameter is shown at its place. */
    r = run_frozen(dirs, "{ whole: 13 }");
    assert_int_equal(r.errors.count, 1);
    assert_string_equal(r.errors.items[0].message, "whole: 13 is no number for a plugin");
    assert_int_equal(r.errors.items[0].line, 7);
    assert_int_equal(r.errors.items[0].column, 29);
    result_finish(&r);
}

static void plugins_of_the_first_release_do_their_work(void **state)
{
    (void)state;
    if (access(frozen[0], F_OK) != 0) {
        print_message("no binaries of 1.0 for %s: not tried\n", MACHINE);
        skip();
    }
    do_their_work(frozen);
}

static void their_source_compiles_and_does_the_same(void **state)
{
    (void)state;
    do_their_work(rebuilt);
}

int main(void)
{
    PmError err = {0};
    if (pm_engine_setup(&err) != PM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plugins_of_the_first_release_do_their_work),
        cmocka_unit_test(their_source_compiles_and_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
