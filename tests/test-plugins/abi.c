/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins of other ABI versions, all built from the frozen header. AGE says which:
 *   first  exactly 1.0
 *   short  older than the host: its structs end before the members that are not required
 *   long   newer than the host in the same minor version: its structs have tails that the host does not know
 * Each crops its input to `width`, so that a parameter, plan and pixels all pass through the boundary.
 */
#include "first_abi.h"

int vips_extract_area(VipsImage *in, VipsImage **out, int left, int top, int width, int height, ...);
int vips_image_get_width(const VipsImage *image);
int vips_image_get_height(const VipsImage *image);

#define TEXT_(a) #a
#define TEXT(a)  TEXT_(a)

typedef struct Config {
    int64_t width;
    int32_t mode;
} Config;

/* --- entries of each length --- */

#if defined(AGE_short)
typedef struct Param { /* up to max: no choices, unit or doc */
    const char *name;
    uint32_t type, flags;
    uint64_t offset;
    const char *def;
    double min, max;
} Param;
#elif defined(AGE_long)
typedef struct Param {
    FirstParam first;
    const char *see_also;
    uint64_t tail[3];
} Param;
#else
typedef FirstParam Param;
#endif

#if defined(AGE_long)
static const char *const modes[] = {"fast", "best", 0};
static const Param params[] = {
    {.first = {.name = "width", .type = FIRST_INT, .offset = 0, .def = "7", .min = 1, .max = 100, .doc = "Width."},
     .see_also = "height",
     .tail = {~0ull, ~0ull, ~0ull}},
    {.first = {.name = "mode", .type = FIRST_ENUM, .offset = 8, .def = "best", .choices = modes, .doc = "Mode."},
     .see_also = "quality",
     .tail = {~0ull, ~0ull, ~0ull}},
};
#elif defined(AGE_first)
static const char *const modes[] = {"fast", "best", 0};
static const Param params[] = {
    {.name = "width", .type = FIRST_INT, .offset = 0, .def = "7", .min = 1, .max = 100, .doc = "Width."},
    {.name = "mode", .type = FIRST_ENUM, .offset = 8, .def = "best", .choices = modes, .doc = "Mode."},
};
#else
static const Param params[] = {
    {.name = "width", .type = FIRST_INT, .offset = 0, .def = "7", .min = 1, .max = 100},
    {.name = "mode", .type = FIRST_INT, .offset = 16, .def = "1"},
};
#endif

typedef struct State {
    const FirstHost *host;
    const Config *config;
} State;
static State state;

static int create(const FirstHost *host, FirstJob *job, const void *config, void **self)
{
    (void)job;
    state = (State){host, config};
    *self = &state;
    return host->size >= sizeof(FirstHost) ? FIRST_OK : FIRST_BUG;
}

static int plan(void *self, FirstJob *job, const FirstShape *in, FirstPlan *out)
{
    const State *s = self;
    (void)job;
    if (s->config->width < in->width) out->out.width = (int32_t)s->config->width;
    return FIRST_OK;
}

static int apply(void *self, FirstJob *job, const FirstShape *shape, VipsImage *in, VipsImage **out)
{
    const State *s = self;
    int width = vips_image_get_width(in);
    if (shape->width != width || shape->source_width < width) return s->host->fail(job, FIRST_BUG, "not the shape");
    if (s->config->width < width) width = (int)s->config->width;
    if (vips_extract_area(in, out, 0, 0, width, vips_image_get_height(in), (void *)0) == 0) return FIRST_OK;
    return s->host->fail(job, FIRST_BUG, "cannot crop");
}

#if defined(AGE_long)
typedef struct Transform {
    FirstTransform first;
    void (*reload)(void);
    uint64_t tail[4];
} Transform;
static const Transform transform = {
    .first =
#else
static const FirstTransform transform =
#endif
        {
            .name = "abi-" TEXT(AGE),
            .summary = "Crops to a width.",
            .params = params,
            .param_size = sizeof(Param),
            .param_count = sizeof params / sizeof params[0],
            .config_size = 24,
            .create = create,
            .plan = plan,
            .apply = apply,
#if defined(AGE_short)
            /* Beyond its own end: the host must not look. */
            .mime_types = (const char *const *)1,
            .facts = (const char *const *)1,
            .shorthand = (const char *const *)1,
#endif
#if defined(AGE_long)
        },
    .reload = (void (*)(void))1,
    .tail = {~0ull, ~0ull, ~0ull, ~0ull},
};
#else
    };
#endif

#if defined(AGE_long)
typedef struct Plugin {
    FirstPlugin first;
    uint64_t tail[8];
} Plugin;
#else
typedef FirstPlugin Plugin;
#endif

__attribute__((visibility("default"))) const void *pixmill_plugin(void);
const void *pixmill_plugin(void)
{
#if defined(AGE_long)
    static const Plugin plugin = {
        .first = {.magic = FIRST_MAGIC,
                  .abi_major = 1,
                  .size = sizeof(Plugin),
                  .transform_size = sizeof(Transform),
                  .version = "2.0.0",
                  .transform = &transform.first},
        .tail = {~0ull},
    };
#else
    static const Plugin plugin = {
        .magic = FIRST_MAGIC,
        .abi_major = 1,
        .size = sizeof(Plugin),
#if defined(AGE_short)
        .transform_size = offsetof(FirstTransform, mime_types),
#else
        .transform_size = sizeof(FirstTransform),
#endif
        .version = "1.0.0",
        .transform = &transform,
    };
#endif
    return &plugin;
}
