// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

typedef struct Box {
    int left, top, width, height;
} Box;

/* The box of all pixels whose band is above `floor`, from line `top` on; 8-bit images in memory. */
static Box box_below(VipsImage *image, int top, int band, int floor)
{
    int x0 = image->Xsize, y0 = image->Ysize, x1 = 0, y1 = 0;
    for (int y = top; y < image->Ysize; y++) {
        for (int x = 0; x < image->Xsize; x++) {
            if (image->data[(y * image->Xsize + x) * image->Bands + band] <= floor) continue;
            x0 = VIPS_MIN(x0, x);
            y0 = VIPS_MIN(y0, y);
            x1 = VIPS_MAX(x1, x + 1);
            y1 = VIPS_MAX(y1, y + 1);
        }
    }
    return (Box){x0, y0, x1 - x0, y1 - y0};
}

static Box box_above(VipsImage *image, int band, int floor)
{
    return box_below(image, 0, band, floor);
}

static VipsImage *marked(const char *yaml, const char *stem, VipsImage *in)
{
    Step *step = step_new("watermark", yaml);
    if (stem) step_set_fact(step, "stem", stem);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

static VipsImage *black(int width, int height)
{
    return image_flat(width, height, 3, 0, 0, 0, 255);
}

static double difference(VipsImage *a, VipsImage *b)
{
    VipsImage *apart = NULL, *size = NULL;
    double most = 0;
    assert_int_equal(vips_subtract(a, b, &apart, NULL), 0);
    assert_int_equal(vips_abs(apart, &size, NULL), 0);
    assert_int_equal(vips_max(size, &most, NULL), 0);
    g_object_unref(size);
    g_object_unref(apart);
    return most;
}

static void draws_in_its_colour(void **state)
{
    (void)state;
    VipsImage *out = marked("{text: HHH, size: 40, color: \"#ff8000\", margin: 10}", NULL, black(200, 100));
    Box box = box_above(out, 0, 100);
    assert_in_range(box.left + box.width, 188, 190);
    assert_in_range(box.top + box.height, 88, 90);
    assert_in_range(box.height, 26, 32); /* capitals are about 0.7 em */
    assert_pixel(out, box.left + 2, box.top + box.height / 2, 255, 128, 0, 12);
    g_object_unref(out);
}

static void size_is_pixels_or_a_part_of_the_shorter_side(void **state)
{
    (void)state;
    VipsImage *px = marked("{text: HHH, size: 20}", NULL, black(300, 200));
    VipsImage *percent = marked("{text: HHH, size: 10%}", NULL, black(300, 200));
    VipsImage *tall = marked("{text: HHH, size: 10%}", NULL, black(200, 300));
    VipsImage *twice = marked("{text: HHH, size: 20%}", NULL, black(300, 200));
    Box a = box_above(px, 0, 100), b = box_above(percent, 0, 100), c = box_above(tall, 0, 100),
        d = box_above(twice, 0, 100);
    assert_in_range(b.width, a.width - 1, a.width + 1);
    assert_in_range(b.height, a.height - 1, a.height + 1);
    assert_int_equal(b.width, c.width);
    assert_in_range(d.height, 2 * b.height - 2, 2 * b.height + 2);
    g_object_unref(px);
    g_object_unref(percent);
    g_object_unref(tall);
    g_object_unref(twice);
}

static void scale_sets_the_width(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{text: pixmill, scale: 0.5}", "{text: \"{stem}\", scale: 0.5}"};
    for (size_t i = 0; i < 2; i++) {
        VipsImage *out = marked(yaml[i], "something longer", black(400, 300));
        assert_in_range(box_above(out, 0, 60).width, 197, 201);
        g_object_unref(out);
    }
}

/* Text that is too long for the picture is made smaller, not cut. */
static void long_text_fits(void **state)
{
    (void)state;
    VipsImage *out =
        marked("{text: \"{stem}\", size: 60, margin: 5}", "a name that goes on and on and on and on", black(200, 100));
    Box box = box_above(out, 0, 60);
    assert_in_range(box.width, 180, 191);
    assert_in_range(box.left, 4, 8);
    g_object_unref(out);

    char *huge = g_strnfill(1000, 'W');
    out = marked("{text: \"{stem}\", size: 60}", huge, black(2000, 100));
    assert_in_range(box_above(out, 0, 20).width, 1900, 2000);
    g_object_unref(out);
    g_free(huge);
}

/* What is drawn for a fact is its text: no markup, nothing that breaks the drawing. */
static void facts_are_plain_text(void **state)
{
    (void)state;
    VipsImage *fact = marked("{text: \"{stem}\", size: 30}", "a<b>&amp;", black(400, 100));
    VipsImage *fixed = marked("{text: \"a<b>&amp;\", size: 30}", NULL, black(400, 100));
    assert_true(difference(fact, fixed) == 0);
    g_object_unref(fact);
    g_object_unref(fixed);

    static const char *const hostile[] = {
        "\x01\x02\x1b[31m", "<span size='999999'>",     "\xff\xfe broken", "\xe2\x80\xae turned",
        "\xf0\x9f\x98\x80", "\xe1\x83\x90\xe1\x83\x91", "&#x0;",           "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        VipsImage *out = marked("{text: \"a{stem}\", size: 30}", hostile[i], black(400, 100));
        assert_true(box_above(out, 0, 60).width > 0);
        g_object_unref(out);
    }
}

static void follows_the_facts_of_the_job(void **state)
{
    (void)state;
    Step *step = step_new("watermark", "{text: \"{stem}\", size: 30, gravity: north-west}");
    static const char *const stems[] = {"wide and long", "i", "wide and long"};
    int widths[3];
    for (size_t i = 0; i < 3; i++) {
        step_set_fact(step, "stem", stems[i]);
        VipsImage *in = black(400, 100), *out = step_apply(step, in);
        widths[i] = box_above(out, 0, 60).width;
        g_object_unref(out);
        g_object_unref(in);
    }
    assert_true(widths[0] > 10 * widths[1]);
    assert_int_equal(widths[0], widths[2]);

    step_set_fact(step, "stem", " ");
    VipsImage *in = image_photo(50, 50), *out = step_apply(step, in);
    assert_true(difference(in, out) == 0);
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

static void stroke_surrounds_the_letters(void **state)
{
    (void)state;
    static const char plain[] = "{text: H, size: 100, color: red, gravity: center}";
    static const char stroked[] =
        "{text: H, size: 100, color: red, gravity: center, stroke_width: 6, stroke_color: \"#00ff00\"}";
    VipsImage *a = marked(plain, NULL, black(200, 200)), *b = marked(stroked, NULL, black(200, 200));
    Box letters = box_above(a, 0, 128), inside = box_above(b, 0, 128), around = box_above(b, 1, 128);
    assert_int_equal(letters.width, inside.width);
    assert_int_equal(letters.height, inside.height);
    assert_in_range(around.width, letters.width + 11, letters.width + 13);
    assert_in_range(around.height, letters.height + 11, letters.height + 13);
    assert_pixel(b, 100, inside.top + inside.height / 2, 255, 0, 0, 1); /* the bar of the H */
    g_object_unref(a);
    g_object_unref(b);

    /* Outlined only: see-through letters show the picture, not the stroke. */
    VipsImage *out = marked("{text: H, size: 100, color: \"#ff000000\", gravity: center, stroke_width: 6, "
                            "stroke_color: \"#00ff00\"}",
                            NULL, image_flat(200, 200, 3, 0, 0, 200, 255));
    assert_pixel(out, 100, 100, 0, 0, 200, 1);
    assert_true(box_above(out, 1, 128).width == around.width);
    g_object_unref(out);

    out = marked("{text: H, size: 300, color: red, gravity: center, stroke_width: 50, stroke_color: \"#00ff00\"}", NULL,
                 black(500, 500));
    Box wide = box_above(out, 1, 128), core = box_above(out, 0, 128);
    assert_in_range(wide.width, core.width + 96, core.width + 104);
    g_object_unref(out);
}

static void shadow_falls_to_the_lower_right(void **state)
{
    (void)state;
    VipsImage *out = marked("{text: H, size: 100, color: white, shadow: 10, shadow_color: black, gravity: center}",
                            NULL, image_flat(200, 200, 3, 200, 200, 200, 255));
    double darkest_left = 255, darkest_right = 255;
    Box letters = box_above(out, 0, 230);
    for (int y = 0; y < 200; y++) {
        darkest_left = fmin(darkest_left, image_at(out, letters.left - 8, y, 0));
        darkest_right = fmin(darkest_right, image_at(out, letters.left + letters.width + 5, y, 0));
    }
    assert_true(darkest_left > 190);
    assert_true(darkest_right < 120);
    g_object_unref(out);
}

static void lines_follow_align(void **state)
{
    (void)state;
    VipsImage *left = marked("{text: \"WWWW\\nI\", size: 40, align: left, gravity: north-west}", NULL, black(300, 200));
    VipsImage *right =
        marked("{text: \"WWWW\\nI\", size: 40, align: right, gravity: north-west}", NULL, black(300, 200));
    assert_true(box_below(left, 45, 0, 128).left + 60 < box_below(right, 45, 0, 128).left);
    g_object_unref(left);
    g_object_unref(right);
}

static void missing_font_is_replaced(void **state)
{
    (void)state;
    VipsImage *out = marked("{text: pixmill, font: No Such Family, size: 30}", NULL, black(200, 100));
    assert_true(box_above(out, 0, 128).width > 30);
    g_object_unref(out);
    out = marked("{text: pixmill, font: \"Source Sans 3,\", size: 30}", NULL, black(200, 100));
    assert_true(box_above(out, 0, 128).width > 30);
    g_object_unref(out);
}

/* See plugins/watermark/fonts.h. */
static void too_many_fonts_for_facts_are_refused(void **state)
{
    (void)state;
    static const char *const fonts[] = {"sans", "serif", "monospace", "sans bold", "serif bold"};
    Step *steps[5], *again;
    for (size_t i = 0; i < 5; i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "{text: \"{stem}\", font: %s}", fonts[i]);
        steps[i] = step_new("watermark", yaml);
    }
    assert_non_null(again = step_try("watermark", "{text: \"{stem} too\", font: serif}"));
    step_free(again);
    assert_null(step_try("watermark", "{text: \"{stem}\", font: monospace bold}"));
    assert_says("font: too many different fonts for a pipeline with {facts} in a text");
    assert_null(step_try("watermark", "{text: fixed, font: monospace bold}"));
    assert_says("font: too many different fonts");
    for (size_t i = 0; i < 5; i++) step_free(steps[i]);
    step_free(step_new("watermark", "{text: \"{stem}\", font: monospace bold}"));
}

static void text_without_its_facts_fails_the_image(void **state)
{
    (void)state;
    Step *step = step_new("watermark", "{text: \"{dir}\"}");
    VipsImage *in = black(50, 50), *out = NULL;
    assert_int_equal(step_try_apply(step, in, &out), PM_BAD_INPUT);
    assert_says("the facts of its text are not known");
    g_object_unref(in);
    step_free(step);
}

static void too_long_text_is_refused(void **state)
{
    (void)state;
    char *yaml = g_strdup_printf("{text: \"%0301d\"}", 7);
    assert_null(step_try("watermark", yaml));
    assert_says("text: longer than 300 characters");
    g_free(yaml);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(draws_in_its_colour),
    cmocka_unit_test(size_is_pixels_or_a_part_of_the_shorter_side),
    cmocka_unit_test(scale_sets_the_width),
    cmocka_unit_test(long_text_fits),
    cmocka_unit_test(facts_are_plain_text),
    cmocka_unit_test(follows_the_facts_of_the_job),
    cmocka_unit_test(stroke_surrounds_the_letters),
    cmocka_unit_test(shadow_falls_to_the_lower_right),
    cmocka_unit_test(lines_follow_align),
    cmocka_unit_test(missing_font_is_replaced),
    cmocka_unit_test(too_many_fonts_for_facts_are_refused),
    cmocka_unit_test(text_without_its_facts_fails_the_image),
    cmocka_unit_test(too_long_text_is_refused),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
