// SPDX-License-Identifier: Apache-2.0
//
// tint and duotone: the same code behind two tables of parameters.
#include "harness.h"

#include <math.h>

static VipsImage *toned(const char *plugin, const char *yaml, VipsImage *in)
{
    Step *step = step_new(plugin, yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    return out;
}

static double decode(double coded)
{
    return coded <= 0.04045 ? coded / 12.92 : pow((coded + 0.055) / 1.055, 2.4);
}

static double encode(double light)
{
    return light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

static double luminance(const double *light)
{
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
}

static void light_at(VipsImage *image, int x, int y, double *light)
{
    double white = image->BandFmt == VIPS_FORMAT_USHORT ? 65535 : 255;
    for (int i = 0; i < 3; i++) light[i] = decode(image_at(image, x, y, image->Bands < 3 ? 0 : i) / white);
}

static void hold(VipsImage *out, int x, int y, const double *light, double within)
{
    double white = out->BandFmt == VIPS_FORMAT_USHORT ? 65535 : 255;
    for (int i = 0; i < 3; i++) {
        double have = image_at(out, x, y, i), want = encode(light[i]) * white;
        if (fabs(have - want) > within) fail_msg("%d,%d band %d: %g, expected %g", x, y, i, have, want);
    }
}

/* As docs/colour.md says it. */
static void tint_of(const double *colour, double amount, double *light)
{
    double have = luminance(light), own = luminance(colour);
    for (int i = 0; i < 3; i++) {
        double shade = have <= own ? colour[i] * have / own : colour[i] + (1 - colour[i]) * (have - own) / (1 - own);
        light[i] += amount * (shade - light[i]);
    }
}

static VipsImage *deep_photo(int width, int height)
{
    VipsImage *photo = image_photo(width, height), *deep = NULL;
    assert_int_equal(vips_colourspace(photo, &deep, VIPS_INTERPRETATION_RGB16, NULL), 0);
    g_object_unref(photo);
    VipsImage *out = vips_image_copy_memory(deep);
    g_object_unref(deep);
    return out;
}

static void tint_is_the_formula(void **state)
{
    (void)state;
    const double sepia[3] = {decode(0x70 / 255.0), decode(0x42 / 255.0), decode(0x14 / 255.0)};
    for (int deep = 0; deep < 2; deep++) {
        for (int half = 0; half < 2; half++) {
            VipsImage *in = deep ? deep_photo(60, 40) : image_photo(60, 40);
            VipsImage *out = toned("tint", half ? "{color: '#704214', amount: 0.5}" : "{color: '#704214'}", in);
            for (int y = 0; y < 40; y += 3) {
                for (int x = 0; x < 60; x += 3) {
                    double light[3];
                    light_at(in, x, y, light);
                    tint_of(sepia, half ? 0.5 : 1, light);
                    hold(out, x, y, light, deep ? 2 : 0.51);
                }
            }
            g_object_unref(in);
            g_object_unref(out);
        }
    }
}

static void tint_keeps_the_luminance(void **state)
{
    (void)state;
    static const char *const colours[] = {"{color: '#ff0000'}", "{color: '#0000ff'}", "{color: '#000000'}",
                                          "{color: '#ffffff'}", "{color: '#00ffff', amount: 0.3}"};
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        VipsImage *in = deep_photo(60, 40), *out = toned("tint", colours[i], in);
        for (int y = 0; y < 40; y += 3) {
            for (int x = 0; x < 60; x += 3) {
                double before[3], after[3];
                light_at(in, x, y, before);
                light_at(out, x, y, after);
                assert_true(fabs(luminance(after) - luminance(before)) < 0.0001);
            }
        }
        g_object_unref(in);
        g_object_unref(out);
    }
}

static void duotone_is_the_formula(void **state)
{
    (void)state;
    const double dark[3] = {decode(0x1d / 255.0), decode(0x2b / 255.0), decode(0x64 / 255.0)};
    const double light_end[3] = {decode(0xf8 / 255.0), decode(0xcd / 255.0), decode(0xda / 255.0)};
    for (int deep = 0; deep < 2; deep++) {
        VipsImage *in = deep ? deep_photo(60, 40) : image_photo(60, 40);
        VipsImage *out = toned("duotone", "{dark: '#1d2b64', light: '#f8cdda', amount: 0.8}", in);
        for (int y = 0; y < 40; y += 3) {
            for (int x = 0; x < 60; x += 3) {
                double light[3];
                light_at(in, x, y, light);
                double have = luminance(light);
                for (int i = 0; i < 3; i++) {
                    double tone = dark[i] + have * (light_end[i] - dark[i]);
                    light[i] += 0.8 * (tone - light[i]);
                }
                hold(out, x, y, light, deep ? 2 : 0.51);
            }
        }
        g_object_unref(in);
        g_object_unref(out);
    }
}

static void duotone_of_white_and_black_is_the_negative(void **state)
{
    (void)state;
    VipsImage *in = image_flat(8, 8, 1, 255, 0, 0, 255), *out = toned("duotone", "{dark: white, light: black}", in);
    assert_int_equal(out->Bands, 1);
    assert_float_equal(image_at(out, 3, 3, 0), 0, 0);
    g_object_unref(in);
    g_object_unref(out);
}

static void alpha_stays(void **state)
{
    (void)state;
    VipsImage *in = image_alpha(40, 20), *out = toned("tint", "{color: '#704214'}", in);
    assert_int_equal(out->Bands, 4);
    assert_float_equal(image_at(out, 2, 2, 3), 255, 0);
    assert_float_equal(image_at(out, 38, 2, 3), 0, 0);
    g_object_unref(in);
    g_object_unref(out);
}

static void grey_gets_colours_where_there_are_some(void **state)
{
    (void)state;
    for (int bands = 1; bands <= 2; bands++) {
        VipsImage *in = image_flat(16, 16, bands, 100, 0, 0, 90), *out = toned("tint", "{color: '#704214'}", in);
        assert_int_equal(out->Bands, bands + 2);
        if (bands == 2) assert_float_equal(image_at(out, 3, 3, 3), 90, 0);
        g_object_unref(out);
        out = toned("duotone", "{dark: '#202020', light: '#e0e0e0'}", in);
        assert_int_equal(out->Bands, bands);
        if (bands == 2) assert_float_equal(image_at(out, 3, 3, 1), 90, 0);
        g_object_unref(in);
        g_object_unref(out);
    }
}

static uint32_t flags_of(const char *plugin, const char *yaml, int bands)
{
    PmShape shape = {.width = 8,
                     .height = 8,
                     .pages = 1,
                     .bands = bands,
                     .source_width = 8,
                     .source_height = 8,
                     .interpretation = bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB};
    Step *step = step_new(plugin, yaml);
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.need_width, 0); /* it asks nothing of the decoder */
    step_free(step);
    return plan.flags;
}

static void what_changes_nothing_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(flags_of("tint", "{color: red, amount: 0}", 3), PM_SKIP);
    assert_int_equal(flags_of("tint", "{color: red}", 3), 0);
    assert_int_equal(flags_of("tint", "{color: '#808080'}", 1), PM_SKIP);
    assert_int_equal(flags_of("tint", "{color: '#808080'}", 3), 0);
    assert_int_equal(flags_of("duotone", "{dark: black, light: white}", 1), PM_SKIP);
    assert_int_equal(flags_of("duotone", "{dark: black, light: white}", 3), 0);
    assert_int_equal(flags_of("duotone", "{dark: red, light: white, amount: 0}", 3), PM_SKIP);
}

static void colours_are_opaque(void **state)
{
    (void)state;
    assert_null(step_try("tint", "{color: '#ff000080'}"));
    assert_says("must be opaque; `amount` lets the picture's colours through");
    assert_null(step_try("duotone", "{dark: black, light: '#ff000080'}"));
    assert_says("must be opaque");
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tint_is_the_formula),
        cmocka_unit_test(tint_keeps_the_luminance),
        cmocka_unit_test(duotone_is_the_formula),
        cmocka_unit_test(duotone_of_white_and_black_is_the_negative),
        cmocka_unit_test(alpha_stays),
        cmocka_unit_test(grey_gets_colours_where_there_are_some),
        cmocka_unit_test(what_changes_nothing_is_left_out),
        cmocka_unit_test(colours_are_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
