// SPDX-License-Identifier: Apache-2.0
//
// tint: the template's C++ sister: a picture in shades of one colour.
//
//     - tint: { color: "#c08040", amount: 0.8 }
//
//     c++ -std=c++20 -Wall -shared -fPIC -O2 -fvisibility=hidden $(pkg-config --cflags pixmill vips) -o tint.so
//     tint.cpp
//
// Everything that the host calls is a plain function. No exception may leave one: the host is C.
#include <memory>
#include <new>

#include <vips/vips.h>

#include <pixmill/plugin.h>

namespace
{

struct Config {
    PmColor color;
    double amount;
};

// The members in the order of PmParam.
const PmParam params[] = {
    PM_PARAM_COLOR(Config, color, "color", .def = "#c08040", .doc = "The colour."),
    PM_PARAM_NUMBER(Config, amount, "amount", .def = "1", .min = 0, .max = 1, .doc = "How much of it."),
};

struct Self {
    const PmHost *host;
    const Config *config;
};

struct Unref {
    void operator()(VipsImage *image) const
    {
        g_object_unref(image);
    }
};
using Image = std::unique_ptr<VipsImage, Unref>;

PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    auto *self = new (std::nothrow) Self{host, static_cast<const Config *>(config)};
    if (self == nullptr) return host->fail(job, PM_LIMIT, "out of memory");
    *out = self;
    return PM_OK;
}

void destroy(void *self)
{
    delete static_cast<Self *>(self);
}

PmStatus plan(void *, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)job;
    if (in->bands < 3) out->flags |= PM_SKIP; // grey as it is
    out->need_width = out->need_height = 0;   // as good on a smaller picture
    return PM_OK;
}

PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const auto *self = static_cast<const Self *>(data);
    const double amount = self->config->amount, light[] = {0.2126, 0.7152, 0.0722};
    const double color[] = {self->config->color.r / 255, self->config->color.g / 255, self->config->color.b / 255};
    const int bands = shape->bands;

    // Each colour becomes a share of itself and a share of the lightness in the given colour.
    VipsImage *t = vips_image_new_matrix(bands, bands);
    if (t == nullptr) return self->host->fail(job, PM_LIMIT, "out of memory");
    const Image matrix(t);
    for (int y = 0; y < bands; y++)
        for (int x = 0; x < bands; x++) {
            const double same = x == y ? 1 : 0;
            *VIPS_MATRIX(t, x, y) = x < 3 && y < 3 ? (1 - amount) * same + amount * color[y] * light[x] : same;
        }
    VipsImage *mixed = nullptr;
    if (vips_recomb(in, &mixed, t, nullptr) != 0) return self->host->fail(job, PM_BAD_INPUT, "cannot tint");
    const Image lazy(mixed);
    if (vips_cast(mixed, out, vips_image_get_format(in), nullptr) != 0)
        return self->host->fail(job, PM_BAD_INPUT, "cannot tint");
    return PM_OK;
}

const PmTransform transform = {
    .name = "tint",
    .summary = "Show the picture in shades of one colour.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
};

} // namespace

PM_PLUGIN(transform, "1.0.0")
