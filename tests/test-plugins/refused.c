/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that the handshake refuses, one per build of this file: -DBAD=magic -DBAD_magic makes bad-magic. Each breaks
 * one rule and is sound otherwise. tests/unit/engine/test_registry.c asserts what is said of each.
 */
#include <stdlib.h>
#include <vips/vips.h>

#include <pixmill/plugin.h>

#define TEXT_(a) #a
#define TEXT(a)  TEXT_(a)

typedef struct Config {
    double sigma, ratio;
    int64_t count;
    int32_t mode;
    bool flag;
    const char *text;
} Config;

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **self)
{
    (void)host, (void)job, (void)config, (void)self;
    return PM_OK;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job, (void)in, (void)out;
    return PM_OK;
}

#if defined(BAD_symbol)
extern int nobody_defines_this(void);
#elif defined(BAD_vips_symbol)
extern int vips_from_the_future(void);
#define nobody_defines_this vips_from_the_future
#endif

static PmStatus apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    (void)self, (void)job, (void)shape;
#if defined(BAD_symbol) || defined(BAD_vips_symbol)
    if (nobody_defines_this() != 0) return PM_BUG;
#endif
    return vips_copy(in, out, NULL) == 0 ? PM_OK : PM_BUG;
}

#if defined(BAD_two_kinds)
static PmStatus inspect(void *self, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    (void)self, (void)job, (void)shape, (void)in, (void)out;
    return PM_OK;
}
#endif

/* --- the parameter table --- */

static const PmParam params[] = {
    PM_PARAM_NUMBER(Config, sigma, "sigma", .def = "2", .min = 0.3, .max = 100, .doc = "Radius."),
#if defined(BAD_param_name)
    PM_PARAM_INT(Config, count, "Count Of", .doc = "x"),
#elif defined(BAD_param_no_name)
    PM_PARAM_INT(Config, count, NULL, .doc = "x"),
#elif defined(BAD_param_twice)
    PM_PARAM_INT(Config, count, "sigma", .doc = "x"),
#elif defined(BAD_param_type)
    {.name = "count", .type = (PmType)77, .offset = offsetof(Config, count)},
#elif defined(BAD_param_offset)
    {.name = "count", .type = PM_INT, .offset = sizeof(Config)},
#elif defined(BAD_param_align)
    {.name = "count", .type = PM_INT, .offset = offsetof(Config, count) + 1},
#elif defined(BAD_param_overlap)
    {.name = "count", .type = PM_INT, .offset = offsetof(Config, sigma)},
#elif defined(BAD_param_choices)
    PM_PARAM_ENUM(Config, mode, "mode", .doc = "x"),
#elif defined(BAD_param_choices_on)
    PM_PARAM_INT(Config, count, "count", .choices = (const char *const[]){"a", NULL}, .doc = "x"),
#elif defined(BAD_param_choice_twice)
    PM_PARAM_ENUM(Config, mode, "mode", .choices = (const char *const[]){"fast", "fast", NULL}, .doc = "x"),
#elif defined(BAD_param_limits)
    PM_PARAM_INT(Config, count, "count", .min = 5, .max = 1, .doc = "x"),
#elif defined(BAD_param_nan)
    PM_PARAM_NUMBER(Config, ratio, "ratio", .min = 0, .max = __builtin_nan(""), .doc = "x"),
#elif defined(BAD_param_flags)
    PM_PARAM_INT(Config, count, "count", .flags = 64, .doc = "x"),
#elif defined(BAD_param_template)
    PM_PARAM_INT(Config, count, "count", .flags = PM_TEMPLATE, .doc = "x"),
#elif defined(BAD_param_required)
    PM_PARAM_INT(Config, count, "count", .flags = PM_REQUIRED, .def = "1", .doc = "x"),
#elif defined(BAD_param_default)
    PM_PARAM_INT(Config, count, "count", .def = "many", .doc = "x"),
#elif defined(BAD_param_range)
    PM_PARAM_INT(Config, count, "count", .def = "11", .min = 1, .max = 10, .doc = "x"),
#elif defined(BAD_param_choice)
    PM_PARAM_ENUM(Config, mode, "mode", .def = "slow", .choices = (const char *const[]){"fast", "best", NULL},
                  .doc = "x"),
#elif defined(BAD_shorthand_type)
    PM_PARAM_ENUM(Config, mode, "mode", .choices = (const char *const[]){"fast", "best", NULL}, .doc = "x"),
#elif defined(BAD_param_utf8)
    PM_PARAM_INT(Config, count, "count", .doc = "caf\xe9"),
#endif
};

static const PmTransform transform = {
#if defined(BAD_name)
    .name = "Bad Name",
#elif defined(BAD_no_name)
    .name = NULL,
#elif defined(BAD_other_name)
    .name = "another",
#else
    .name = "bad-" TEXT(BAD),
#endif
#if defined(BAD_utf8)
    .summary = "caf\xe9",
#else
    .summary = "Breaks one rule.",
#endif
#if defined(BAD_param_size)
    .params = params,
    .param_size = 12,
    .param_count = 1,
    .config_size = sizeof(Config),
#elif defined(BAD_param_count)
    .params = params,
    .param_size = sizeof(PmParam),
    .param_count = 100000,
    .config_size = sizeof(Config),
#elif defined(BAD_param_table)
    .params = NULL,
    .param_size = sizeof(PmParam),
    .param_count = 3,
    .config_size = sizeof(Config),
#else
    PM_PARAMS(Config, params),
#endif
#if !defined(BAD_create)
    .create = create,
#endif
#if !defined(BAD_plan)
    .plan = plan,
#endif
#if !defined(BAD_kind)
    .apply = apply,
#endif
#if defined(BAD_two_kinds)
    .inspect = inspect,
#endif
#if defined(BAD_facts)
    .facts = (const char *const[]){"score", "Not A Fact", NULL},
#endif
#if defined(BAD_shorthand_none)
    .shorthand = (const char *const[]){NULL},
#elif defined(BAD_shorthand_name)
    .shorthand = (const char *const[]){"sigma", "width", NULL},
#elif defined(BAD_shorthand_twice)
    .shorthand = (const char *const[]){"sigma", "sigma", NULL},
#elif defined(BAD_shorthand_type)
    .shorthand = (const char *const[]){"sigma", "mode", NULL},
#elif defined(BAD_shorthand_many)
    .shorthand = (const char *const[]){"a", "b", "c", "d", "e", NULL},
#endif
#if defined(BAD_regions)
    .regions = (const char *const[]){"faces", "no-word", NULL},
#endif
};

/* --- the descriptor --- */

/* Silences "unused" where the table or a callback is what is missing. */
__attribute__((unused)) static const void *const used[] = {(const void *)create, (const void *)plan,
                                                           (const void *)apply, params, &transform};

#if defined(BAD_magic)
#define MAGIC 0x21464c45u
#else
#define MAGIC PM_PLUGIN_MAGIC
#endif
#if defined(BAD_major)
#define MAJOR 2
#else
#define MAJOR PM_ABI_MAJOR
#endif
#if defined(BAD_minor)
#define MINOR 9
#else
#define MINOR PM_ABI_MINOR
#endif
#if defined(BAD_vips)
#define BUILT 99
#else
#define BUILT VIPS_MAJOR_VERSION
#endif
#if defined(BAD_size)
#define SIZE 8
#else
#define SIZE sizeof(PmPlugin)
#endif
#if defined(BAD_transform_size)
#define TRANSFORM_SIZE 1000000
#else
#define TRANSFORM_SIZE sizeof(PmTransform)
#endif
#if defined(BAD_transform)
#define TRANSFORM NULL
#else
#define TRANSFORM &transform
#endif

#if defined(BAD_export)
PM_EXPORT int helper_that_leaked(void);
int helper_that_leaked(void)
{
    return 1;
}
#endif

#if !defined(BAD_entry)
PM_EXPORT const PmPlugin *pixmill_plugin(void);
const PmPlugin *pixmill_plugin(void)
{
    static const PmPlugin plugin = {
        .magic = MAGIC,
        .abi_major = MAJOR,
        .abi_minor = MINOR,
        .size = SIZE,
        .transform_size = TRANSFORM_SIZE,
        .vips_major = BUILT,
        .vips_minor = VIPS_MINOR_VERSION,
        .vips_micro = VIPS_MICRO_VERSION,
        .version = "1.0.0",
        .transform = TRANSFORM,
    };
#if defined(BAD_null)
    return plugin.magic == 0 ? &plugin : NULL;
#else
    return &plugin;
#endif
}
#endif
