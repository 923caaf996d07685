/* SPDX-License-Identifier: Apache-2.0
 *
 * Inspectors and what becomes of pictures that they refuse.
 */
#include "runner.h"

#include "engine/verdict.h"

#define LOOK(parameters, consequence)                                   \
    "steps:\n- looker: { " parameters " }\n  name: guard\n" consequence \
    "outputs:\n  a: { steps: [ convert: { format: png } ] }\n  b: { steps: [ convert: { format: jpeg } ] }\n"

static Bytes source_with_thumbnail(void)
{
    VipsImage *image = picture(320, 200);
    vips_image_set_string(image, "exif-ifd0-ImageDescription", "what it shows");
    return encode(image, ".jpg[Q=95]");
}

static const json_t *verdict(const Result *r, size_t i)
{
    return json_array_get(r->report.verdicts, i);
}

static void a_pass_leaves_facts_and_picture(void **state)
{
    (void)state;
    Bytes source = source_with_thumbnail();
    Result r = run(LOOK("score: 0.125, label: cat", ""), source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "guard.decision"), "pass");
    assert_string_equal(text_of(r.report.facts, "guard.score"), "0.125");
    assert_string_equal(text_of(r.report.facts, "guard.label"), "cat");
    assert_string_equal(text_of(r.report.facts, "guard.seen"), "320x200, 1 looked at");
    assert_string_equal(text_of(r.kept[0].facts, "guard.score"), "0.125");
    assert_string_equal(text_of(verdict(&r, 0), "step"), "guard");
    assert_null(json_object_get(verdict(&r, 0), "consequence"));
    VipsImage *image = decode_kept(&r.kept[0]), *expected = decode(source, "jpeg", 1);
    assert_true(difference(image, expected) < 0.01);
    g_object_unref(image);
    g_object_unref(expected);
    result_finish(&r);
    g_free(source.data);
}

static void quarantine_is_the_default_and_drop_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        PmOnReject expected;
    } cases[] = {
        {LOOK("decision: reject, score: 0.9, label: nude", ""), PM_ON_REJECT_QUARANTINE},
        {LOOK("decision: reject, score: 0.9, label: nude", "  on_reject: quarantine\n"), PM_ON_REJECT_QUARANTINE},
        {LOOK("decision: reject, score: 0.9, label: nude", "  on_reject: drop\n"), PM_ON_REJECT_DROP},
    };
    Bytes source = source_with_thumbnail();
    for (size_t i = 0; i < 3; i++) {
        Result r = run(cases[i].body, source);
        assert_int_equal(r.status, PM_REJECTED);
        assert_int_equal(r.report.rejected_as, cases[i].expected);
        assert_int_equal(r.count, 0);
        assert_says(&r.err, "test.yaml:4:3: steps: looker: rejected as nude with score 0.90");
        assert_string_equal(r.err.step, "steps[0]");
        assert_string_equal(text_of(r.report.facts, "guard.decision"), "reject");
        assert_string_equal(text_of(verdict(&r, 0), "consequence"), i < 2 ? "quarantine" : "drop");
        result_finish(&r);
    }
    g_free(source.data);
}

static void flag_goes_on_with_the_picture(void **state)
{
    (void)state;
    Bytes source = source_with_thumbnail();
    Result r = run(LOOK("decision: reject", "  on_reject: flag\n"), source);
    assert_ok(&r);
    assert_int_equal(r.count, 2);
    assert_string_equal(text_of(verdict(&r, 0), "consequence"), "flag");
    VipsImage *image = decode_kept(&r.kept[0]), *expected = decode(source, "jpeg", 1);
    assert_true(difference(image, expected) < 0.01);
    g_object_unref(image);
    g_object_unref(expected);
    result_finish(&r);
    g_free(source.data);
}

/* How much neighbouring pixels differ. */
static double detail(VipsImage *image)
{
    VipsImage *edges = NULL;
    assert_int_equal(vips_sobel(image, &edges, NULL), 0);
    double value = mean(edges);
    g_object_unref(edges);
    return value;
}

static void blur_leaves_colours_and_no_detail(void **state)
{
    (void)state;
    VipsImage *noise = NULL, *sharp = NULL;
    vips_gaussnoise(&noise, 500, 300, "mean", 128.0, "sigma", 60.0, NULL);
    vips_cast(noise, &sharp, VIPS_FORMAT_UCHAR, NULL);
    vips_image_set_string(sharp, "exif-ifd0-ImageDescription", "what it shows");
    g_object_unref(noise);
    double before = detail(sharp), brightness = mean(sharp);
    Bytes source = encode(sharp, ".jpg[Q=95]");
    Result r = run(LOOK("decision: reject", "  on_reject: blur\n"), source);
    assert_ok(&r);
    for (size_t i = 0; i < 2; i++) {
        VipsImage *image = decode_kept(&r.kept[i]);
        assert_int_equal(image->Xsize, 500);
        assert_int_equal(image->Ysize, 300);
        assert_true(detail(image) < before / 8);
        assert_true(mean(image) > brightness - 4 && mean(image) < brightness + 4);
        /* A description or a thumbnail would tell what the blur hides. */
        assert_int_equal(vips_image_get_typeof(image, "exif-ifd0-ImageDescription"), 0);
        g_object_unref(image);
    }
    result_finish(&r);
    g_free(source.data);
}

static void placeholder_is_flat_and_opaque(void **state)
{
    (void)state;
    VipsImage *rgb = picture(200, 100), *clear = NULL;
    assert_int_equal(vips_bandjoin_const1(rgb, &clear, 40, NULL), 0);
    g_object_unref(rgb);
    Bytes source = encode(clear, ".png");
    Result r = run(LOOK("decision: reject", "  on_reject: placeholder\n"), source);
    assert_ok(&r);
    assert_int_equal(json_array_size(r.report.warnings), 0);
    VipsImage *image = decode_kept(&r.kept[0]);
    double low, high;
    assert_int_equal(image->Xsize, 200);
    assert_int_equal(vips_min(image, &low, NULL) || vips_max(image, &high, NULL), 0);
    assert_true(low >= 127);
    assert_true(image->Bands == 4 ? high > 254 : high < 129);
    g_object_unref(image);
    result_finish(&r);
    g_free(source.data);
}

static void consequences_in_an_output_stay_there(void **state)
{
    (void)state;
    Bytes source = source_with_thumbnail();
    Result r = run("outputs:\n"
                   "  a:\n    steps:\n    - looker: { decision: reject }\n      on_reject: placeholder\n"
                   "    - convert: { format: png }\n"
                   "  b: { steps: [ convert: { format: png } ] }\n",
                   source);
    assert_ok(&r);
    VipsImage *a = decode_kept(&r.kept[0]), *b = decode_kept(&r.kept[1]), *expected = decode(source, "jpeg", 1);
    assert_true(difference(a, expected) > 20);
    assert_true(difference(b, expected) < 0.01);
    assert_null(json_object_get(r.kept[1].facts, "looker.decision"));
    g_object_unref(a);
    g_object_unref(b);
    g_object_unref(expected);
    result_finish(&r);
    g_free(source.data);
}

/* Whatever the outputs share, and wherever the inspector stands in the file. */
static void an_inspector_in_an_output_speaks_before_any_rendition_is_made(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "outputs:\n  a: {}\n  b:\n    steps:\n    - looker: { decision: reject }\n      on_reject: drop\n",
        "outputs:\n  a: {}\n  b:\n    steps:\n    - resize: { width: 160 }\n    - looker: { decision: reject }\n"
        "      on_reject: drop\n  c: { steps: [ resize: { width: 40 } ] }\n",
        "outputs:\n  a: { steps: [ resize: { width: 160 } ] }\n  b:\n    steps:\n    - resize: { width: 80 }\n"
        "    - upside: {}\n    - looker: { decision: reject, reads: false, pixels: false }\n      on_reject: drop\n",
        "steps: [ looker: {} ]\noutputs:\n  a: {}\n  b:\n    when: { looker.decision: pass }\n    steps:\n"
        "    - looker: { decision: reject }\n      name: second\n      on_reject: drop\n",
    };
    Bytes source = source_with_thumbnail();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        Result r = run(bodies[i], source);
        assert_int_equal(r.errors.count, 0);
        assert_int_equal(r.status, PM_REJECTED);
        assert_int_equal(r.report.rejected_as, PM_ON_REJECT_DROP);
        assert_int_equal(r.count, 0);
        result_finish(&r);
    }
    g_free(source.data);
}

static void what_inspectors_have_passed_comes_in_the_files_order(void **state)
{
    (void)state;
    Bytes source = source_with_thumbnail();
    Result r = run("steps: [ looker: { decision: flag } ]\n"
                   "outputs:\n"
                   "  a: { steps: [ resize: { width: 40 } ] }\n"
                   "  b:\n    steps:\n    - resize: { width: 160 }\n    - looker: { score: 0.25 }\n"
                   "      name: second\n    - resize: { width: 20 }\n    - convert: { format: png }\n"
                   "  c:\n    when: { looker.decision: reject }\n    steps: [ resize: { width: 200 } ]\n"
                   "  d:\n    steps:\n    - looker: { score: 0.125 }\n      name: third\n    - upside: {}\n",
                   source);
    assert_ok(&r);
    static const struct {
        const char *name;
        int width;
    } expected[] = {{"a", 40}, {"b", 20}, {"d", 320}};
    assert_int_equal(r.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(r.kept[i].output, expected[i].name);
        assert_int_equal(r.kept[i].width, expected[i].width);
    }
    assert_string_equal(r.skipped[0], "c: looker.decision is flag, not reject");
    assert_string_equal(text_of(r.kept[1].facts, "second.seen"), "160x100, 1 looked at");
    assert_null(json_object_get(r.kept[1].facts, "third.seen"));
    assert_string_equal(text_of(r.kept[2].facts, "third.score"), "0.125");
    assert_int_equal(json_array_size(r.report.verdicts), 3);
    result_finish(&r);
    g_free(source.data);
}

static void only_a_verdict_rejects(void **state)
{
    (void)state;
    Bytes source = source_with_thumbnail();
    Result r = run("outputs: { a: {}, b: { steps: [ upside: { rejects: true } ] } }\n", source);
    assert_int_equal(r.status, PM_BUG);
    assert_string_equal(r.err.message, "plugin upside returned PM_REJECTED from apply(); an image is rejected by an "
                                       "inspector's verdict");
    assert_string_equal(r.err.step, "outputs.b.steps[0]");
    result_finish(&r);
    g_free(source.data);
}

static void every_frame_is_looked_at_and_treated(void **state)
{
    (void)state;
    Bytes source = encode(animation(60, 40, 4), ".gif");
    Result r = run("steps: [ looker: {} ]\noutputs: { a: { steps: [ convert: { format: jpeg } ] } }\n", source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "looker.seen"), "60x40, 4 looked at");
    result_finish(&r);
    r = run("steps: [ looker: { first: true } ]\noutputs: { a: {} }\n", source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "looker.seen"), "60x40, 1 looked at");
    assert_int_equal(r.kept[0].pages, 4);
    result_finish(&r);
    static const char *const consequences[] = {"blur", "placeholder"};
    for (size_t i = 0; i < 2; i++) {
        char body[256];
        g_snprintf(
            body, sizeof body,
            "steps:\n- looker: { decision: reject }\n  on_reject: %s\noutputs: { a: { steps: [ resize: { width: 30 "
            "}, convert: { format: webp } ] } }\n",
            consequences[i]);
        r = run(body, source);
        assert_ok(&r);
        /* The rejecting frame ends the looking. */
        assert_string_equal(text_of(r.report.facts, "looker.seen"), "60x40, 1 looked at");
        assert_int_equal(r.kept[0].width, 30);
        if (i == 0) assert_int_equal(r.kept[0].pages, 4);
        result_finish(&r);
    }
    g_free(source.data);
}

static void later_steps_may_depend_on_a_verdict(void **state)
{
    (void)state;
    static const struct {
        const char *decision;
        int width, outputs;
    } cases[] = {{"pass", 200, 2}, {"flag", 50, 1}};
    Bytes source = encode(picture(200, 100), ".jpg");
    for (size_t i = 0; i < 2; i++) {
        char body[512];
        g_snprintf(body, sizeof body,
                   "steps:\n- looker: { decision: %s }\n"
                   "- resize: { width: 50 }\n  when: { looker.decision: flag }\n"
                   "outputs:\n  a: { steps: [ resize: { width: 500 } ] }\n  b: { when: { looker.decision: pass } }\n",
                   cases[i].decision);
        Result r = run(body, source);
        assert_ok(&r);
        assert_int_equal(r.count, cases[i].outputs);
        assert_int_equal(r.kept[0].width, cases[i].width);
        if (i == 1) assert_string_equal(r.skipped[0], "b: looker.decision is flag, not pass");
        result_finish(&r);
    }
    g_free(source.data);
}

static void an_inspector_that_reads_nothing_holds_nothing(void **state)
{
    (void)state;
    Bytes source = encode(picture(200, 100), ".png");
    Result r = run("steps: [ looker: { reads: false, pixels: false } ]\noutputs: { a: {} }\n", source);
    assert_ok(&r);
    assert_int_equal(r.count, 1);
    result_finish(&r);
    g_free(source.data);
}

static void labels_are_printable(void **state)
{
    (void)state;
    Bytes source = encode(picture(20, 10), ".png");
    Result r = run("steps: [ looker: { label: \"caf\\u00e9\\n\" } ]\noutputs: { a: {} }\n", source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "looker.label"), "caf???");
    result_finish(&r);
    g_free(source.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_leaves_facts_and_picture),
        cmocka_unit_test(quarantine_is_the_default_and_drop_is_told_apart),
        cmocka_unit_test(flag_goes_on_with_the_picture),
        cmocka_unit_test(blur_leaves_colours_and_no_detail),
        cmocka_unit_test(placeholder_is_flat_and_opaque),
        cmocka_unit_test(consequences_in_an_output_stay_there),
        cmocka_unit_test(an_inspector_in_an_output_speaks_before_any_rendition_is_made),
        cmocka_unit_test(what_inspectors_have_passed_comes_in_the_files_order),
        cmocka_unit_test(only_a_verdict_rejects),
        cmocka_unit_test(every_frame_is_looked_at_and_treated),
        cmocka_unit_test(later_steps_may_depend_on_a_verdict),
        cmocka_unit_test(an_inspector_that_reads_nothing_holds_nothing),
        cmocka_unit_test(labels_are_printable),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
