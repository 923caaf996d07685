/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines through the engine with one pass switched on: what comes out is what libvips makes of the same picture, and
 * where the pass cannot be, errors and pictures are as without it.
 */
#include "engine/onepass.h"

#include "engine/runner.h"

/* ------------------------------------------------------------------ what is expected */

/* Waves of all lengths, so that a shift or a wrong edge shows. Owned. */
static VipsImage *waves(int width, int height, int bands)
{
    VipsImage *t[4] = {NULL}, *out;
    assert_int_equal(vips_zone(&t[0], width, height, NULL), 0);
    double a[4] = {100, 80, 60, 90}, b[4] = {128, 110, 100, 150};
    assert_int_equal(vips_linear(t[0], &t[1], a, b, bands, NULL), 0);
    assert_int_equal(vips_cast(t[1], &t[2], VIPS_FORMAT_UCHAR, NULL), 0);
    assert_int_equal(
        vips_copy(t[2], &t[3], "interpretation", bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL),
        0);
    out = vips_image_copy_memory(t[3]);
    for (size_t i = 0; i < 4; i++) g_object_unref(t[i]);
    return out;
}

static VipsImage *scaled(VipsImage *in, int width, int height)
{
    VipsImage *out = NULL;
    assert_int_equal(
        vips_resize(in, &out, (double)width / in->Xsize, "vscale", (double)height / in->Ysize, "gap", 3.0, NULL), 0);
    return out;
}

static void assert_like(const Kept *kept, VipsImage *expected, double most)
{
    VipsImage *made = decode_kept(kept);
    double off = difference(made, expected);
    if (!(off <= most)) fail_msg("%s: %.3f from what libvips makes of it", kept->output, off);
    g_object_unref(made);
}

static bool planned_as_one_pass(const char *body, Bytes input);

/* ------------------------------------------------------------------ pictures */

static void test_several_sizes(void **state)
{
    (void)state;
    for (int bands = 1; bands <= 4; bands++) {
        VipsImage *source = waves(701, 503, bands);
        Bytes input = encode(g_object_ref(source), ".png");
        const char *body = "outputs:\n"
                           "  a: { steps: [ { resize: { width: 500 } }, { convert: { format: png } } ] }\n"
                           "  b: { steps: [ { resize: { width: 120 } }, { convert: { format: png } } ] }\n"
                           "  c: { steps: [ { resize: { width: 90, height: 90, gravity: east } }, "
                           "{ convert: { format: png } } ] }\n"
                           "  d: { steps: [ { resize: { width: 120 } }, { convert: { format: png } } ] }\n";
        assert_true(planned_as_one_pass(body, input));
        Result result = run(body, input);
        assert_ok(&result);
        assert_int_equal(result.count, 4);
        VipsImage *a = NULL, *b = NULL, *c = NULL, *cut = NULL;
        if (bands % 2 == 1) { /* with alpha libvips is off by more than the pass: it rounds in between */
            a = scaled(source, 500, 359);
            b = scaled(source, 120, 86);
            c = scaled(source, 125, 90);
            assert_int_equal(vips_crop(c, &cut, 35, 0, 90, 90, NULL), 0);
            assert_like(&result.kept[0], a, 1.2);
            assert_like(&result.kept[1], b, 1.2);
            assert_like(&result.kept[2], cut, 1.2);
            g_object_unref(cut);
            g_object_unref(a);
            g_object_unref(b);
            g_object_unref(c);
        }
        assert_int_equal(result.kept[0].width, 500);
        assert_int_equal(result.kept[0].height, 359);
        assert_int_equal(result.kept[1].bytes.size, result.kept[3].bytes.size);
        assert_memory_equal(result.kept[1].bytes.data, result.kept[3].bytes.data, result.kept[1].bytes.size);
        result_finish(&result);
        g_object_unref(source);
        g_free(input.data);
    }
}

/* Steps after the resample, an inspector in the trunk, and one that sees the scaled picture. */
static void test_steps_around_it(void **state)
{
    (void)state;
    VipsImage *source = waves(600, 400, 3);
    Bytes input = encode(g_object_ref(source), ".png");
    Result result =
        run("steps: [ { strip-metadata: {} } ]\n"
            "outputs:\n"
            "  a: { steps: [ { resize: { width: 300 } }, { resize: { width: 100 } }, { convert: { format: png } } ] }\n"
            "  b: { steps: [ { resize: { width: 200 } }, { convert: { format: png } } ] }\n",
            input);
    assert_ok(&result);
    assert_int_equal(result.kept[0].width, 100);
    VipsImage *small = scaled(source, 200, 133);
    assert_like(&result.kept[1], small, 1);
    g_object_unref(small);
    result_finish(&result);
    g_object_unref(source);
    g_free(input.data);
}

static void test_animation(void **state)
{
    (void)state;
    Bytes input = encode(animation(80, 60, 5), ".gif");
    const char *body =
        "outputs:\n"
        "  a: { steps: [ { resize: { width: 40 } }, { convert: { format: gif } } ] }\n"
        "  b: { steps: [ { resize: { width: 20, height: 20 } }, { convert: { format: webp, lossless: true } } ] }\n";
    assert_true(planned_as_one_pass(body, input));
    Result result = run(body, input);
    assert_ok(&result);
    for (size_t i = 0; i < 2; i++) {
        VipsImage *made = decode_kept(&result.kept[i]);
        assert_int_equal(result.kept[i].pages, 5);
        assert_int_equal(vips_image_get_n_pages(made), 5);
        int page_height = vips_image_get_page_height(made), *delays, count;
        assert_int_equal(page_height, i == 0 ? 30 : 20);
        assert_int_equal(vips_image_get_array_int(made, "delay", &delays, &count), 0);
        assert_int_equal(count, 5);
        assert_int_equal(delays[4], 150);
        for (int page = 0; page < 5; page++) { /* each of one grey, lighter from page to page */
            VipsImage *one;
            assert_int_equal(vips_crop(made, &one, 0, page * page_height, made->Xsize, page_height, NULL), 0);
            assert_true(mean(one) > 25 + 20 * page && (made->Bands == 4 || mean(one) < 35 + 20 * page));
            g_object_unref(one);
        }
        g_object_unref(made);
    }
    result_finish(&result);
    g_free(input.data);
}

/* JPEG shrinks while it is loaded, and is turned upright. */
static void test_turned_jpeg(void **state)
{
    (void)state;
    VipsImage *source = picture(640, 400);
    for (int orientation = 1; orientation <= 8; orientation += 5) {
        VipsImage *tagged;
        assert_int_equal(vips_copy(source, &tagged, NULL), 0);
        vips_image_set_int(tagged, VIPS_META_ORIENTATION, orientation);
        Bytes input = encode(tagged, ".jpg[Q=95]");
        Result result = run("outputs:\n"
                            "  a: { steps: [ { resize: { width: 100 } }, { convert: { format: png } } ] }\n"
                            "  b: { steps: [ { resize: { width: 50 } }, { convert: { format: png } } ] }\n",
                            input);
        assert_ok(&result);
        assert_int_equal(result.kept[0].width, 100);
        assert_int_equal(result.kept[0].height, orientation == 1 ? 63 : 160);
        VipsImage *upright = NULL, *small;
        assert_int_equal(orientation == 1 ? vips_copy(source, &upright, NULL) : vips_rot90(source, &upright, NULL), 0);
        small = scaled(upright, result.kept[1].width, result.kept[1].height);
        assert_like(&result.kept[1], small, 2.5);
        g_object_unref(small);
        g_object_unref(upright);
        result_finish(&result);
        g_free(input.data);
    }
    g_object_unref(source);
}

/* ------------------------------------------------------------------ where there is none, and failures */

static void test_mixed_outputs(void **state)
{
    (void)state;
    Bytes input = encode(waves(300, 200, 3), ".png");
    const char *body = "outputs:\n"
                       "  a: { steps: [ { resize: { width: 100 } }, { convert: { format: png } } ] }\n"
                       "  b: { steps: [ { convert: { format: png } } ] }\n";
    assert_false(planned_as_one_pass(body, input));
    Result result = run(body, input);
    assert_ok(&result);
    assert_int_equal(result.count, 2);
    result_finish(&result);
    g_free(input.data);
}

static void test_damaged(void **state)
{
    (void)state;
    Bytes input = encode(waves(900, 700, 3), ".jpg[Q=95]");
    input.size = input.size / 2;
    Result result = run("outputs:\n"
                        "  a: { steps: [ { resize: { width: 800 } } ] }\n"
                        "  b: { steps: [ { resize: { width: 500 } } ] }\n",
                        input);
    assert_int_equal(result.status, PM_BAD_INPUT);
    assert_int_equal(result.count, 0);
    assert_non_null(strstr(result.err.message, "the jpeg is damaged or cut short: "));
    result_finish(&result);
    g_free(input.data);
}

/* ------------------------------------------------------------------ the plan */

static bool planned_as_one_pass(const char *body, Bytes input)
{
    PmErrorList errors = {0};
    PmPipeline *pipeline = read_pipeline(body, NULL, &errors);
    assert_non_null(pipeline);
    PmEngineOptions options = {.plugin_dirs = all_plugins};
    PmEngine *engine = pm_engine_new(pipeline, &options, &errors);
    assert_non_null(engine);
    PmFacts *facts = pm_facts_new();
    PmJobInput job = {.bytes = input.data, .size = input.size, .facts = facts};
    PmError err = {0};
    json_t *plan = pm_engine_explain(engine, &job, NULL, 0, 0, &err);
    assert_non_null(plan);
    bool yes = strcmp(json_string_value(json_object_get(plan, "one_pass")), "yes") == 0;
    const json_t *first = json_array_get(json_object_get(plan, "outputs"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "engine")), yes ? "one-pass" : "vips");
    json_decref(plan);
    pm_facts_free(facts);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    pm_error_list_finish(&errors);
    return yes;
}

static void test_names(void **state)
{
    (void)state;
    PmError err = {0};
    setenv("PIXMILL_ENGINE", "sharp", 1);
    assert_int_equal(pm_engine_setup(&err), PM_BAD_CONFIG);
    assert_string_equal(err.message, "PIXMILL_ENGINE is \"sharp\"");
    assert_string_equal(err.hint, "expected one-pass or vips");
    setenv("PIXMILL_ENGINE", "one-pass", 1);
    assert_int_equal(pm_engine_setup(NULL), PM_OK);
}

int main(void)
{
    setenv("PIXMILL_ENGINE", "one-pass", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_sizes), cmocka_unit_test(test_steps_around_it), cmocka_unit_test(test_animation),
        cmocka_unit_test(test_turned_jpeg),   cmocka_unit_test(test_mixed_outputs),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
