/* SPDX-License-Identifier: Apache-2.0
 *
 * Pixels end to end, through real plugins.
 */
#include "runner.h"

#include <sys/resource.h>

#define ONE_PNG "outputs:\n  a:\n    steps:\n    - convert: { format: png }\n"
#define MOVING  "outputs:\n  a:\n    steps:\n    - convert: { format: gif }\n"
#define TWO_PNGS \
    "outputs:\n  a: { steps: [ convert: { format: png } ] }\n  b: { steps: [ convert: { format: png } ] }\n"

static Bytes jpeg(int width, int height)
{
    return encode(picture(width, height), ".jpg[Q=95]");
}

static void five_renditions_come_in_the_files_order(void **state)
{
    (void)state;
    Bytes source = jpeg(800, 600);
    Result r = run("outputs:\n"
                   "  tiny: { steps: [ resize: { width: 40 } ] }\n"
                   "  large: { steps: [ resize: { width: 500 }, convert: { format: png } ] }\n"
                   "  small: { steps: [ resize: { width: 100 }, convert: { format: webp } ] }\n"
                   "  square: { steps: [ resize: { width: 64, height: 64, fit: cover, gravity: attention } ] }\n",
                   source);
    assert_ok(&r);
    assert_int_equal(r.count, 4);
    static const struct {
        const char *name, *format, *extension;
        int width, height;
    } expected[] = {{"tiny", "jpeg", "jpg", 40, 30},
                    {"large", "png", "png", 500, 375},
                    {"small", "webp", "webp", 100, 75},
                    {"square", "jpeg", "jpg", 64, 64}};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(r.kept[i].output, expected[i].name);
        assert_string_equal(r.kept[i].format, expected[i].format);
        assert_string_equal(r.kept[i].extension, expected[i].extension);
        assert_string_equal(text_of(r.kept[i].facts, "ext"), expected[i].extension);
        assert_string_equal(text_of(r.kept[i].facts, "output"), expected[i].name);
        assert_int_equal(strtol(text_of(r.kept[i].facts, "width"), NULL, 10), expected[i].width);
        VipsImage *image = decode_kept(&r.kept[i]);
        assert_int_equal(image->Xsize, expected[i].width);
        assert_int_equal(image->Ysize, expected[i].height);
        if (i != 3) { /* the square is a part */
            VipsImage *whole = picture(expected[i].width, expected[i].height);
            assert_true(difference(image, whole) < 3);
            g_object_unref(whole);
        }
        g_object_unref(image);
    }
    assert_int_equal(json_array_size(r.report.warnings), 0);
    assert_string_equal(text_of(r.report.facts, "width"), "800");
    assert_string_equal(text_of(r.report.facts, "stem"), "cat");
    result_finish(&r);
    g_free(source.data);
}

static void every_orientation_comes_out_upright(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        VipsImage *raw = picture(240, 160), *upright = NULL;
        vips_image_set_int(raw, VIPS_META_ORIENTATION, orientation);
        assert_int_equal(vips_autorot(raw, &upright, NULL), 0);
        Bytes source = encode(raw, ".jpg[Q=98]");
        Result r = run("outputs:\n"
                       "  a: { when: { width: 160 }, steps: [ convert: { format: png } ] }\n"
                       "  b: { steps: [ convert: { format: png } ] }\n"
                       "  c: { steps: [ resize: { width: 40, quality: fast }, convert: { format: jpeg } ] }\n",
                       source);
        assert_ok(&r);
        /* `when` is asked about the upright picture. */
        assert_int_equal(r.skipped_count, orientation <= 4 ? 1 : 0);
        VipsImage *image = decode_kept(&r.kept[r.count - 2]), *small = decode_kept(&r.kept[r.count - 1]);
        assert_true(difference(image, upright) < 2);
        assert_int_equal(vips_image_get_orientation(image), 1);
        assert_int_equal(vips_image_get_orientation(small), 1);
        assert_int_equal(small->Ysize, orientation <= 4 ? 27 : 60);
        char text[8];
        g_snprintf(text, sizeof text, "%d", orientation);
        assert_string_equal(text_of(r.report.facts, "orientation"), text);
        g_object_unref(image);
        g_object_unref(small);
        g_object_unref(upright);
        result_finish(&r);
        g_free(source.data);
    }
}

static void cmyk_becomes_srgb(void **state)
{
    (void)state;
    for (int profile = 0; profile < 2; profile++) {
        VipsImage *rgb = picture(120, 80), *cmyk = NULL;
        assert_int_equal(vips_icc_transform(rgb, &cmyk, "cmyk", "input_profile", "srgb", NULL), 0);
        if (!profile) {
            VipsImage *bare = NULL;
            assert_int_equal(vips_copy(cmyk, &bare, NULL), 0);
            vips_image_remove(bare, VIPS_META_ICC_NAME);
            g_object_unref(cmyk);
            cmyk = bare;
        }
        Bytes source = encode(cmyk, ".jpg[Q=98]");
        Result r = run(TWO_PNGS, source);
        assert_ok(&r);
        VipsImage *image = decode_kept(&r.kept[0]);
        assert_int_equal(image->Type, VIPS_INTERPRETATION_sRGB);
        assert_true(difference(image, rgb) < 12); /* CMYK holds fewer colours */
        assert_int_equal(vips_image_get_typeof(image, VIPS_META_ICC_NAME), 0);
        g_object_unref(image);
        g_object_unref(rgb);
        result_finish(&r);
        g_free(source.data);
    }
}

static void a_profile_goes_with_its_pixels(void **state)
{
    (void)state;
    VipsImage *rgb = picture(120, 80), *wide = NULL;
    assert_int_equal(vips_icc_transform(rgb, &wide, "p3", "input_profile", "srgb", NULL), 0);
    Bytes source = encode(wide, ".png");
    VipsImage *pixels = decode(source, "png", 1);
    Result r = run(ONE_PNG, source);
    assert_ok(&r);
    VipsImage *image = decode_kept(&r.kept[0]);
    assert_true(vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0);
    assert_true(difference(image, pixels) < 0.01);
    g_object_unref(image);
    g_object_unref(pixels);
    g_object_unref(rgb);
    result_finish(&r);
    g_free(source.data);
}

static void other_colour_spaces_become_srgb_or_grey(void **state)
{
    (void)state;
    static const struct {
        VipsInterpretation space;
        int bands;
        VipsBandFormat format;
        VipsInterpretation expected;
    } cases[] = {
        {VIPS_INTERPRETATION_LAB, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB},
        {VIPS_INTERPRETATION_scRGB, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB},
        {VIPS_INTERPRETATION_B_W, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W},
        {VIPS_INTERPRETATION_GREY16, 1, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_GREY16},
        {VIPS_INTERPRETATION_RGB16, 3, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_RGB16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        VipsImage *rgb = picture(60, 40), *other = NULL;
        assert_int_equal(vips_colourspace(rgb, &other, cases[i].space, NULL), 0);
        g_object_unref(rgb);
        Bytes source = encode(other, ".tif");
        Result r = run(ONE_PNG, source);
        assert_ok(&r);
        VipsImage *image = decode_kept(&r.kept[0]);
        assert_int_equal(image->Bands, cases[i].bands);
        assert_int_equal(image->BandFmt, cases[i].format);
        assert_int_equal(image->Type, cases[i].expected);
        assert_int_equal(json_array_size(r.report.warnings), 0);
        g_object_unref(image);
        result_finish(&r);
        g_free(source.data);
    }
}

/* ------------------------------------------------------------------ pages */

static void assert_animation(const Kept *kept, int pages)
{
    VipsImage *image = decode_kept(kept);
    int *delays, count;
    assert_int_equal(vips_image_get_n_pages(image), pages);
    assert_int_equal(vips_image_get_page_height(image) * pages, image->Ysize);
    assert_int_equal(vips_image_get_array_int(image, "delay", &delays, &count), 0);
    assert_int_equal(count, pages);
    for (int i = 0; i < pages; i++) assert_int_equal(delays[i], 30 * (i + 1));
    for (int i = 0; i < pages; i++) { /* each page has kept its own brightness */
        VipsImage *page, *grey;
        int height = image->Ysize / pages;
        assert_int_equal(vips_crop(image, &page, 0, i * height, image->Xsize, height, NULL), 0);
        assert_int_equal(vips_extract_band(page, &grey, 0, "n", 3, NULL), 0);
        assert_true(mean(grey) > 27 + 20 * i && mean(grey) < 33 + 20 * i);
        g_object_unref(grey);
        g_object_unref(page);
    }
    int loop;
    assert_int_equal(vips_image_get_int(image, "loop", &loop), 0);
    assert_int_equal(loop, 3);
    g_object_unref(image);
}

static void animations_keep_pages_delays_and_loop(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".gif", ".webp[lossless]"};
    for (size_t i = 0; i < 2; i++) {
        Bytes source = encode(animation(80, 60, 5), suffixes[i]);
        Result r = run("outputs:\n"
                       "  gif: { steps: [ resize: { width: 40 }, upside: {}, convert: { format: gif } ] }\n"
                       "  webp: { steps: [ upside: {}, resize: { width: 20 }, convert: { format: webp } ] }\n"
                       "  still: { steps: [ resize: { width: 40 }, convert: { format: jpeg } ] }\n"
                       "  same: {}\n",
                       source);
        assert_ok(&r);
        assert_int_equal(r.count, 4);
        assert_animation(&r.kept[0], 5);
        assert_animation(&r.kept[1], 5);
        assert_animation(&r.kept[3], 5);
        assert_int_equal(r.kept[0].pages, 5);
        assert_int_equal(r.kept[2].pages, 1);
        VipsImage *still = decode_kept(&r.kept[2]);
        assert_int_equal(still->Ysize, 30);
        assert_true(mean(still) > 28 && mean(still) < 32);
        assert_int_equal(json_array_size(r.report.warnings), 0);
        g_object_unref(still);
        result_finish(&r);
        g_free(source.data);
    }
}

/* ------------------------------------------------------------------ steps that read out of order */

static void a_random_step_works_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "outputs: { a: { steps: [ upside: {}, convert: { format: png } ] } }\n",
        "steps: [ upside: {} ]\noutputs: { a: { steps: [ convert: { format: png } ] } }\n",
        "steps: [ upside: {} ]\noutputs: { a: { steps: [ convert: { format: png } ] }, b: {} }\n",
    };
    Bytes source = encode(picture(300, 700), ".png");
    VipsImage *whole = picture(300, 700), *flipped = NULL;
    assert_int_equal(vips_flip(whole, &flipped, VIPS_DIRECTION_VERTICAL, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        Result r = run(bodies[i], source);
        assert_ok(&r);
        VipsImage *image = decode_kept(&r.kept[0]);
        assert_true(difference(image, flipped) < 0.01);
        g_object_unref(image);
        result_finish(&r);
    }
    g_object_unref(flipped);
    g_object_unref(whole);
    g_free(source.data);
}

/* ------------------------------------------------------------------ bad input */

static void truncated_files_fail_and_say_so(void **state)
{
    (void)state;
    static const struct {
        const char *suffix, *format;
    } cases[] = {{".jpg", "jpeg"}, {".png", "png"}, {".webp", "webp"}, {".gif", "gif"}, {".tif", "tiff"}};
    static const char *const bodies[] = {ONE_PNG, TWO_PNGS};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        VipsImage *noise = NULL, *cast = NULL;
        vips_gaussnoise(&noise, 300, 300, "mean", 128.0, "sigma", 40.0, NULL);
        vips_cast(noise, &cast, VIPS_FORMAT_UCHAR, NULL);
        g_object_unref(noise);
        Bytes source = encode(cast, cases[i].suffix);
        source.size /= 2;
        for (size_t j = 0; j < 2; j++) {
            Result r = run(bodies[j], source);
            assert_int_equal(r.status, PM_BAD_INPUT);
            char expected[64];
            g_snprintf(expected, sizeof expected, "the %s is damaged or cut short", cases[i].format);
            assert_true(g_str_has_prefix(r.err.message, expected));
            assert_null(strchr(r.err.message, '\n'));
            assert_int_equal(r.err.line, 0);
            assert_int_equal(r.count, 0);
            result_finish(&r);
        }
        g_free(source.data);
    }
}

static void what_is_no_image_is_refused(void **state)
{
    (void)state;
    Result r = run(ONE_PNG, (Bytes){"hello world, hello world", 24});
    assert_int_equal(r.status, PM_BAD_INPUT);
    result_finish(&r);
    r = run(ONE_PNG, (Bytes){"", 0});
    assert_says(&r.err, "the file is empty");
    result_finish(&r);
    r = run(ONE_PNG, (Bytes){"<svg xmlns='http://www.w3.org/2000/svg' width='20' height='10'/>", 64});
    assert_says(&r.err, "svg images are not let in: limits.formats has jpeg, png, webp, gif, tiff, avif, heif, jxl");
    result_finish(&r);
}

static void svg_works_when_listed(void **state)
{
    (void)state;
    static char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='200'><rect width='400' "
                        "height='200' fill='red'/></svg>";
    Result r = run("limits: { formats: [svg] }\noutputs: { a: { steps: [ resize: { width: 100 } ] } }\n",
                   (Bytes){svg, sizeof svg - 1});
    assert_ok(&r);
    assert_string_equal(r.kept[0].format, "png");
    assert_int_equal(r.kept[0].height, 50);
    result_finish(&r);
}

/* 65535 x 16383 RGBA is 4 GB: refused from 57 bytes, before libpng gets to see them. */
static void a_huge_claim_is_refused_before_memory_moves(void **state)
{
    (void)state;
    static const char bomb[] = "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\xFF\xFF\0\0\x3F\xFF\x08\x06\0\0\0\x12\x34\x56\x78"
                               "\0\0\0\x0CIDAT\x78\x9C\x63\x60\x60\x60\0\0";
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    Result r = run("limits: { side: 70000 }\n" ONE_PNG, (Bytes){(void *)(uintptr_t)bomb, sizeof bomb - 1});
    getrusage(RUSAGE_SELF, &after);
    assert_says(&r.err, "the image is 65535x16383, 1073.7M pixels, more than the 50M of limits.pixels");
    assert_int_equal(r.status, PM_LIMIT);
    assert_true(after.ru_maxrss - before.ru_maxrss < 20 * 1024);
    result_finish(&r);
}

static void limits_hold(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"limits: { pixels: 1000 }\n" ONE_PNG,
         "the image is 200x100, 20000 pixels, more than the 1000 of limits.pixels"},
        {"limits: { file_size: 100 }\n" ONE_PNG, NULL},
        {"limits: { icc: 100 }\n" ONE_PNG, NULL},
        {"limits: { output_side: 150 }\noutputs:\n  big:\n    steps:\n    - convert: { format: png }\n",
         "test.yaml:7:7: outputs.big: convert: the result would be 200x100, a side longer than the 150 px of "
         "limits.output_side"},
    };
    VipsImage *image = picture(200, 100), *wide = NULL;
    assert_int_equal(vips_icc_transform(image, &wide, "p3", "input_profile", "srgb", NULL), 0);
    g_object_unref(image);
    Bytes source = encode(wide, ".png");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Result r = run(cases[i].body, source);
        assert_int_equal(r.status, PM_LIMIT);
        if (cases[i].message != NULL) assert_says(&r.err, cases[i].message);
        result_finish(&r);
    }
    g_free(source.data);
    source = encode(animation(10, 10, 12), ".gif");
    Result r = run("limits: { frames: 11 }\n" MOVING, source);
    assert_says(&r.err, "the animation has 12 frames, more than the 11 of limits.frames");
    result_finish(&r);
    r = run("limits: { frames: 11 }\n" ONE_PNG, source); /* one is enough */
    assert_int_equal(r.status, PM_OK);
    result_finish(&r);
    g_free(source.data);
}

/* ------------------------------------------------------------------ plugins that break their word */

static void broken_promises_name_the_plugin(void **state)
{
    (void)state;
    static const struct {
        const char *plugin, *message;
    } cases[] = {
        {"fault-promise", "plugin fault-promise promised "},
        {"fault-null", "plugin fault-null returned PM_OK and no image from apply()"},
        {"fault-status", "plugin fault-status returned "},
    };
    Bytes source = jpeg(200, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        g_snprintf(body, sizeof body, "outputs:\n  a:\n    steps:\n    - %s: {}\n    - convert: { format: png }\n",
                   cases[i].plugin);
        Result r = run(body, source);
        assert_int_equal(r.status, PM_BUG);
        assert_true(g_str_has_prefix(r.err.message, cases[i].message));
        assert_string_equal(r.err.plugin, cases[i].plugin);
        assert_string_equal(r.err.step, "outputs.a.steps[0]");
        assert_int_equal(r.err.line, 6);
        result_finish(&r);
    }
    g_free(source.data);
}

static void the_host_gives_only_what_was_declared(void **state)
{
    (void)state;
    Bytes source = jpeg(200, 100);
    Result r = run("outputs: { a: { steps: [ upside: { asks: /etc/passwd } ] } }\n", source);
    assert_int_equal(r.status, PM_BUG);
    assert_string_equal(r.err.message, "asks for the file \"/etc/passwd\", which no parameter of this pipeline names");
    result_finish(&r);
    r = run("outputs: { a: { steps: [ upside: { sets: key } ] } }\n", source);
    assert_int_equal(r.status, PM_BUG);
    assert_string_equal(r.err.message, "sets the fact key, which its table of facts does not list");
    result_finish(&r);

    assert_true(g_file_set_contents("/tmp/pm-test-engine-asset", "twelve bytes", 12, NULL));
    r = run("outputs: { a: { steps: [ upside: { file: pm-test-engine-asset, text: \"{stem} {width}\"} ] } }\n", source);
    assert_ok(&r);
    assert_string_equal(text_of(r.kept[0].facts, "upside.size"), "12");
    assert_string_equal(text_of(r.kept[0].facts, "upside.said"), "cat 200");
    assert_string_equal(text_of(r.report.facts, "upside.said"), "cat 200");
    result_finish(&r);
    g_free(source.data);
}

/* ------------------------------------------------------------------ the source as the result */

static void an_untouched_smaller_source_is_kept(void **state)
{
    (void)state;
    Bytes source = encode(picture(200, 100), ".jpg[Q=30]");
    Result r = run("outputs:\n"
                   "  kept: { steps: [ convert: { keep_smaller: true, quality: 95 } ] }\n"
                   "  resized: { steps: [ resize: { width: 199 }, convert: { keep_smaller: true, quality: 95 } ] }\n"
                   "  other: { steps: [ convert: { keep_smaller: true, format: png } ] }\n",
                   source);
    assert_ok(&r);
    assert_null(r.kept[0].bytes.data);
    assert_non_null(r.kept[1].bytes.data);
    assert_non_null(r.kept[2].bytes.data);
    result_finish(&r);
    g_free(source.data);
}

static void outputs_may_be_chosen_and_skipped(void **state)
{
    (void)state;
    Bytes source = jpeg(200, 100);
    Result r =
        run("outputs:\n"
            "  a: { when: { width: \">=300\" }, steps: [ resize: { width: 300 } ] }\n"
            "  b: { when: { format: [jpeg, png] }, steps: [ { resize: { width: 20 }, when: { height: 5 } } ] }\n",
            source);
    assert_ok(&r);
    assert_int_equal(r.skipped_count, 1);
    assert_string_equal(r.skipped[0], "a: width is 200, not >=300");
    assert_int_equal(r.count, 1);
    assert_int_equal(r.kept[0].width, 200);
    result_finish(&r);
    g_free(source.data);
}

/* Before there is an image: one format when it is the same for all. */
static void outputs_tell_what_they_write(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmPipeline *pipeline = read_pipeline("outputs:\n"
                                         "  fixed: { steps: [ convert: { format: webp } ] }\n"
                                         "  any: {}\n"
                                         "  small: { steps: [ resize: { width: 9 }, convert: { format: gif } ] }\n",
                                         NULL, &errors);
    PmEngineOptions options = {.plugin_dirs = all_plugins};
    PmEngine *engine = pm_engine_new(pipeline, &options, &errors);
    assert_int_equal(errors.count, 0);
    json_t *about = pm_engine_describe(engine), *writes = json_object_get(about, "writes");
    json_t *expected = json_pack("{s[s] s[sss] s[s]}", "fixed", "webp", "any", "jpeg", "png", "gif", "small", "gif");
    char *text = json_dumps(writes, JSON_SORT_KEYS), *wanted = json_dumps(expected, JSON_SORT_KEYS);
    assert_string_equal(text, wanted);
    free(text);
    free(wanted);
    json_decref(expected);
    json_decref(about);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
}

static void progress_is_empty_between_jobs(void **state)
{
    (void)state;
    PmProgress progress = {.plugin = "left over"};
    Bytes source = jpeg(200, 100);
    Result r = run_with(ONE_PNG, source, NULL, &progress);
    assert_ok(&r);
    assert_string_equal(progress.plugin, "");
    assert_string_equal(progress.step, "");
    result_finish(&r);
    g_free(source.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_renditions_come_in_the_files_order),
        cmocka_unit_test(every_orientation_comes_out_upright),
        cmocka_unit_test(cmyk_becomes_srgb),
        cmocka_unit_test(a_profile_goes_with_its_pixels),
        cmocka_unit_test(other_colour_spaces_become_srgb_or_grey),
        cmocka_unit_test(animations_keep_pages_delays_and_loop),
        cmocka_unit_test(a_random_step_works_wherever_it_stands),
        cmocka_unit_test(truncated_files_fail_and_say_so),
        cmocka_unit_test(what_is_no_image_is_refused),
        cmocka_unit_test(svg_works_when_listed),
        cmocka_unit_test(a_huge_claim_is_refused_before_memory_moves),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(broken_promises_name_the_plugin),
        cmocka_unit_test(the_host_gives_only_what_was_declared),
        cmocka_unit_test(an_untouched_smaller_source_is_kept),
        cmocka_unit_test(outputs_may_be_chosen_and_skipped),
        cmocka_unit_test(outputs_tell_what_they_write),
        cmocka_unit_test(progress_is_empty_between_jobs),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
