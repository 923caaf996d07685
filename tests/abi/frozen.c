/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of each kind that uses all of the ABI as it was at 1.0, and fails with a word where it does not find it as
 * it was. tests/abi/1.0 holds what a compiler made of this file and the header of then, and is never made anew: those
 * binaries stand for all that were built and whose authors are gone. KIND is crop, look or write. Without libvips'
 * headers, so that any libvips will do.
 */
#include <string.h>

#include <pixmill/plugin.h>

int vips_extract_area(VipsImage *in, VipsImage **out, int left, int top, int width, int height, ...);
int vips_pngsave_target(VipsImage *in, VipsTarget *target, ...);
int vips_avg(VipsImage *in, double *out, ...);
int vips_image_get_width(const VipsImage *image);
int64_t vips_source_length(VipsSource *source);
void g_object_unref(void *object);

enum { WIDTH = 320, HEIGHT = 200, UCHAR = 0, SRGB = 22 }; /* of the picture that the test hands in */

typedef struct Config {
    bool flag;
    int64_t whole;
    double number;
    const char *text;
    int32_t mode;
    PmColor color;
    PmList list;
    const char *asset;
    const char *endpoint;
    int64_t bytes;
    int64_t duration;
    PmLength length;
    const char *message;
    PmList pairs;
    int64_t old;
    const char *absent;
} Config;

static const char *const modes[] = {"fast", "best", NULL}, *const letters[] = {"a", "b", "c", NULL};

static const PmParam params[] = {
    PM_PARAM_BOOL(Config, flag, "flag", .def = "true", .doc = "A bool."),
    PM_PARAM_INT(Config, whole, "whole", .flags = PM_REQUIRED, .min = 1, .max = 100, .unit = "px", .doc = "An int."),
    PM_PARAM_NUMBER(Config, number, "number", .def = "0.5", .min = 0.25, .max = 4, .doc = "A number."),
    PM_PARAM_STRING(Config, text, "text", .flags = PM_SECRET, .min = 3, .max = 20, .doc = "A string."),
    PM_PARAM_ENUM(Config, mode, "mode", .def = "best", .choices = modes, .doc = "An enum."),
    PM_PARAM_COLOR(Config, color, "color", .def = "white", .doc = "A color."),
    PM_PARAM_LIST(Config, list, "list", .choices = letters, .max = 3, .doc = "A list."),
    PM_PARAM_ASSET(Config, asset, "asset", .doc = "An asset."),
    PM_PARAM_ENDPOINT(Config, endpoint, "endpoint", .doc = "An endpoint."),
    PM_PARAM_BYTES(Config, bytes, "bytes", .def = "2KiB", .doc = "Bytes."),
    PM_PARAM_DURATION(Config, duration, "duration", .def = "1500ms", .doc = "A duration."),
    PM_PARAM_LENGTH(Config, length, "length", .def = "5%", .doc = "A length."),
    PM_PARAM_STRING(Config, message, "message", .flags = PM_TEMPLATE, .doc = "A template."),
    PM_PARAM_LIST(Config, pairs, "pairs", .flags = PM_PAIRS, .doc = "Pairs."),
    PM_PARAM_INT(Config, old, "old", .flags = PM_DEPRECATED, .doc = "Use whole."),
    PM_PARAM_STRING(Config, absent, "absent", .doc = "Never given."),
};

typedef struct Self {
    const PmHost *host;
    const Config *config;
} Self;

/* Two steps of a kind in a pipeline are more than the test makes; memory of its own would need a libc of then. */
static Self the_self;

/* `return` from the caller with what failed. */
#define EXPECT(self, job, condition) \
    if (!(condition)) return (self)->host->fail(job, PM_BUG, "not as in 1.0: %s", #condition)

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ------------------------------------------------------------------ create */

static PmStatus check_config(const Self *self, PmJob *job)
{
    const Config *c = self->config;
    EXPECT(self, job, c->flag);
    EXPECT(self, job, c->whole == 42);
    EXPECT(self, job, c->number == 1.25);
    EXPECT(self, job, same(c->text, "hush hush"));
    EXPECT(self, job, c->mode == 0);
    EXPECT(self, job, c->color.r == 32 && c->color.g == 160 && c->color.b == 255 && c->color.a == 1);
    EXPECT(self, job, c->list.count == 2 && same(c->list.items[0], "c") && same(c->list.items[1], "a"));
    EXPECT(self, job, same(c->asset, "asset.txt"));
    EXPECT(self, job, same(c->endpoint, "https://example.org/ask"));
    EXPECT(self, job, c->bytes == 2048 && c->duration == 15000);
    EXPECT(self, job, c->length.value == 5 && c->length.percent);
    EXPECT(self, job, same(c->message, "{stem} of {format}"));
    EXPECT(self, job, c->pairs.count == 1 && same(c->pairs.items[0], "x=y"));
    EXPECT(self, job, c->old == 7);
    EXPECT(self, job, c->absent == NULL);
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Self *self = &the_self;
    *self = (Self){host, config};
    EXPECT(self, job, host->size >= sizeof(PmHost));
    if (self->config->whole == 13) return host->fail_param(job, "whole", "%d is no number for a plugin", 13);
    *out = self;
    return check_config(self, job);
}

static void destroy(void *self)
{
    *(Self *)self = (Self){NULL, NULL};
}

/* ------------------------------------------------------------------ plan */

static PmStatus check_shape(const Self *self, PmJob *job, const PmShape *in)
{
    EXPECT(self, job, in->height == HEIGHT && in->pages == 1 && in->bands == 3);
    EXPECT(self, job, in->source_height == HEIGHT && in->source_width >= in->width);
    EXPECT(self, job, in->band_format == UCHAR && in->interpretation == SRGB && in->orientation == 1);
    EXPECT(self, job, !in->has_alpha && !in->has_profile);
    return PM_OK;
}

static PmStatus check_preset(const Self *self, PmJob *job, const PmShape *in, const PmPlan *out)
{
    EXPECT(self, job, memcmp(in, &out->out, sizeof *in) == 0);
    EXPECT(self, job, out->flags == 0 && out->need_width == in->width && out->need_height == in->height);
    EXPECT(self, job, out->need_pages == 0 && out->format == NULL && out->extension == NULL && out->mime == NULL);
    EXPECT(self, job, out->resample.width == 0 && out->resample.kernel == 0);
    return PM_OK;
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Self *self = data;
    PmStatus status = check_preset(self, job, in, out);
#if defined(KIND_crop)
    if (status == PM_OK) status = check_shape(self, job, in);
    out->out.width = WIDTH / 2;
    out->need_width = out->need_height = 0;
    out->resample = (PmResample){
        .left = WIDTH / 4.0, .top = 0, .width = WIDTH / 2.0, .height = HEIGHT, .kernel = PM_KERNEL_NEAREST};
#elif defined(KIND_look)
    if (status == PM_OK) status = check_shape(self, job, in);
    out->flags = PM_ALL_PAGES;
#else
    out->format = "png";
    out->extension = "png";
    out->mime = "image/png";
    out->need_pages = 1;
    out->out.pages = 1;
#endif
    return status;
}

/* ------------------------------------------------------------------ the three kinds */

#if defined(KIND_crop)
static PmStatus ask_host(const Self *self, PmJob *job)
{
    const PmHost *host = self->host;
    VipsSource *source = NULL;
    host->log(job, PM_LOG_WARN, "asset %s", self->config->asset);
    PmStatus status = host->open_asset(job, self->config->asset, &source);
    if (status != PM_OK) return status;
    int64_t length = vips_source_length(source);
    g_object_unref(source);
    EXPECT(self, job, length == 5);
    const PmRequest request = {.size = sizeof request,
                               .endpoint = "endpoint",
                               .method = "PUT",
                               .content_type = "text/plain",
                               .body = "question",
                               .body_size = 8,
                               .timeout_ms = 1234};
    PmResponse response = {0};
    status = host->fetch(job, &request, &response);
    if (status != PM_OK) return status;
    EXPECT(self, job, response.status == 207 && same(response.content_type, "text/answer"));
    EXPECT(self, job, response.body_size == 6 && memcmp(response.body, "answer", 7) == 0);
    EXPECT(self, job, same(host->fact(job, "key"), "in/cat.png") && host->fact(job, "nothing") == NULL);
    EXPECT(self, job, host->remaining_ms(job) > 0);
    return host->set_fact(job, "told", host->expand(job, self->config->message));
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Self *self = data;
    size_t count = 0;
    PmStatus status = check_shape(self, job, shape);
    if (status == PM_OK) status = ask_host(self, job);
    if (status != PM_OK) return status;
    EXPECT(self, job, shape->width == WIDTH && shape->source_width == WIDTH && vips_image_get_width(in) == WIDTH);
    const PmRegion *spots = self->host->regions(job, "frozen-look", "spots", &count);
    EXPECT(self, job, count == 2 && spots[0].left == 0.25 && spots[0].top == 0.5 && spots[0].width == 0.125);
    EXPECT(self, job, spots[1].height == 0.25 && spots[1].score == 0.5 && same(spots[1].label, "second"));
    const PmFrame frame = {.left = WIDTH / 4.0, .width = WIDTH / 2.0, .height = HEIGHT, .turns = 0, .mirrored = false};
    status = self->host->set_frame(job, &frame);
    if (status != PM_OK) return status;
    if (vips_extract_area(in, out, WIDTH / 4, 0, WIDTH / 2, HEIGHT, (void *)0) == 0) return PM_OK;
    return self->host->fail(job, PM_BAD_INPUT, "cannot crop");
}
static const char *const facts[] = {"told", NULL};

#elif defined(KIND_look)
static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    static const PmRegion spots[] = {
        {.left = 0.25, .top = 0.5, .width = 0.125, .height = 0.25, .score = 1, .label = "first"},
        {.left = 0.5, .top = 0.5, .width = 0.125, .height = 0.25, .score = 0.5, .label = "second"}};
    const Self *self = data;
    double average = 0;
    PmStatus status = check_shape(self, job, shape);
    if (status != PM_OK) return status;
    EXPECT(self, job, out->decision == PM_PASS && out->score == 0 && out->label[0] == '\0');
    if (vips_avg(in, &average, (void *)0) != 0) return self->host->fail(job, PM_BAD_INPUT, "cannot look");
    out->decision = PM_FLAG;
    out->score = 0.75;
    memcpy(out->label, "as it was", 10);
    return self->host->add_regions(job, "spots", spots, 2);
}
static const char *const regions[] = {"spots", NULL};

#else
static PmStatus encode(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsTarget *out)
{
    const Self *self = data;
    size_t count = 0;
    PmStatus status = check_shape(self, job, shape);
    if (status != PM_OK) return status;
    EXPECT(self, job, shape->width == WIDTH / 2 && shape->source_width == WIDTH / 2);
    /* The first spot went to the left edge of the crop, the second to its middle. */
    const PmRegion *spots = self->host->regions(job, "frozen-look", "spots", &count);
    EXPECT(self, job, count == 2 && spots[0].left == 0 && spots[0].width == 0.25 && spots[1].left == 0.5);
    if (vips_pngsave_target(in, out, (void *)0) == 0) return PM_OK;
    return self->host->fail(job, PM_BUG, "cannot write");
}
static const char *const mime_types[] = {"image/png", NULL};
#endif

#define TEXT_(a) #a
#define TEXT(a)  TEXT_(a)

static const PmTransform transform = {
    .name = "frozen-" TEXT(KIND),
    .summary = "Stands for the plugins of 1.0.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
#if defined(KIND_crop)
    .apply = apply,
    .facts = facts,
#elif defined(KIND_look)
    .inspect = inspect,
    .regions = regions,
#else
    .encode = encode,
    .mime_types = mime_types,
#endif
};

PM_PLUGIN(transform, "1.0.0")
