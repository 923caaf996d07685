/* SPDX-License-Identifier: Apache-2.0
 *
 * Regions that a step finds, as later steps see them: through crops, bars, turns and shared pictures.
 */
#include "runner.h"

#include <math.h>

#include "engine/regions.h"

/* ------------------------------------------------------------------ arithmetic */

static void assert_region(const PmRegion *region, double left, double top, double width, double height)
{
    const double near = 1e-9;
    if (fabs(region->left - left) > near || fabs(region->top - top) > near || fabs(region->width - width) > near ||
        fabs(region->height - height) > near)
        fail_msg("%g,%g %gx%g instead of %g,%g %gx%g", region->left, region->top, region->width, region->height, left,
                 top, width, height);
}

/* Of a picture of 200x100 px, the lower right eighth of which is the region. */
static void each_way_to_turn(void **state)
{
    (void)state;
    static const struct {
        PmFrame frame;
        double left, top, width, height;
    } cases[] = {
        {{.width = 200, .height = 100}, 0.75, 0.5, 0.25, 0.5},
        {{.left = 100, .width = 100, .height = 100}, 0.5, 0.5, 0.5, 0.5},
        {{.left = -100, .top = -100, .width = 400, .height = 200}, 0.625, 0.75, 0.125, 0.25},
        {{.width = 200, .height = 100, .turns = 1}, 0, 0.75, 0.5, 0.25},
        {{.width = 200, .height = 100, .turns = 2}, 0, 0, 0.25, 0.5},
        {{.width = 200, .height = 100, .turns = 3}, 0.5, 0, 0.5, 0.25},
        {{.width = 200, .height = 100, .mirrored = true}, 0, 0.5, 0.25, 0.5},
        {{.width = 200, .height = 100, .turns = 1, .mirrored = true}, 0.5, 0.75, 0.5, 0.25},
        {{.left = 175, .top = 75, .width = 200, .height = 100}, 0, 0, 0.125, 0.25},
    };
    const PmShape in = {.width = 200, .height = 100, .pages = 1};
    const PmRegion corner = {.left = 0.75, .top = 0.5, .width = 0.25, .height = 0.5, .score = 1};
    PmArena *arena = pm_arena_new();
    PmView whole = pm_view_whole();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count;
        PmView view = pm_view_then(&whole, &cases[i].frame, &in);
        const PmRegionSet *set = pm_regions_add(arena, NULL, &whole, "a", "b", &corner, 1);
        const PmRegion *found = pm_regions_get(arena, set, &view, "a", "b", &count);
        assert_int_equal(count, 1);
        assert_region(found, cases[i].left, cases[i].top, cases[i].width, cases[i].height);
        /* Found there, it lies in the whole picture where it was, but for what was cut off. */
        set = pm_regions_add(arena, NULL, &view, "a", "b", found, 1);
        const PmRegion *home = pm_regions_get(arena, set, &whole, "a", "b", &count);
        assert_int_equal(count, 1);
        if (i + 1 < sizeof cases / sizeof cases[0]) assert_region(home, 0.75, 0.5, 0.25, 0.5);
    }
    pm_arena_free(arena);
}

static void what_is_not_in_the_picture_is_left_out(void **state)
{
    (void)state;
    const PmShape in = {.width = 200, .height = 100, .pages = 1};
    const PmFrame left = {.width = 100, .height = 100};
    const PmRegion two[] = {{.left = 0.6, .width = 0.2, .height = 1, .label = "right"},
                            {.left = 0.4, .width = 0.2, .height = 1, .label = "middle"}};
    PmArena *arena = pm_arena_new();
    PmView whole = pm_view_whole(), half = pm_view_then(&whole, &left, &in);
    size_t count;
    const PmRegionSet *set = pm_regions_add(arena, NULL, &whole, "a", "b", two, 2);
    set = pm_regions_add(arena, set, &whole, "a", "b", two, 0);
    set = pm_regions_add(arena, set, &whole, "a", "other", two, 1);
    const PmRegion *found = pm_regions_get(arena, set, &half, "a", "b", &count);
    assert_int_equal(count, 1);
    assert_string_equal(found->label, "middle");
    assert_region(found, 0.8, 0, 0.2, 1);
    assert_null(pm_regions_get(arena, set, &half, "b", "b", &count));
    assert_int_equal(count, 0);
    pm_arena_free(arena);
}

static void nonsense_is_named(void **state)
{
    (void)state;
    char label[80];
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    static const char *const faults[] = {"no number", "below 0", "score", "score", "label", "label"};
    const PmRegion regions[] = {{.left = NAN, .width = 1, .height = 1},    {.width = -1, .height = 1},
                                {.width = 1, .height = 1, .score = 1.5},   {.width = 1, .height = 1, .score = NAN},
                                {.width = 1, .height = 1, .label = label}, {.width = 1, .height = 1, .label = "\xff"}};
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++)
        assert_non_null(strstr(pm_regions_fault(&regions[i], 1), faults[i]));
    assert_null(pm_regions_fault(NULL, 0));
    const PmFrame frames[] = {{.width = 0, .height = 5},
                              {.width = 5, .height = NAN},
                              {.left = INFINITY, .width = 5, .height = 5},
                              {.width = 5, .height = 5, .turns = 4}};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) assert_non_null(pm_frame_fault(&frames[i]));
}

/* ------------------------------------------------------------------ in a pipeline */

/* `looker` finds the left quarter of the upper half, and `upside` tells where it is in the picture that it is given.
 * `shared` and `own` are steps; own ones end with a comma. */
static char last_logged[512];

static char *spots_after(const char *shared, const char *own)
{
    char *body =
        g_strdup_printf("steps: [ %s ]\noutputs:\n  a: { steps: [ %s { upside: { looks: looker }, name: last }, "
                        "convert: { format: png } ] }\n",
                        shared, own);
    Bytes source = encode(picture(320, 200), ".png");
    Result r = run(body, source);
    assert_ok(&r);
    char *spots = g_strdup(text_of(r.report.facts, "last.spots"));
    g_strlcpy(last_logged, r.logged, sizeof last_logged);
    result_finish(&r);
    g_free(source.data);
    g_free(body);
    return spots;
}

static void regions_follow_through_the_chain(void **state)
{
    (void)state;
    static const char look[] = "looker: { finds: spots, label: face }";
    static const struct {
        const char *own, *spots;
    } cases[] = {
        {"", "face 0,0 0.25x0.5 0.75 "},
        {"{ resize: { width: 160 } },", "face 0,0 0.25x0.5 0.75 "},
        {"{ resize: { width: 160, height: 200, gravity: west } },", "face 0,0 0.5x0.5 0.75 "},
        {"{ resize: { width: 160, height: 200, gravity: east } },", ""},
        {"{ resize: { width: 320, height: 50, gravity: \"0.5,0.3\" } },", "face 0,0 0.25x1 0.75 "},
        {"{ resize: { width: 320, height: 320, fit: contain } },", "face 0,0.1875 0.25x0.3125 0.75 "},
        {"{ resize: { width: 640, enlarge: true } },", "face 0,0 0.25x0.5 0.75 "},
        {"{ upside: {} },", "face 0,0.5 0.25x0.5 0.75 "},
        {"{ upside: {} }, { resize: { width: 80, height: 200, gravity: west } },", "face 0,0.5 1x0.5 0.75 "},
        /* What it was to show is not told. */
        {"{ upside: { silent: true }, name: turns },", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *spots = spots_after(look, cases[i].own);
        if (strcmp(spots, cases[i].spots) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].own, spots, cases[i].spots);
        g_free(spots);
    }
    assert_string_equal(last_logged,
                        "where the regions of looker lie is not known: step turns does not say what of its "
                        "input it shows");
}

static void a_place_that_is_chosen_by_looking_is_followed(void **state)
{
    (void)state;
    char *spots = spots_after("looker: { finds: spots, label: face }",
                              "{ resize: { width: 300, height: 200, gravity: attention } },");
    assert_int_equal(strncmp(spots, "face 0,0 ", 9), 0); /* wherever it cut, less than a quarter of the width is gone */
    g_free(spots);
}

static void none_found_is_not_none_looked_for(void **state)
{
    (void)state;
    char *spots = spots_after("looker: { finds: spots }", "");
    assert_string_equal(spots, "");
    g_free(spots);
    spots = spots_after("looker: { label: face }", "");
    assert_string_equal(spots, "none");
    g_free(spots);
}

static void outputs_share_those_of_the_trunk_only(void **state)
{
    (void)state;
    Bytes source = encode(picture(1280, 800), ".jpg");
    Result r = run("steps: [ looker: { finds: spots, label: all } ]\n"
                   "outputs:\n"
                   "  large: { steps: [ resize: { width: 640 }, { upside: { looks: looker }, name: one } ] }\n"
                   "  small: { steps: [ resize: { width: 64 }, { upside: { looks: looker }, name: two },\n"
                   "                    { looker: { finds: spots, label: own }, name: near },\n"
                   "                    { upside: { looks: near }, name: three } ] }\n"
                   "  other: { steps: [ resize: { width: 32 }, { upside: { looks: near }, name: four } ] }\n",
                   source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "one.spots"), "all 0,0 0.25x0.5 0.75 ");
    assert_string_equal(text_of(r.report.facts, "two.spots"), "all 0,0 0.25x0.5 0.75 ");
    assert_string_equal(text_of(r.report.facts, "three.spots"), "own 0,0 0.25x0.5 0.75 ");
    assert_string_equal(text_of(r.report.facts, "four.spots"), "none");
    result_finish(&r);
    g_free(source.data);
}

static void pages_add_to_each_other(void **state)
{
    (void)state;
    VipsImage *image = picture(60, 120);
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, 40);
    Bytes source = encode(image, ".webp");
    Result r = run("steps: [ looker: { finds: spots, label: p }, { upside: { looks: looker }, name: last } ]\n"
                   "outputs: { a: { steps: [ convert: { format: webp } ] } }\n",
                   source);
    assert_ok(&r);
    assert_string_equal(text_of(r.report.facts, "last.spots"),
                        "p 0,0 0.25x0.5 0.75 p 0,0 0.25x0.5 0.75 p 0,0 0.25x0.5 0.75 ");
    result_finish(&r);
    g_free(source.data);
}

static void a_name_that_is_not_listed_is_a_bug(void **state)
{
    (void)state;
    Bytes source = encode(picture(32, 20), ".png");
    Result r = run("steps: [ looker: { finds: dots, label: x } ]\noutputs: { a: {} }\n", source);
    assert_int_equal(r.status, PM_BUG);
    assert_says(&r.err,
                "test.yaml:3:10: steps: looker: adds the regions dots, which its table of regions does not list");
    result_finish(&r);
    g_free(source.data);
}

/* `pages` pages of side x side px, each unlike the one before: encoders make one of those that look the same. */
static VipsImage *blinking(int side, int pages)
{
    size_t page = (size_t)(side * side), size = page * (size_t)pages;
    unsigned char *grey = g_malloc(size);
    for (int i = 0; i < pages; i++) memset(grey + (size_t)i * page, i % 2 == 0 ? 0 : 255, page);
    VipsImage *image = vips_image_new_from_memory_copy(grey, size, side, side * pages, 1, VIPS_FORMAT_UCHAR);
    assert_non_null(image);
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, side);
    g_free(grey);
    return image;
}

static void a_job_holds_so_many_regions(void **state)
{
    (void)state;
    VipsImage *image = blinking(8, 600);
    Bytes source = encode(image, ".gif");
    Result r =
        run("limits: { frames: 1000 }\nsteps: [ looker: { finds: spots, label: x } ]\noutputs: { a: {} }\n", source);
    assert_int_equal(r.status, PM_LIMIT);
    assert_says(&r.err, "test.yaml:4:10: steps: looker: the steps of one job found more than 1024 regions");
    result_finish(&r);
    g_free(source.data);
}

int main(int argc, char **argv)
{
    (void)argc;
    PmError err = {0};
    if (pm_engine_setup(&err) != PM_OK) return 1;
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_turn),
        cmocka_unit_test(what_is_not_in_the_picture_is_left_out),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(regions_follow_through_the_chain),
        cmocka_unit_test(a_place_that_is_chosen_by_looking_is_followed),
        cmocka_unit_test(none_found_is_not_none_looked_for),
        cmocka_unit_test(outputs_share_those_of_the_trunk_only),
        cmocka_unit_test(pages_add_to_each_other),
        cmocka_unit_test(a_name_that_is_not_listed_is_a_bug),
        cmocka_unit_test(a_job_holds_so_many_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
