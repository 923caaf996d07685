/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/resample/resampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The source, or what remains after averaging its samples in pairs so often in each direction. */
typedef struct Level {
    int32_t across, down;  /* halvings */
    size_t parent;         /* the level it is made from; that of the source is its own */
    int32_t width, height; /* px */
    size_t stride;         /* floats from row to row */
    int32_t capacity;      /* rows that are kept */
    float *ring;           /* [capacity][stride]; row y is at y % capacity */
    int32_t filled;        /* rows so far */
    bool fresh;            /* the last of them came in this round */
} Level;

typedef struct Target {
    PmResampleTarget spec;
    size_t level;
    PmAxis x, y;
    int32_t done; /* rows written */
    uint8_t *pixels;
} Target;

/* Sizes alone. */
typedef struct Layout {
    Level *levels;
    size_t level_count;
    size_t block;        /* floats: the widest block of rows that are mixed .. */
    size_t result;       /* .. and that of result rows */
    size_t pointers;     /* the most taps of a column */
    int64_t table_bytes; /* of all axes */
} Layout;

struct PmResampler {
    const PmRowsOps *ops;
    PmResampleSource source;
    Layout layout;
    Target *targets;
    size_t target_count;
    float *block, *result, *halved;
    const float **pointers; /* [lanes][layout.pointers] */
    int32_t pushed;         /* source rows */
};

/* ------------------------------------------------------------------ sizes */

static PmAxisSpec axis_x(const PmResampleSource *source, const PmResampleTarget *target)
{
    return (PmAxisSpec){.size = source->width,
                        .halvings = pm_axis_halvings(target->box.width, target->width, target->gap),
                        .from = target->box.left,
                        .extent = target->box.width,
                        .count = target->width,
                        .kernel = target->box.kernel};
}

static PmAxisSpec axis_y(const PmResampleSource *source, const PmResampleTarget *target)
{
    return (PmAxisSpec){.size = source->height,
                        .halvings = pm_axis_halvings(target->box.height, target->height, target->gap),
                        .from = target->box.top,
                        .extent = target->box.height,
                        .count = target->height,
                        .kernel = target->box.kernel};
}

bool pm_resample_valid(const PmResampleSource *source, const PmResampleTarget *targets, size_t count)
{
    if (source->width < 1 || source->height < 1 || source->bands < 1 || source->bands > PM_RESAMPLE_BANDS_MAX)
        return false;
    if (source->alpha && source->bands % 2 != 0) return false;
    for (size_t i = 0; i < count; i++) {
        const PmResampleTarget *target = &targets[i];
        if (!(target->gap >= 1) || target->width < 1 || target->height < 1) return false;
        PmAxisSpec x = axis_x(source, target), y = axis_y(source, target);
        if (!pm_axis_valid(&x) || !pm_axis_valid(&y)) return false;
    }
    return count > 0;
}

/* An odd number of the processor's cache lines: the same place in successive rows would share a line otherwise. */
static size_t stride_of(int32_t width, int32_t bands)
{
    enum { LINE = 16 };
    size_t lines = ((size_t)width * (size_t)bands + PM_ROWS_SLACK + LINE - 1) / LINE;
    return (lines | 1) * LINE;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The level with these halvings, and those that it is made from: across and down at once as far as both go. */
static size_t add_level(Layout *layout, const PmResampleSource *source, int32_t across, int32_t down)
{
    for (size_t i = 0; i < layout->level_count; i++)
        if (layout->levels[i].across == across && layout->levels[i].down == down) return i;
    size_t parent = 0;
    if (across > 0 || down > 0)
        parent = add_level(layout, source, across - (across >= down ? 1 : 0), down - (down >= across ? 1 : 0));
    Level *level = &layout->levels[layout->level_count];
    *level = (Level){.across = across, .down = down, .parent = parent, .capacity = 2};
    level->width = pm_axis_halved(source->width, across);
    level->height = pm_axis_halved(source->height, down);
    level->stride = stride_of(level->width, source->bands);
    return layout->level_count++;
}

/* What a target's block of rows reaches over. */
static int32_t rows_kept(const PmAxisSpec *y, int32_t lanes)
{
    double scale = ldexp(y->extent, -y->halvings) / y->count;
    double rows = pm_axis_taps_max(y) + ceil((lanes - 1) * scale) + 1;
    int32_t length = pm_axis_halved(y->size, y->halvings);
    return rows < length ? (int32_t)rows : length;
}

static int64_t axis_bytes(const PmAxisSpec *spec)
{
    return (int64_t)spec->count * (pm_axis_taps_max(spec) + 1) * (int64_t)sizeof(float);
}

/* False: no memory. */
static bool lay_out(Layout *layout, const PmResampleSource *source, const PmResampleTarget *targets, size_t count,
                    int32_t lanes)
{
    *layout = (Layout){0};
    size_t levels_max = count * 2 * PM_AXIS_HALVINGS_MAX + 1;
    layout->levels = calloc(levels_max, sizeof *layout->levels);
    if (layout->levels == NULL) return false;
    add_level(layout, source, 0, 0);
    for (size_t i = 0; i < count; i++) {
        PmAxisSpec x = axis_x(source, &targets[i]), y = axis_y(source, &targets[i]);
        Level *level = &layout->levels[add_level(layout, source, x.halvings, y.halvings)];
        level->capacity = larger(level->capacity, rows_kept(&y, lanes));
        size_t result = (size_t)targets[i].width * (size_t)source->bands;
        if (level->stride > layout->block) layout->block = level->stride;
        if (result > layout->result) layout->result = result;
        size_t taps = (size_t)pm_axis_taps_max(&y);
        if (taps > layout->pointers) layout->pointers = taps;
        layout->table_bytes += axis_bytes(&x) + axis_bytes(&y);
    }
    layout->block = (layout->block + PM_ROWS_SLACK) * (size_t)lanes;
    layout->result = (layout->result + PM_ROWS_SLACK) * (size_t)lanes;
    layout->pointers *= (size_t)lanes;
    return true;
}

int64_t pm_resample_bytes(const PmResampleSource *source, const PmResampleTarget *targets, size_t count)
{
    Layout layout;
    if (!lay_out(&layout, source, targets, count, PM_ROWS_LANES_MAX)) return INT64_MAX;
    size_t floats = layout.block + layout.result + layout.levels[0].stride;
    for (size_t i = 0; i < layout.level_count; i++)
        floats += (size_t)layout.levels[i].capacity * layout.levels[i].stride;
    int64_t bytes = (int64_t)(floats * sizeof(float) + layout.pointers * sizeof(float *)) + layout.table_bytes;
    free(layout.levels);
    return bytes;
}

/* ------------------------------------------------------------------ making one */

static void *aligned(size_t count, size_t size)
{
    enum { LINE = 64 };
    size_t bytes = (count * size + LINE - 1) / LINE * LINE;
    void *memory = aligned_alloc(LINE, bytes);
    if (memory != NULL) memset(memory, 0, bytes); /* the slack behind a row is read, and its results left out */
    return memory;
}

static bool make_target(PmResampler *resampler, size_t index, const PmResampleTarget *spec)
{
    Target *target = &resampler->targets[index];
    PmAxisSpec x = axis_x(&resampler->source, spec), y = axis_y(&resampler->source, spec);
    target->spec = *spec;
    target->level = add_level(&resampler->layout, &resampler->source, x.halvings, y.halvings);
    bool good = pm_axis_init(&target->x, &x);
    return pm_axis_init(&target->y, &y) && good;
}

PmResampler *pm_resampler_new(const PmResampleSource *source, const PmResampleTarget *targets, size_t count,
                              const PmRowsOps *ops)
{
    if (!pm_resample_valid(source, targets, count)) return NULL;
    PmResampler *resampler = calloc(1, sizeof *resampler);
    if (resampler == NULL) return NULL;
    resampler->ops = ops != NULL ? ops : pm_rows_all()[0];
    resampler->source = *source;
    Layout *layout = &resampler->layout;
    bool good = lay_out(layout, source, targets, count, resampler->ops->lanes);
    resampler->targets = calloc(count + 1, sizeof *resampler->targets);
    if (!good || resampler->targets == NULL) goto failed;
    resampler->target_count = count;
    for (size_t i = 0; i < count; i++) good = make_target(resampler, i, &targets[i]) && good;
    for (size_t i = 0; i < layout->level_count; i++) {
        Level *level = &layout->levels[i];
        level->ring = aligned((size_t)level->capacity * level->stride, sizeof(float));
        good = level->ring != NULL && good;
    }
    resampler->block = aligned(layout->block, sizeof(float));
    resampler->result = aligned(layout->result, sizeof(float));
    resampler->halved = aligned(layout->levels[0].stride, sizeof(float));
    resampler->pointers = calloc(layout->pointers + 1, sizeof *resampler->pointers);
    if (good && resampler->block != NULL && resampler->result != NULL && resampler->halved != NULL &&
        resampler->pointers != NULL)
        return resampler;
failed:
    pm_resampler_free(resampler);
    return NULL;
}

void pm_resampler_free(PmResampler *resampler)
{
    if (resampler == NULL) return;
    for (size_t i = 0; i < resampler->target_count; i++) {
        pm_axis_finish(&resampler->targets[i].x);
        pm_axis_finish(&resampler->targets[i].y);
    }
    for (size_t i = 0; i < resampler->layout.level_count; i++) free(resampler->layout.levels[i].ring);
    free(resampler->layout.levels);
    free(resampler->targets);
    free(resampler->block);
    free(resampler->result);
    free(resampler->halved);
    free(resampler->pointers);
    free(resampler);
}

void pm_resampler_begin(PmResampler *resampler, void *const *pixels)
{
    resampler->pushed = 0;
    for (size_t i = 0; i < resampler->layout.level_count; i++) resampler->layout.levels[i].filled = 0;
    for (size_t i = 0; i < resampler->target_count; i++) {
        resampler->targets[i].done = 0;
        resampler->targets[i].pixels = pixels[i];
    }
}

/* ------------------------------------------------------------------ one pass */

static float *ring_row(const Level *level, int32_t y)
{
    return level->ring + (size_t)(y % level->capacity) * level->stride;
}

static float max_of(const PmResampler *resampler)
{
    return resampler->source.deep ? (float)UINT16_MAX : (float)UINT8_MAX;
}

static void take_row(PmResampler *resampler, const void *samples)
{
    const PmResampleSource *source = &resampler->source;
    Level *level = &resampler->layout.levels[0];
    float *row = ring_row(level, level->filled);
    size_t count = (size_t)source->width * (size_t)source->bands;
    if (source->deep)
        resampler->ops->widen16(samples, row, count);
    else
        resampler->ops->widen8(samples, row, count);
    if (source->alpha) resampler->ops->weigh(row, (size_t)source->width, source->bands, max_of(resampler));
    level->filled++;
    level->fresh = true;
}

/* The next row of a level, when the last one of its parent completes it. */
static void average_row(PmResampler *resampler, Level *level)
{
    const Level *parent = &resampler->layout.levels[level->parent];
    const PmResampleSource *source = &resampler->source;
    int32_t y = parent->filled - 1;
    bool down = level->down > parent->down, across = level->across > parent->across;
    bool odd = y % 2 == 0 && y == parent->height - 1;
    level->fresh = parent->fresh && (!down || y % 2 == 1 || odd);
    if (!level->fresh) return;
    const float *in = ring_row(parent, y);
    float *out = ring_row(level, level->filled++);
    size_t count = (size_t)parent->width * (size_t)source->bands;
    if (down && !odd) {
        float *mixed = across ? resampler->halved : out;
        resampler->ops->halve_down(ring_row(parent, y - 1), in, mixed, count);
        in = mixed;
    }
    if (across)
        resampler->ops->halve_across(in, out, (size_t)parent->width, source->bands);
    else if (in != out)
        memcpy(out, in, count * sizeof *out);
}

static void write_block(PmResampler *resampler, Target *target, int32_t rows)
{
    const PmRowsOps *ops = resampler->ops;
    const PmResampleSource *source = &resampler->source;
    size_t samples = (size_t)target->spec.width * (size_t)source->bands;
    size_t row_bytes = samples * (source->deep ? 2 : 1);
    if (source->alpha) ops->unweigh(resampler->result, (size_t)target->spec.width, source->bands, max_of(resampler));
    void *out[PM_ROWS_LANES_MAX] = {NULL};
    for (int32_t r = 0; r < rows; r++) out[r] = target->pixels + (size_t)(target->done + r) * row_bytes;
    if (source->deep) {
        uint16_t *deep[PM_ROWS_LANES_MAX];
        for (int32_t r = 0; r < PM_ROWS_LANES_MAX; r++) deep[r] = out[r];
        ops->narrow16(resampler->result, samples, deep, rows);
    } else {
        uint8_t *flat[PM_ROWS_LANES_MAX];
        for (int32_t r = 0; r < PM_ROWS_LANES_MAX; r++) flat[r] = out[r];
        ops->narrow8(resampler->result, samples, flat, rows);
    }
    target->done += rows;
}

/* The next `rows` rows of a target. A block is always full: beyond its last row, that one is mixed again. */
static void mix_block(PmResampler *resampler, Target *target, int32_t rows)
{
    const Level *level = &resampler->layout.levels[target->level];
    const PmAxis *x = &target->x, *y = &target->y;
    size_t bands = (size_t)resampler->source.bands;
    int32_t last_column = x->first[x->count - 1] + x->taps;
    PmRowsDown down = {.taps = y->taps,
                       .from = (size_t)x->first[0] * bands,
                       .count = (size_t)(last_column - x->first[0]) * bands,
                       .out = resampler->block};
    for (int32_t r = 0; r < resampler->ops->lanes; r++) {
        int32_t at = target->done + (r < rows ? r : rows - 1);
        const float **pointers = resampler->pointers + (size_t)r * (size_t)y->taps;
        for (int32_t t = 0; t < y->taps; t++) pointers[t] = ring_row(level, y->first[at] + t);
        down.rows[r] = pointers;
        down.weights[r] = y->weights + (size_t)at * (size_t)y->taps;
    }
    resampler->ops->down(&down);
    PmRowsAcross across = {.in = resampler->block,
                           .column = x->first[0],
                           .first = x->first,
                           .weights = x->weights,
                           .taps = x->taps,
                           .count = x->count,
                           .bands = (int32_t)bands,
                           .out = resampler->result};
    resampler->ops->across(&across);
    write_block(resampler, target, rows);
}

/* A block waits for its last row. So no more rows of the source are there than it reaches over, and none is missing. */
static void advance(PmResampler *resampler, Target *target)
{
    const PmAxis *y = &target->y;
    int32_t filled = resampler->layout.levels[target->level].filled;
    while (target->done < y->count) {
        int32_t left = y->count - target->done, rows = resampler->ops->lanes < left ? resampler->ops->lanes : left;
        if (y->first[target->done + rows - 1] + y->taps > filled) return;
        mix_block(resampler, target, rows);
    }
}

void pm_resampler_push(PmResampler *resampler, const void *rows, size_t stride, int32_t count)
{
    const uint8_t *row = rows;
    for (int32_t i = 0; i < count && resampler->pushed < resampler->source.height; i++, row += stride) {
        take_row(resampler, row);
        resampler->pushed++;
        for (size_t l = 1; l < resampler->layout.level_count; l++) average_row(resampler, &resampler->layout.levels[l]);
        for (size_t t = 0; t < resampler->target_count; t++) {
            Target *target = &resampler->targets[t];
            if (resampler->layout.levels[target->level].fresh) advance(resampler, target);
        }
    }
}

bool pm_resampler_complete(const PmResampler *resampler)
{
    for (size_t i = 0; i < resampler->target_count; i++)
        if (resampler->targets[i].done < resampler->targets[i].y.count) return false;
    return true;
}
