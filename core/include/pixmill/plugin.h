/* SPDX-License-Identifier: Apache-2.0
 *
 * pixmill/plugin.h - write a step for pixmill.
 *
 * A plugin is one shared object that exports one function, pixmill_plugin(), and describes one step:
 * its parameters, what it promises (plan) and what it does (apply, inspect or encode). This header
 * is all it needs besides libvips:
 *
 *     #include <vips/vips.h>
 *     #include <pixmill/plugin.h>
 *
 *     typedef struct { double sigma; } Config;
 *
 *     static const PmParam params[] = {
 *         PM_PARAM_NUMBER(Config, sigma, "sigma", .def = "2", .min = 0.3, .max = 100, .unit = "px",
 *                         .doc = "Radius of the blur."),
 *     };
 *     ...
 *     static const PmTransform transform = {
 *         .name = "soften", .summary = "Blur the picture a little.",
 *         PM_PARAMS(Config, params),
 *         .create = create, .plan = plan, .apply = apply,
 *     };
 *     PM_PLUGIN(transform, "1.0.0")
 *
 * Three rules keep a plugin simple and safe:
 *   1. It runs in a child process with no network, no files and no credentials. What it needs from
 *      outside it asks the host for: open_asset(), fetch(), fact().
 *   2. No memory is freed across the boundary. Images are GObject references; strings handed over are
 *      borrowed, by the host until the plugin's next call, by the plugin until the job ends.
 *   3. A child runs one job at a time and calls a plugin from one thread. (libvips may run the pixel
 *      functions of the operations you build on threads of its own.)
 *
 * Link neither libvips nor GLib: the worker provides their symbols, so that one plugin binary runs on
 * either libvips. `pixmill_add_plugin()` of the CMake package and the template do that for you.
 *
 * ABI rules, for those who change this file: structs only grow at the end; the host copies
 * min(its size, the plugin's size) of what a plugin hands it into zeroed structs of its own, arrays by
 * the plugin's stride; structs that a plugin fills in are allocated, zeroed and preset by the host.
 * The layout is pinned by assertions in core/engine/abi.c.
 */
#ifndef PIXMILL_PLUGIN_H
#define PIXMILL_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ versions */

#define PM_PLUGIN_MAGIC 0x314C4D50u /* "PML1" */
#define PM_ABI_MAJOR    1
#ifndef PM_ABI_MINOR
#define PM_ABI_MINOR 0 /* opt in to newer callbacks with -DPM_ABI_MINOR=n */
#endif

/* libvips' own types, named here so that this header needs no other. */
typedef struct _VipsImage VipsImage;
typedef struct _VipsSource VipsSource;
typedef struct _VipsTarget VipsTarget;

/* ------------------------------------------------------------------ status */

/* How a call ended. It decides what becomes of the message that brought the image. */
typedef enum PmStatus {
    PM_OK = 0,
    PM_BAD_CONFIG, /* the operator must edit the pipeline file: refused before anything runs */
    PM_BAD_INPUT,  /* this image can never work: set aside with the reason */
    PM_REJECTED,   /* an inspector said no: what `on_reject` says */
    PM_LIMIT,      /* too large, too slow, too much memory: set aside with the reason */
    PM_TRANSIENT,  /* may work later: retried with backoff */
    PM_BUG,        /* crashed or broke its contract: retried once, then set aside */
} PmStatus;

/* ------------------------------------------------------------------ parameters */

/* The type of a parameter, what YAML it takes, and the type of its field in the config struct. */
typedef enum PmType {
    PM_BOOL,     /* true, false                         bool */
    PM_INT,      /* 300                                 int64_t */
    PM_NUMBER,   /* 0.6                                 double */
    PM_STRING,   /* text                                const char *, NULL when absent */
    PM_ENUM,     /* one of `choices`                    int32_t, index into `choices` */
    PM_COLOR,    /* "#20a0ff", "#20a0ff80", white       PmColor */
    PM_LIST,     /* [icc, copyright]; `choices` limits  PmList of strings */
    PM_ASSET,    /* logo.png, beside the pipeline file  const char *, the name for open_asset() */
    PM_ENDPOINT, /* https://host/path, aws://SERVICE/OPERATION  const char *, the name for fetch() */
    PM_BYTES,    /* 200KiB                              int64_t, bytes */
    PM_DURATION, /* 1500ms, 15s                         int64_t, milliseconds */
    PM_LENGTH,   /* 12, 12px, 5%                        PmLength */
} PmType;

/* PmParam.flags */
enum {
    PM_REQUIRED = 1,   /* an error when absent */
    PM_SECRET = 2,     /* never printed or logged */
    PM_DEPRECATED = 4, /* a warning when present; `doc` says what to use */
    PM_TEMPLATE = 8,   /* a string with {facts}, checked at start; fill it in with PmHost.expand */
    PM_PAIRS = 16,     /* a list that is written { name: value }; its items read "name=value" */
};

typedef struct PmColor {
    double r, g, b; /* 0..255, sRGB */
    double a;       /* 0 transparent .. 1 opaque */
} PmColor;

typedef struct PmList {
    const char *const *items; /* NULL when count is 0 */
    size_t count;
} PmList;

typedef struct PmLength {
    double value; /* pixels, or percent of a side that the parameter's doc names */
    bool percent;
} PmLength;

/* One parameter. Use the PM_PARAM_ macros: they refuse a field of the wrong type. */
typedef struct PmParam {
    const char *name; /* the YAML key: lower_snake_case */
    PmType type;
    uint32_t flags;
    size_t offset;              /* of the field in the config struct */
    const char *def;            /* default as YAML text, read as the user's would be; NULL: zero */
    double min, max;            /* inclusive; both 0: no limit. Length of the text or list for those */
    const char *const *choices; /* NULL-terminated; for PM_ENUM, and PM_LIST when limited */
    const char *unit;           /* "px", "%", ... for messages and docs, or NULL */
    const char *doc;            /* one or two sentences for the operator */
} PmParam;

/* ------------------------------------------------------------------ what plan() talks about */

/* A picture as far as its header tells. */
typedef struct PmShape {
    int32_t width, height; /* px, of one page */
    int32_t pages;         /* 1 for a still */
    int32_t bands;         /* alpha included */
    /* The size this picture has when the source is decoded in full. Larger than width, height when the
     * decoder shrank while loading: scale parameters given in source pixels by the ratio. */
    int32_t source_width, source_height;
    int32_t band_format;    /* VipsBandFormat */
    int32_t interpretation; /* VipsInterpretation */
    int32_t orientation;    /* EXIF orientation that the source carried, 1..8; already applied to the pixels */
    bool has_alpha, has_profile;
    uint32_t reserved[4];
} PmShape;

/* PmPlan.flags */
enum {
    PM_SKIP = 1,         /* for this input the step changes nothing: the runner leaves it out */
    PM_RANDOM = 2,       /* reads pixels out of top-to-bottom order, or more than once */
    PM_ALL_PAGES = 4,    /* apply() takes the whole animation, pages stacked top to bottom;
                            without it the runner calls apply() once per page */
    PM_EAGER = 8,        /* the pixels are computed inside apply(), not later */
    PM_KEEP_SOURCE = 16, /* encoders: if no step changed the picture, and the source is of this format and not
                           larger, the source's own bytes may be the result */
    PM_NO_PIXELS = 32,   /* inspectors: decides without reading pixels, so that the runner need not hold the picture
                            in memory for it and for the steps after it. apply(): the result has the input's pixels,
                            and other metadata. Encoders: how pixels are coded is left open. Where no step changed
                            them and the source is of this format, the source's coding may be copied, and encode() is
                            asked for the metadata alone, by a picture of a few pixels */
};

/* How pixels are mixed where a picture is scaled; stretched over what a pixel of the result covers when it gets
 * smaller. */
typedef enum PmKernel {
    PM_KERNEL_NEAREST = 0,
    PM_KERNEL_LINEAR,
    PM_KERNEL_CUBIC,
    PM_KERNEL_MITCHELL,
    PM_KERNEL_LANCZOS2,
    PM_KERNEL_LANCZOS3,
} PmKernel;

/* A crop and a change of size: this box of the input becomes the whole of the result, PmPlan.out.width x out.height. */
typedef struct PmResample {
    double left, top, width, height; /* px of one page of the input, within it; width 0: none, as preset */
    PmKernel kernel;
    uint32_t reserved;
} PmResample;

/* What a step promises. Preset by the host: out is the input, flags 0, need_* the full input, the rest NULL. */
typedef struct PmPlan {
    PmShape out;
    uint32_t flags;
    /* The smallest input that gives equal quality, px of one page; 0: whatever the steps after this one
     * need. This is what lets the decoder shrink while loading, and render a drawing larger than its own size. */
    int32_t need_width, need_height;
    int32_t need_pages; /* 1: only the first page is used; 0 (preset): all of them */
    /* Encoders only: short name, file ending without dot, and MIME type of what will be written. */
    const char *format, *extension, *mime;
    /* The step does this and nothing else. The host may then do it for the step, together with the resampling of
     * other outputs, or let another output that needs no more start from this result; apply() is called where it does
     * neither, and must come to the same picture. */
    PmResample resample;
} PmPlan;

/* ------------------------------------------------------------------ regions */

/* A part of the picture that a step has found: a face, a line of text. */
typedef struct PmRegion {
    double left, top, width, height; /* shares of the picture's width and height, 0..1, from the top left */
    double score;                    /* 0..1, how sure the step is */
    const char *label;               /* what it is, UTF-8, at most 63 bytes; or NULL */
    uint32_t reserved[2];
} PmRegion;

/* The part of its input that the result of a step shows: px of one page, beyond the input's edges where there are
 * bars; then turned clockwise by quarters; then mirrored, left to right. */
typedef struct PmFrame {
    double left, top, width, height;
    int32_t turns; /* 0..3 */
    bool mirrored;
    uint32_t reserved[2];
} PmFrame;

/* ------------------------------------------------------------------ verdicts, requests */

typedef enum PmDecision { PM_PASS = 0, PM_FLAG, PM_REJECT } PmDecision;

typedef struct PmVerdict {
    PmDecision decision;
    double score;   /* 0..1, the inspector's confidence in the label */
    char label[64]; /* what it saw; printable ASCII */
} PmVerdict;

typedef struct PmRequest {
    size_t size;          /* sizeof(PmRequest) */
    const char *endpoint; /* the name of a PM_ENDPOINT parameter of this step */
    const char *method;   /* NULL: POST when there is a body, else GET */
    const char *content_type;
    const void *body;
    size_t body_size;
    int64_t timeout_ms; /* 0: what the job has left */
} PmRequest;

typedef struct PmResponse {
    int32_t status; /* HTTP status */
    const char *content_type;
    const void *body; /* borrowed until the job ends; NUL-terminated beyond body_size */
    size_t body_size;
} PmResponse;

/* ------------------------------------------------------------------ the host */

typedef struct PmJob PmJob; /* opaque: the job at hand, or during create() the check of the pipeline */

enum { PM_LOG_ERROR, PM_LOG_WARN, PM_LOG_INFO, PM_LOG_DEBUG };

#if defined(__GNUC__)
#define PM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PM_PRINTF(fmt, args)
#endif

/* What a plugin may ask of the host. Outlives every instance. Compare `size` before using a member that
 * came with a later minor version. */
typedef struct PmHost {
    size_t size;
    void (*log)(PmJob *job, int level, const char *fmt, ...) PM_PRINTF(3, 4);
    /* Say why a call fails; returns the status, so that `return host->fail(job, PM_BAD_INPUT, "...");` reads
     * well. Call it once; libvips' own message is appended when the failing call came from libvips. */
    PmStatus (*fail)(PmJob *job, PmStatus status, const char *fmt, ...) PM_PRINTF(3, 4);
    /* During create(): the value of parameter `param` is wrong. Returns PM_BAD_CONFIG; the operator is shown
     * the line and column of the value. */
    PmStatus (*fail_param)(PmJob *job, const char *param, const char *fmt, ...) PM_PRINTF(3, 4);
    /* The bytes of a PM_ASSET, read when the pipeline was loaded. *out is a new reference. */
    PmStatus (*open_asset)(PmJob *job, const char *name, VipsSource **out);
    /* One HTTP exchange with a PM_ENDPOINT, carried out by the broker, which signs calls to AWS. Blocks. */
    PmStatus (*fetch)(PmJob *job, const PmRequest *request, PmResponse *response);
    /* Set a fact that this transform lists in `facts`; the operator reads it as {step.name}. */
    PmStatus (*set_fact)(PmJob *job, const char *name, const char *value);
    /* A fact of the job ("key", "width", ...), borrowed until the job ends; NULL when unknown. */
    const char *(*fact)(PmJob *job, const char *name);
    /* Fill in the {facts} of a PM_TEMPLATE; borrowed until the job ends; NULL when it cannot be (say
     * so with fail()). */
    const char *(*expand)(PmJob *job, const char *text);
    int64_t (*remaining_ms)(PmJob *job); /* until the job is ended from outside */
    /* Regions of the picture that inspect() or apply() was given, under a name that this transform lists in
     * `regions`. They are added to those of earlier calls: of other pages. None at all, but a look: count 0. */
    PmStatus (*add_regions)(PmJob *job, const char *name, const PmRegion *regions, size_t count);
    /* What an earlier step, by its name in the pipeline, added: as shares of the picture that apply(), inspect() or
     * encode() was given, less what is not in it. Borrowed until the job ends; NULL when that step added none by
     * that name, and in plan(), which comes before. */
    const PmRegion *(*regions)(PmJob *job, const char *step, const char *name, size_t *count);
    /* In apply(): what of its input the result shows, so that regions follow. Needless where the result has the
     * input's size and shows all of it, and for a PmPlan.resample. */
    PmStatus (*set_frame)(PmJob *job, const PmFrame *frame);
} PmHost;

/* ------------------------------------------------------------------ the plugin */

/* One step. create, plan and exactly one of apply, inspect, encode are required. */
typedef struct PmTransform {
    const char *name;    /* the YAML key: lower-case-with-dashes */
    const char *summary; /* one sentence */
    const PmParam *params;
    size_t param_size, param_count, config_size; /* PM_PARAMS fills these in */

    /* Once per step of a pipeline. `config` is filled, checked and outlives the instance. Check here
     * whatever the table cannot say. */
    PmStatus (*create)(const PmHost *host, PmJob *job, const void *config, void **self);
    void (*destroy)(void *self); /* NULL when there is nothing to free */
    /* Pure and cheap: same input, same answer; touches no pixel. Called for the header first, and
     * again for the image as it was loaded. */
    PmStatus (*plan)(void *self, PmJob *job, const PmShape *in, PmPlan *out);

    /* `shape` is what plan() was last asked about this very picture: of all its pages, also where `in` is one of
     * them. `in` is borrowed. *out is a new reference, best left lazy (libvips computes it when written). */
    PmStatus (*apply)(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out);
    PmStatus (*inspect)(void *self, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out);
    PmStatus (*encode)(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsTarget *out);

    const char *const *mime_types; /* encoders: what they may write; NULL-terminated */
    const char *const *facts;      /* what set_fact() may set; NULL-terminated; NULL: none */
    /* Parameters that a single value may stand for instead of a mapping, NULL-terminated: {"format"} allows
     * `convert: webp`; {"width", "height"}, all numbers or lengths, allows `resize: 300x200`, `300` and `x200`. NULL:
     * none. */
    const char *const *shorthand;
    const char *const *regions; /* the names that add_regions() may use, likewise */
} PmTransform;

/* The descriptor that pixmill_plugin() returns. Constant; lives as long as the process. */
typedef struct PmPlugin {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    size_t size;                                /* sizeof(PmPlugin) */
    size_t transform_size;                      /* sizeof(PmTransform) */
    int32_t vips_major, vips_minor, vips_micro; /* built against; all 0: any */
    const char *version;                        /* the plugin's own */
    const PmTransform *transform;
} PmPlugin;

typedef const PmPlugin *(*PmPluginEntry)(void);

/* ------------------------------------------------------------------ macros */

/* In C++ a table is written in the same words, the members of PmParam in their order (C++20, or GNU C++ before). */
#ifdef __cplusplus
} /* extern "C" */
template <typename Wanted, typename Field> struct PmFieldIs_; /* a field of another type fails to compile here */
template <typename Wanted> struct PmFieldIs_<Wanted, Wanted> {
    char right[1];
};
/* What a PM_PARAM_ macro takes after the name. */
struct PmParamRest_ {
    uint32_t flags = 0;
    const char *def = nullptr;
    double min = 0, max = 0;
    const char *const *choices = nullptr;
    const char *unit = nullptr, *doc = nullptr;
};
constexpr PmParam pm_param_(const char *name, PmType type, size_t offset, PmParamRest_ rest)
{
    return PmParam{name, type, rest.flags, offset, rest.def, rest.min, rest.max, rest.choices, rest.unit, rest.doc};
}
extern "C" {
#define PM_OFFSET_(Config, field, T) (offsetof(Config, field) + 0 * sizeof(PmFieldIs_<T, decltype(Config::field)>))
#define PM_PARAM_(Config, field, name_, type_, T, ...) \
    pm_param_(name_, type_, PM_OFFSET_(Config, field, T), PmParamRest_{__VA_ARGS__})
#else
/* offsetof() that fails to compile when the field is not of the type that the parameter fills. */
#define PM_OFFSET_(Config, field, T) /* NOLINTNEXTLINE(bugprone-macro-parentheses): T is a type */ \
    (offsetof(Config, field) + 0 * sizeof(char[_Generic(((Config *)0)->field, T : 1, default : -1)]))

#define PM_PARAM_(Config, field, name_, type_, T, ...)                                    \
    {                                                                                     \
        .name = name_, .type = type_, .offset = PM_OFFSET_(Config, field, T), __VA_ARGS__ \
    }
#endif

#define PM_PARAM_BOOL(C, field, name, ...)     PM_PARAM_(C, field, name, PM_BOOL, bool, __VA_ARGS__)
#define PM_PARAM_INT(C, field, name, ...)      PM_PARAM_(C, field, name, PM_INT, int64_t, __VA_ARGS__)
#define PM_PARAM_NUMBER(C, field, name, ...)   PM_PARAM_(C, field, name, PM_NUMBER, double, __VA_ARGS__)
#define PM_PARAM_STRING(C, field, name, ...)   PM_PARAM_(C, field, name, PM_STRING, const char *, __VA_ARGS__)
#define PM_PARAM_ENUM(C, field, name, ...)     PM_PARAM_(C, field, name, PM_ENUM, int32_t, __VA_ARGS__)
#define PM_PARAM_COLOR(C, field, name, ...)    PM_PARAM_(C, field, name, PM_COLOR, PmColor, __VA_ARGS__)
#define PM_PARAM_LIST(C, field, name, ...)     PM_PARAM_(C, field, name, PM_LIST, PmList, __VA_ARGS__)
#define PM_PARAM_ASSET(C, field, name, ...)    PM_PARAM_(C, field, name, PM_ASSET, const char *, __VA_ARGS__)
#define PM_PARAM_ENDPOINT(C, field, name, ...) PM_PARAM_(C, field, name, PM_ENDPOINT, const char *, __VA_ARGS__)
#define PM_PARAM_BYTES(C, field, name, ...)    PM_PARAM_(C, field, name, PM_BYTES, int64_t, __VA_ARGS__)
#define PM_PARAM_DURATION(C, field, name, ...) PM_PARAM_(C, field, name, PM_DURATION, int64_t, __VA_ARGS__)
#define PM_PARAM_LENGTH(C, field, name, ...)   PM_PARAM_(C, field, name, PM_LENGTH, PmLength, __VA_ARGS__)

/* The four members of PmTransform that describe the parameters. */
#define PM_PARAMS(Config, table)                                                                         \
    .params = (table), .param_size = sizeof(PmParam), .param_count = sizeof(table) / sizeof((table)[0]), \
    .config_size = sizeof(Config)

#if defined(VIPS_MAJOR_VERSION)
#define PM_VIPS_BUILT_ \
    .vips_major = VIPS_MAJOR_VERSION, .vips_minor = VIPS_MINOR_VERSION, .vips_micro = VIPS_MICRO_VERSION
#else
#define PM_VIPS_BUILT_ .vips_major = 0
#endif

#if defined(__GNUC__)
#define PM_EXPORT __attribute__((visibility("default")))
#else
#define PM_EXPORT
#endif

#ifdef __cplusplus
#define PM_EXTERN_C_ extern "C"
#else
#define PM_EXTERN_C_ extern
#endif

/* Defines the one exported symbol. */
#define PM_PLUGIN(transform_, version_)                          \
    PM_EXTERN_C_ PM_EXPORT const PmPlugin *pixmill_plugin(void); \
    const PmPlugin *pixmill_plugin(void)                         \
    {                                                            \
        static const PmPlugin plugin = {                         \
            .magic = PM_PLUGIN_MAGIC,                            \
            .abi_major = PM_ABI_MAJOR,                           \
            .abi_minor = PM_ABI_MINOR,                           \
            .size = sizeof(PmPlugin),                            \
            .transform_size = sizeof(PmTransform),               \
            PM_VIPS_BUILT_,                                      \
            .version = (version_),                               \
            .transform = &(transform_),                          \
        };                                                       \
        return &plugin;                                          \
    }

#ifdef __cplusplus
}
#endif
#endif
