/* SPDX-License-Identifier: Apache-2.0
 *
 * The planner with made-up steps: no plugin, no libvips, no pixel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"

/* A step as the tests write it. */
typedef struct Fake {
    int32_t width, height; /* result; 0: as the input */
    int32_t times;         /* needs this many times the result; 0: says nothing (the full input) */
    bool scales;           /* says that it resamples all of its input */
    bool nearest, cuts;    /* ... by taking pixels; ... the upper half only */
    bool passes;           /* says 0: whatever follows needs */
    int32_t need_pages;
    bool one_page; /* makes one page of all */
    uint32_t flags;
    PmStatus status;
    int asked;
    PmShape last; /* the input when last asked */
} Fake;

typedef struct Decoder {
    int32_t width, height, pages; /* what was asked of it */
    bool fine;
    int calls;
    PmShape full;
} Decoder;

static PmStatus ask(void *data, const PmRouteStep *step, const PmShape *in, PmPlan *plan, PmError *err)
{
    (void)data;
    Fake *fake = (Fake *)(uintptr_t)step->step;
    fake->asked++;
    fake->last = *in;
    if (fake->status != PM_OK) return pm_error_set(err, fake->status, "fake");
    plan->flags = fake->flags;
    plan->need_pages = fake->need_pages;
    if (fake->one_page) plan->out.pages = 1;
    if (fake->width > 0) {
        plan->out.width = fake->width;
        plan->out.height = fake->height;
        if (in->width == fake->width && in->height == fake->height) plan->flags |= PM_SKIP;
    }
    if (fake->times > 0) {
        plan->need_width = fake->times * plan->out.width < in->width ? fake->times * plan->out.width : in->width;
        plan->need_height = fake->times * plan->out.height < in->height ? fake->times * plan->out.height : in->height;
    }
    if (fake->scales) plan->resample = (PmResample){0, 0, in->width, in->height, PM_KERNEL_LANCZOS3, 0};
    if (fake->nearest) plan->resample.kernel = PM_KERNEL_NEAREST;
    if (fake->cuts) plan->resample.height = in->height / 2.0;
    if (fake->passes) plan->need_width = plan->need_height = 0;
    if (step->kind == PM_STEP_ENCODE) plan->format = plan->extension = plan->mime = "x";
    return PM_OK;
}

/* A decoder that halves, like JPEG's. */
static PmShape load(void *data, int32_t width, int32_t height, int32_t pages, bool fine)
{
    Decoder *decoder = data;
    decoder->calls++;
    decoder->width = width;
    decoder->height = height;
    decoder->pages = pages;
    decoder->fine = fine;
    PmShape shape = decoder->full;
    for (int shrink = 8; shrink > 1; shrink /= 2)
        if (decoder->full.width / shrink >= width && decoder->full.height / shrink >= height) {
            shape.width /= shrink;
            shape.height /= shrink;
            break;
        }
    if (pages == 1) shape.pages = 1;
    return shape;
}

enum { STEPS_MAX = 6, OUTPUTS_MAX = 6 };

typedef struct Bench {
    PmRoute route;
    PmRouteStep trunk[STEPS_MAX], steps[OUTPUTS_MAX][STEPS_MAX];
    PmRouteOutput outputs[OUTPUTS_MAX];
    Decoder decoder;
    Fake encoder;
} Bench;

static void begin(Bench *bench, int32_t width, int32_t height, int32_t pages)
{
    memset(bench, 0, sizeof *bench);
    bench->route.source = (PmShape){.width = width,
                                    .height = height,
                                    .pages = pages,
                                    .bands = 3,
                                    .source_width = width,
                                    .source_height = height,
                                    .orientation = 1};
    bench->decoder.full = bench->route.source;
    bench->route.one_pass_off = "the test is of forks";
    bench->route.trunk = bench->trunk;
    bench->route.outputs = bench->outputs;
}

static void add_trunk(Bench *bench, PmStepKind kind, Fake *fake)
{
    bench->trunk[bench->route.trunk_count++] = (PmRouteStep){.step = fake, .kind = kind};
}

static PmRouteOutput *add_output(Bench *bench, const char *name)
{
    size_t i = bench->route.output_count++;
    bench->outputs[i] = (PmRouteOutput){.name = name, .where = name, .steps = bench->steps[i]};
    return &bench->outputs[i];
}

static PmRouteStep *add_step(PmRouteOutput *output, PmStepKind kind, Fake *fake)
{
    PmRouteStep *step = &output->steps[output->count++];
    *step = (PmRouteStep){.step = fake, .kind = kind};
    return step;
}

static void add_rendition(Bench *bench, const char *name, Fake *resize)
{
    PmRouteOutput *output = add_output(bench, name);
    add_step(output, PM_STEP_APPLY, resize);
    add_step(output, PM_STEP_ENCODE, &bench->encoder);
}

static PmStatus plan(Bench *bench)
{
    PmPlanner planner = {.data = &bench->decoder, .ask = ask, .load = load};
    PmError err = {0};
    return pm_route_plan(&bench->route, &planner, &err);
}

/* ------------------------------------------------------------------ demand */

static void a_small_rendition_lets_the_decoder_shrink(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake resize = {.width = 400, .height = 300, .times = 2, .scales = true};
    add_rendition(&b, "thumb", &resize);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 800);
    assert_int_equal(b.route.demand_height, 600);
    assert_int_equal(b.route.loaded.width, 1000);
    /* Asked for the header, then for what was loaded, with the full size told. */
    assert_int_equal(resize.asked, 2);
    assert_int_equal(resize.last.width, 1000);
    assert_int_equal(resize.last.source_width, 4000);
    assert_int_equal(resize.last.source_height, 3000);
    assert_int_equal(b.steps[0][0].full_in.width, 4000);
    assert_int_equal(b.steps[0][0].in.width, 1000);
    assert_int_equal(b.steps[0][1].in.width, 400);
    assert_false(b.route.share_trunk);
}

/* The decoder hears of it where a step asks for more than it makes, of whichever output. */
static void pixels_for_quality_are_told_apart(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake exact = {.width = 800, .height = 600, .times = 1, .scales = true},
         more = {.width = 200, .height = 150, .times = 2};
    Fake strip = {.passes = true};
    add_trunk(&b, PM_STEP_APPLY, &strip);
    add_rendition(&b, "exact", &exact);
    assert_int_equal(plan(&b), PM_OK);
    assert_false(b.decoder.fine);
    add_rendition(&b, "more", &more);
    assert_int_equal(plan(&b), PM_OK);
    assert_true(b.decoder.fine);
    assert_false(b.outputs[0].demand_fine);
    assert_true(b.outputs[1].demand_fine);
    b.outputs[1].runs = PM_RUNS_NO;
    assert_int_equal(plan(&b), PM_OK);
    assert_false(b.decoder.fine);
}

static void without_a_resize_all_is_needed(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake mark = {.passes = true};
    PmRouteOutput *output = add_output(&b, "whole");
    add_step(output, PM_STEP_APPLY, &mark);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 4000);
    assert_int_equal(b.route.loaded.width, 4000);
}

static void a_step_that_says_nothing_needs_its_full_input(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake blur = {0}, resize = {.width = 400, .height = 300, .times = 1};
    PmRouteOutput *output = add_output(&b, "thumb");
    add_step(output, PM_STEP_APPLY, &blur);
    add_step(output, PM_STEP_APPLY, &resize);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 4000);
    /* After the resize, the blur sees the small picture: then only that is needed. */
    output->steps[0].step = &resize;
    output->steps[1].step = &blur;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 400);
}

static void demand_passes_through_steps_that_do_not_care(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake strip = {.passes = true}, half = {.width = 2000, .height = 1500, .passes = true},
         resize = {.width = 400, .height = 300, .times = 2};
    add_trunk(&b, PM_STEP_APPLY, &strip);
    PmRouteOutput *output = add_output(&b, "thumb");
    add_step(output, PM_STEP_APPLY, &half);
    add_step(output, PM_STEP_APPLY, &resize);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    /* 800 wanted of the half-size picture is 1600 of the whole. */
    assert_int_equal(b.route.demand_width, 1600);
    assert_int_equal(b.route.demand_height, 1200);
}

static void the_largest_demand_wins_on_each_side(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake wide = {.width = 900, .height = 100, .times = 1}, tall = {.width = 100, .height = 700, .times = 1};
    add_rendition(&b, "wide", &wide);
    add_rendition(&b, "tall", &tall);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 900);
    assert_int_equal(b.route.demand_height, 700);
    assert_int_equal(b.route.loaded.width, 1000);
    assert_int_equal(b.route.trunk_users, 2);
    assert_true(b.route.share_trunk);
}

static void an_inspector_adds_its_own_demand(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake look = {.width = 224, .height = 224, .times = 1}, resize = {.width = 100, .height = 75, .times = 1};
    add_trunk(&b, PM_STEP_INSPECT, &look);
    add_rendition(&b, "thumb", &resize);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 224);
    assert_int_equal(b.route.demand_height, 224);
    /* What an inspector plans as its result is of no account. */
    assert_int_equal(b.trunk[0].out.width, b.trunk[0].in.width);
}

static void skipped_steps_and_outputs_demand_nothing(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake noop = {.flags = PM_SKIP}, resize = {.width = 400, .height = 300, .times = 1}, off = {0};
    PmRouteOutput *output = add_output(&b, "thumb");
    add_step(output, PM_STEP_APPLY, &noop);
    add_step(output, PM_STEP_APPLY, &off)->runs = PM_RUNS_NO;
    add_step(output, PM_STEP_APPLY, &resize);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    Fake big = {.width = 3900, .height = 2900, .times = 1};
    add_rendition(&b, "big", &big);
    b.outputs[1].runs = PM_RUNS_NO;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_width, 400);
    assert_int_equal(off.asked, 0);
    assert_int_equal(big.asked, 0);
    assert_int_equal(b.route.trunk_users, 1);
}

static void what_may_be_left_out_needs_the_full_input(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake resize = {.width = 400, .height = 300, .times = 1, .scales = true};
    add_rendition(&b, "thumb", &resize);
    b.steps[0][0].runs = PM_RUNS_MAYBE;
    Fake small = {.width = 100, .height = 75, .times = 2, .scales = true};
    add_rendition(&b, "small", &small);
    assert_int_equal(plan(&b), PM_OK);
    /* Left out, the next step is handed the whole picture. */
    assert_int_equal(b.route.demand_width, 4000);
    /* And nobody may rely on a picture that may not come about. */
    assert_int_equal(b.outputs[1].from, PM_FROM_TRUNK);
}

static void a_failing_plan_ends_planning(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake resize = {.status = PM_BAD_INPUT};
    add_rendition(&b, "thumb", &resize);
    assert_int_equal(plan(&b), PM_BAD_INPUT);
    assert_int_equal(b.decoder.calls, 0);
}

static void nothing_to_do_is_fine(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.trunk_users, 0);
    assert_int_equal(b.route.memory_bytes, 0);
}

/* ------------------------------------------------------------------ forks */

/* Each rendition needs twice its size, so it starts from the nearest one at least twice as large. */
static void renditions_start_from_the_nearest_larger_one(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake sizes[5] = {{.width = 160, .height = 120},
                     {.width = 2048, .height = 1536},
                     {.width = 640, .height = 480},
                     {.width = 1280, .height = 960},
                     {.width = 320, .height = 240}};
    const char *names[] = {"160", "2048", "640", "1280", "320"};
    for (size_t i = 0; i < 5; i++) {
        sizes[i].times = 2;
        sizes[i].scales = true;
        add_rendition(&b, names[i], &sizes[i]);
    }
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[1].from, PM_FROM_TRUNK);
    assert_int_equal(b.outputs[3].from, PM_FROM_TRUNK);
    assert_int_equal(b.outputs[2].from, 3);
    assert_int_equal(b.outputs[4].from, 2);
    assert_int_equal(b.outputs[0].from, 4);
    assert_int_equal(b.route.trunk_users, 2);
    assert_true(b.route.share_trunk);
    assert_int_equal(b.outputs[3].fork_users, 1);
    assert_int_equal(b.outputs[0].fork_users, 0);
    /* Planned for what it starts from, told the full size. */
    assert_int_equal(sizes[0].last.width, 320);
    assert_int_equal(sizes[0].last.source_width, 4000);
    int64_t expected = (4000LL * 3000 + 1280 * 960 + 640 * 480 + 320 * 240) * 3;
    assert_int_equal(b.route.memory_bytes, expected);
}

static void one_user_of_the_trunk_streams(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake large = {.width = 1000, .height = 750, .times = 2, .scales = true},
         small = {.width = 100, .height = 75, .times = 2, .scales = true};
    add_rendition(&b, "small", &small);
    add_rendition(&b, "large", &large);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[0].from, 1);
    assert_int_equal(b.route.trunk_users, 1);
    assert_false(b.route.share_trunk);
    assert_int_equal(b.route.memory_bytes, 1000 * 750 * 3);
}

static void equal_renditions_do_not_wait_for_each_other(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake one = {.width = 400, .height = 300, .times = 1, .scales = true}, two = one;
    add_rendition(&b, "one", &one);
    add_rendition(&b, "two", &two);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[0].from, PM_FROM_TRUNK);
    assert_int_equal(b.outputs[1].from, 0);
    /* Its own step has nothing left to do, so it makes no picture that others could start from. */
    assert_int_equal(b.outputs[1].fork, PM_NO_FORK);
}

static void only_the_same_picture_is_shared(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake square = {.width = 1000, .height = 1000, .times = 1, .scales = true}, /* stretched */
        marked = {.passes = true}, large = {.width = 2000, .height = 1500, .times = 1, .scales = true},
         cropped = {.width = 1200, .height = 900, .times = 1}, /* says nothing of a resample */
        small = {.width = 100, .height = 75, .times = 1, .scales = true};
    add_rendition(&b, "square", &square);
    PmRouteOutput *output = add_output(&b, "marked");
    add_step(output, PM_STEP_APPLY, &marked);
    add_step(output, PM_STEP_APPLY, &large);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    add_rendition(&b, "cropped", &cropped);
    add_rendition(&b, "small", &small);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[1].fork, PM_NO_FORK);
    assert_int_equal(b.outputs[2].fork, PM_NO_FORK);
    assert_int_equal(b.outputs[3].from, PM_FROM_TRUNK);
}

static void neither_a_part_nor_picked_pixels_are_shared(void **state)
{
    (void)state;
    Fake kinds[] = {{.nearest = true}, {.cuts = true}, {0}};
    for (size_t i = 0; i < 3; i++) {
        Bench b;
        begin(&b, 4000, 3000, 1);
        Fake large = kinds[i], small = {.width = 100, .height = 75, .times = 1, .scales = true};
        large.width = 1500, large.height = 1125, large.times = 1, large.scales = true;
        add_rendition(&b, "large", &large);
        add_rendition(&b, "small", &small);
        assert_int_equal(plan(&b), PM_OK);
        assert_int_equal(b.outputs[1].from, i < 2 ? PM_FROM_TRUNK : 0);
    }
}

static void rounding_does_not_make_another_picture(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 2725, 2225, 1);
    Fake large = {.width = 1280, .height = 1045, .times = 2, .scales = true},
         small = {.width = 101, .height = 82, .times = 2, .scales = true};
    add_rendition(&b, "large", &large);
    add_rendition(&b, "small", &small);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[1].from, 0);
}

static void steps_after_the_fork_do_not_matter(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake large = {.width = 1800, .height = 1350, .times = 1, .scales = true}, mark = {.passes = true},
         thumb = {.width = 300, .height = 300, .times = 3};
    PmRouteOutput *output = add_output(&b, "large");
    add_step(output, PM_STEP_APPLY, &large);
    add_step(output, PM_STEP_APPLY, &mark);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    add_rendition(&b, "thumb", &thumb);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[0].fork, 0);
    assert_int_equal(b.outputs[1].from, 0);
    assert_int_equal(thumb.last.width, 1800);
}

static void an_inspector_before_the_resize_keeps_the_picture_private(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake look = {.passes = true}, large = {.width = 2000, .height = 1500, .times = 1, .scales = true},
         small = {.width = 100, .height = 75, .times = 1, .scales = true};
    PmRouteOutput *output = add_output(&b, "large");
    add_step(output, PM_STEP_INSPECT, &look); /* it may have the picture blurred */
    add_step(output, PM_STEP_APPLY, &large);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    add_rendition(&b, "small", &small);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[1].from, PM_FROM_TRUNK);
}

/* ------------------------------------------------------------------ pages */

static void stills_take_the_first_page(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 400, 300, 12);
    Fake resize = {.width = 100, .height = 75, .times = 2, .scales = true};
    add_rendition(&b, "still", &resize);
    b.encoder.need_pages = 1;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_pages, 1);
    assert_int_equal(b.route.loaded.pages, 1);
    assert_int_equal(b.steps[0][0].in.pages, 1);
    assert_int_equal(b.steps[0][1].out.pages, 1);
}

static void one_animated_output_keeps_all_pages_for_itself(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 400, 300, 12);
    Fake still = {.width = 100, .height = 75, .times = 2, .scales = true},
         moving = {.width = 200, .height = 150, .times = 2, .scales = true}, all = {0};
    add_rendition(&b, "still", &still);
    add_rendition(&b, "moving", &moving);
    b.encoder.need_pages = 1;
    b.steps[1][1].step = &all;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.demand_pages, 0);
    assert_int_equal(b.route.loaded.pages, 12);
    assert_int_equal(b.steps[0][0].in.pages, 1);
    assert_int_equal(b.steps[1][0].in.pages, 12);
    /* A fork of all pages serves an output that takes the first. */
    assert_int_equal(b.outputs[0].from, 1);
}

static void a_one_page_fork_does_not_serve_an_animation(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 12);
    Fake still = {.width = 2000, .height = 1500, .times = 1, .scales = true},
         moving = {.width = 200, .height = 150, .times = 1, .scales = true}, all = {0};
    add_rendition(&b, "still", &still);
    add_rendition(&b, "moving", &moving);
    b.encoder.need_pages = 1;
    b.steps[1][1].step = &all;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.outputs[1].from, PM_FROM_TRUNK);
}

static void an_inspector_of_all_pages_has_them_loaded(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 400, 300, 12);
    Fake look = {.passes = true}, resize = {.width = 100, .height = 75, .times = 2};
    add_trunk(&b, PM_STEP_INSPECT, &look);
    add_rendition(&b, "still", &resize);
    b.encoder.need_pages = 1;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.loaded.pages, 12);
    assert_int_equal(b.steps[0][0].in.pages, 1);
    look.need_pages = 1;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.loaded.pages, 1);
}

/* The still that it is made into needs one page; which one it is, the step knows. */
static void a_step_that_chooses_a_page_has_them_all_loaded(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 400, 300, 12);
    Fake choose = {.one_page = true, .passes = true, .flags = PM_ALL_PAGES};
    add_rendition(&b, "poster", &choose);
    b.encoder.need_pages = 1;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.loaded.pages, 12);
    assert_int_equal(b.steps[0][0].in.pages, 12);
    assert_int_equal(b.steps[0][1].in.pages, 1);

    begin(&b, 400, 300, 12); /* and behind another step, which is not about pages */
    Fake resize = {.width = 100, .height = 75, .times = 2, .scales = true};
    PmRouteOutput *output = add_output(&b, "small poster");
    add_step(output, PM_STEP_APPLY, &resize);
    add_step(output, PM_STEP_APPLY, &choose);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    b.encoder.need_pages = 1;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.loaded.pages, 12);
    assert_int_equal(b.steps[0][0].in.pages, 12);
}

/* ------------------------------------------------------------------ memory */

static void random_steps_are_counted(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake turn = {.flags = PM_RANDOM};
    PmRouteOutput *output = add_output(&b, "turned");
    add_step(output, PM_STEP_APPLY, &turn);
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.memory_bytes, 4000 * 3000 * 3);
    turn.flags |= PM_SKIP;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(b.route.memory_bytes, 0);
}

static void inspected_pictures_that_wait_are_counted(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake half = {.width = 2000, .height = 1500, .times = 1}, look = {.passes = true}, turn = {.flags = PM_RANDOM};
    PmRouteOutput *first = add_output(&b, "first"), *second = add_output(&b, "second");
    add_step(first, PM_STEP_APPLY, &half);
    add_step(first, PM_STEP_INSPECT, &look);
    add_step(first, PM_STEP_ENCODE, &b.encoder);
    add_step(second, PM_STEP_APPLY, &turn);
    PmRouteStep *looks = add_step(second, PM_STEP_INSPECT, &look);
    add_step(second, PM_STEP_APPLY, &half);
    add_step(second, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(first->inspected, 2);
    assert_int_equal(second->inspected, 2);
    int64_t whole = 4000LL * 3000 * 3, halved = 2000LL * 1500 * 3;
    /* The trunk for both, what each inspector saw, and the input of the step that reads at random. */
    assert_int_equal(b.route.memory_bytes, whole + halved + whole + whole);
    looks->runs = PM_RUNS_NO;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(second->inspected, 0);
    assert_int_equal(b.route.memory_bytes, whole + halved + whole);
    look.flags = PM_NO_PIXELS;
    assert_int_equal(plan(&b), PM_OK);
    assert_int_equal(first->inspected, 2);
    assert_int_equal(b.route.memory_bytes, whole + whole);
}

/* ------------------------------------------------------------------ one pass */

static void begin_one_pass(Bench *bench)
{
    begin(bench, 4000, 3000, 1);
    bench->route.one_pass_off = NULL;
}

static void scaled_outputs_take_one_pass(void **state)
{
    (void)state;
    Bench b;
    begin_one_pass(&b);
    Fake skipped = {.flags = PM_SKIP}, large = {.width = 2000, .height = 1500, .times = 2, .scales = true},
         half = {.width = 800, .height = 300, .times = 2, .scales = true, .cuts = true}, off = {0};
    add_rendition(&b, "large", &large);
    PmRouteOutput *part = add_output(&b, "part");
    add_step(part, PM_STEP_APPLY, &skipped);
    add_step(part, PM_STEP_APPLY, &half);
    add_step(part, PM_STEP_ENCODE, &b.encoder);
    add_rendition(&b, "off", &off);
    b.outputs[2].runs = PM_RUNS_NO;
    assert_int_equal(plan(&b), PM_OK);
    assert_true(b.route.one_pass);
    assert_false(b.route.share_trunk);
    assert_int_equal(b.route.trunk_users, 2);
    assert_int_equal(b.outputs[0].resample, 0);
    assert_int_equal(b.outputs[1].resample, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_null(b.outputs[i].not_one_pass);
        assert_int_equal(b.outputs[i].from, PM_FROM_TRUNK);
        assert_int_equal(b.outputs[i].fork, PM_NO_FORK);
        assert_int_equal(b.outputs[i].fork_users, 0);
    }
    /* Both results and the rows under the kernels; not the 36 MB of the picture. */
    assert_in_range(b.route.memory_bytes, 2000 * 1500 * 3 + 800 * 300 * 3, 20 * 1000 * 1000);
}

static void equal_results_are_held_once(void **state)
{
    (void)state;
    Bench b;
    begin_one_pass(&b);
    Fake size = {.width = 2000, .height = 1500, .times = 2, .scales = true};
    add_rendition(&b, "jpeg", &size);
    assert_int_equal(plan(&b), PM_OK);
    int64_t one = b.route.memory_bytes;
    add_rendition(&b, "webp", &size);
    add_rendition(&b, "avif", &size);
    assert_int_equal(plan(&b), PM_OK);
    assert_true(b.route.one_pass);
    assert_int_equal(b.route.memory_bytes, one);
}

/* What `second` does keeps both outputs from one pass; the first is told that it is because of the other. */
static void left_to_libvips(Fake *second, PmStepKind kind, PmRuns runs, const char *why)
{
    Bench b;
    begin_one_pass(&b);
    Fake size = {.width = 400, .height = 300, .times = 1, .scales = true};
    add_rendition(&b, "first", &size);
    PmRouteOutput *output = add_output(&b, "second");
    add_step(output, kind, second)->runs = runs;
    add_step(output, PM_STEP_ENCODE, &b.encoder);
    assert_int_equal(plan(&b), PM_OK);
    assert_false(b.route.one_pass);
    assert_string_equal(output->not_one_pass, why);
    assert_string_equal(b.outputs[0].not_one_pass,
                        "another output needs the picture itself, so it is held in memory anyway");
    output->runs = PM_RUNS_NO; /* without it there is one pass */
    assert_int_equal(plan(&b), PM_OK);
    assert_true(b.route.one_pass);
}

static void what_is_left_to_libvips(void **state)
{
    (void)state;
    Fake marks = {.passes = true}, looks = {.width = 100, .height = 100, .times = 1}, skips = {.flags = PM_SKIP};
    Fake scales = {.width = 400, .height = 300, .times = 1, .scales = true}, nearest = scales, larger = scales;
    nearest.nearest = true;
    larger.width = 5000;
    larger.height = 3750;
    larger.times = 0;
    left_to_libvips(&marks, PM_STEP_APPLY, PM_RUNS_YES,
                    "the first step that changes the picture does more than crop and scale");
    left_to_libvips(&nearest, PM_STEP_APPLY, PM_RUNS_YES, "kernel nearest takes pixels as they are");
    left_to_libvips(&larger, PM_STEP_APPLY, PM_RUNS_YES, "it is enlarged");
    left_to_libvips(&looks, PM_STEP_INSPECT, PM_RUNS_YES, "an inspector sees the picture before it is scaled");
    left_to_libvips(&scales, PM_STEP_APPLY, PM_RUNS_MAYBE,
                    "whether its first step runs depends on a fact that is not known yet");
    left_to_libvips(&skips, PM_STEP_APPLY, PM_RUNS_YES, "it is not scaled");
}

static void samples_that_are_left_to_libvips(void **state)
{
    (void)state;
    static const struct {
        int32_t format, interpretation, bands;
        bool alpha;
        const char *why;
    } kinds[] = {
        {6, 28, 3, false, "its samples have neither 8 nor 16 bits"},            /* float, scRGB */
        {2, 22, 3, false, "its samples are not those of its colour space"},     /* ushort, sRGB */
        {0, 25, 3, false, "its samples are not those of its colour space"},     /* uchar, RGB16 */
        {0, 22, 5, false, "it has more channels than colour and transparency"}, /* sRGB and two more */
        {0, 22, 3, true, "it has more channels than colour and transparency"},
        {2, 25, 4, true, NULL}, /* ushort, RGB16 */
        {2, 26, 2, true, NULL}, /* ushort, GREY16 */
        {0, 1, 1, false, NULL}, /* uchar, B_W */
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        Bench b;
        begin_one_pass(&b);
        PmShape *shape = &b.decoder.full;
        shape->band_format = kinds[i].format;
        shape->interpretation = kinds[i].interpretation;
        shape->bands = kinds[i].bands;
        shape->has_alpha = kinds[i].alpha;
        Fake size = {.width = 400, .height = 300, .times = 1, .scales = true};
        add_rendition(&b, "first", &size);
        assert_int_equal(plan(&b), PM_OK);
        if (kinds[i].why == NULL)
            assert_null(b.outputs[0].not_one_pass);
        else
            assert_string_equal(b.outputs[0].not_one_pass, kinds[i].why);
    }
}

static void many_large_results_are_not_held_at_once(void **state)
{
    (void)state;
    Bench b;
    begin_one_pass(&b);
    Fake sizes[5];
    for (size_t i = 0; i < 5; i++) {
        sizes[i] = (Fake){.width = 3000 + (int32_t)i, .height = 2250, .times = 1, .scales = true};
        add_rendition(&b, "large", &sizes[i]);
    }
    assert_int_equal(plan(&b), PM_OK);
    assert_false(b.route.one_pass);
    assert_string_equal(b.outputs[0].not_one_pass, "all results together take more memory than the picture");
}

static void planning_twice_gives_the_same(void **state)
{
    (void)state;
    Bench b;
    begin(&b, 4000, 3000, 1);
    Fake large = {.width = 1000, .height = 750, .times = 2, .scales = true},
         small = {.width = 100, .height = 75, .times = 2, .scales = true};
    add_rendition(&b, "small", &small);
    add_rendition(&b, "large", &large);
    assert_int_equal(plan(&b), PM_OK);
    PmRoute before = b.route;
    PmRouteOutput outputs[2] = {b.outputs[0], b.outputs[1]};
    assert_int_equal(plan(&b), PM_OK);
    assert_memory_equal(&before, &b.route, sizeof before);
    assert_memory_equal(outputs, b.outputs, sizeof outputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_rendition_lets_the_decoder_shrink),
        cmocka_unit_test(pixels_for_quality_are_told_apart),
        cmocka_unit_test(without_a_resize_all_is_needed),
        cmocka_unit_test(a_step_that_says_nothing_needs_its_full_input),
        cmocka_unit_test(demand_passes_through_steps_that_do_not_care),
        cmocka_unit_test(the_largest_demand_wins_on_each_side),
        cmocka_unit_test(an_inspector_adds_its_own_demand),
        cmocka_unit_test(skipped_steps_and_outputs_demand_nothing),
        cmocka_unit_test(what_may_be_left_out_needs_the_full_input),
        cmocka_unit_test(a_failing_plan_ends_planning),
        cmocka_unit_test(nothing_to_do_is_fine),
        cmocka_unit_test(renditions_start_from_the_nearest_larger_one),
        cmocka_unit_test(one_user_of_the_trunk_streams),
        cmocka_unit_test(equal_renditions_do_not_wait_for_each_other),
        cmocka_unit_test(only_the_same_picture_is_shared),
        cmocka_unit_test(neither_a_part_nor_picked_pixels_are_shared),
        cmocka_unit_test(rounding_does_not_make_another_picture),
        cmocka_unit_test(steps_after_the_fork_do_not_matter),
        cmocka_unit_test(an_inspector_before_the_resize_keeps_the_picture_private),
        cmocka_unit_test(stills_take_the_first_page),
        cmocka_unit_test(one_animated_output_keeps_all_pages_for_itself),
        cmocka_unit_test(a_one_page_fork_does_not_serve_an_animation),
        cmocka_unit_test(an_inspector_of_all_pages_has_them_loaded),
        cmocka_unit_test(a_step_that_chooses_a_page_has_them_all_loaded),
        cmocka_unit_test(random_steps_are_counted),
        cmocka_unit_test(inspected_pictures_that_wait_are_counted),
        cmocka_unit_test(scaled_outputs_take_one_pass),
        cmocka_unit_test(equal_results_are_held_once),
        cmocka_unit_test(what_is_left_to_libvips),
        cmocka_unit_test(samples_that_are_left_to_libvips),
        cmocka_unit_test(many_large_results_are_not_held_at_once),
        cmocka_unit_test(planning_twice_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
