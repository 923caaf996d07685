/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin with a library of its own, which it finds by $ORIGIN.
 */
#include <pixmill/plugin.h>
#include <vips/vips.h>

int origin_helper(void);

typedef struct Config {
    bool unused;
} Config;

static const PmParam params[] = {
    PM_PARAM_BOOL(Config, unused, "unused", .doc = "Changes nothing."),
};

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **self)
{
    (void)config, (void)self;
    return origin_helper() == 42 ? PM_OK : host->fail(job, PM_BUG, "another library answered");
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job, (void)in;
    out->flags = PM_SKIP;
    return PM_OK;
}

static PmStatus apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    (void)self, (void)job, (void)shape;
    *out = g_object_ref(in);
    return PM_OK;
}

static const PmTransform transform = {
    .name = "origin",
    .summary = "Needs a library beside it.",
    PM_PARAMS(Config, params),
    .create = create,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
