/* SPDX-License-Identifier: Apache-2.0
 *
 * An encoder that does not write what it promised: something that is not a picture, a picture of another format or
 * size, or one cut short. Also one that keeps its word, in a format that pixmill does not know.
 */
#include <string.h>
#include <vips/vips.h>

#include <pixmill/plugin.h>

typedef struct Config {
    int32_t write;
} Config;

enum { WRITE_GARBAGE, WRITE_FORMAT, WRITE_SIZE, WRITE_CUT, WRITE_QOI };
static const char *const ways[] = {"garbage", "format", "size", "cut", "qoi", NULL};

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, write, "write", .flags = PM_REQUIRED, .choices = ways,
                  .doc = "What is written instead of a PNG."),
};

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **self)
{
    (void)host;
    (void)job;
    *self = (void *)config;
    return PM_OK;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Config *config = self;
    (void)job;
    (void)in;
    out->need_pages = 1;
    out->out.pages = 1;
    out->format = config->write == WRITE_QOI ? "qoi" : "png";
    out->extension = config->write == WRITE_QOI ? "qoi" : "png";
    out->mime = config->write == WRITE_QOI ? "image/qoi" : "image/png";
    return PM_OK;
}

static PmStatus write_cut(VipsImage *in, VipsTarget *out)
{
    void *bytes = NULL;
    size_t size = 0;
    if (vips_pngsave_buffer(in, &bytes, &size, NULL) != 0) return PM_BUG;
    bool good = size > 20 && vips_target_write(out, bytes, 20) == 0;
    g_free(bytes);
    return good ? PM_OK : PM_BUG;
}

static PmStatus encode(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsTarget *out)
{
    const Config *config = self;
    (void)shape;
    VipsImage *small = NULL;
    int result = 0;
    (void)job;
    switch (config->write) {
    case WRITE_FORMAT:
        result = vips_jpegsave_target(in, out, NULL);
        break;
    case WRITE_SIZE:
        result = vips_crop(in, &small, 0, 0, 1, 1, NULL) || vips_pngsave_target(small, out, NULL);
        g_clear_object(&small);
        break;
    case WRITE_CUT:
        return write_cut(in, out);
    default:
        result = vips_target_writes(out, config->write == WRITE_QOI ? "qoif and what follows" : "no picture at all");
    }
    return result == 0 ? PM_OK : PM_BUG;
}

static const char *const mime_types[] = {"image/png", "image/qoi", NULL};

static const PmTransform transform = {
    .name = "bad-encoder",
    .summary = "Writes something else than it promised.",
    PM_PARAMS(Config, params),
    .create = create,
    .plan = plan,
    .encode = encode,
    .mime_types = mime_types,
};

PM_PLUGIN(transform, "1.0.0")
