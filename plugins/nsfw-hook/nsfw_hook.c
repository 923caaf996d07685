// SPDX-License-Identifier: Apache-2.0
#include "nsfw_hook.h"

#include <string.h>

#include "remote.h"
#include "stub.h"

typedef struct NsfwHook {
    const PmHost *host;
    const Config *config;
} NsfwHook;

static const char *const mode_names[] = {"stub", "http", NULL};
static const char *const on_error_names[] = {"fail", "reject", "pass", NULL};
static const char *const facts[] = {"checked", NULL};

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, mode, "mode", .flags = PM_REQUIRED, .choices = mode_names,
                  .doc = "stub: scores by the object's key and nothing else, to try what follows from a verdict. http: "
                         "asks the classifier at `endpoint`."),
    PM_PARAM_NUMBER(Config, threshold, "threshold", .def = "0.8", .max = 1,
                    .doc = "From this score on the image is rejected; what then happens says the step's `on_reject`."),
    PM_PARAM_NUMBER(Config, flag_threshold, "flag_threshold", .max = 1,
                    .doc = "From this score on, below `threshold`, the image is flagged and goes on. 0: never."),
    PM_PARAM_STRING(Config, label, "label", .def = "nsfw", .min = 1, .max = 63,
                    .doc = "What the score is said to be for, unless the classifier answers with a label. "
                           "Printable ASCII."),
    PM_PARAM_NUMBER(Config, stub_score, "stub_score", .max = 1,
                    .doc = "Mode stub: the score of images that no rule of `stub_scores` matches."),
    PM_PARAM_LIST(Config, stub_scores, "stub_scores", .max = 100,
                  .doc =
                      "Mode stub: rules glob=score, such as \"*beach*=0.95\". The first whose glob matches the whole "
                      "key gives the score; * also matches slashes."),
    PM_PARAM_ENDPOINT(Config, endpoint, "endpoint",
                      .doc = "Mode http: where a small JPEG is sent by POST. The answer is JSON."),
    PM_PARAM_DURATION(Config, timeout_ms, "timeout", .def = "3s", .min = 1, .max = 60000,
                      .doc = "Mode http: how long one answer may take."),
    PM_PARAM_INT(Config, size, "size", .def = "512", .min = 32, .max = 4096, .unit = "px",
                 .doc = "Mode http: longer side of the JPEG that is sent; a smaller image is not enlarged."),
    PM_PARAM_INT(Config, frames, "frames", .def = "4", .min = 1, .max = 64,
                 .doc = "Mode http: how many pages of an animation are sent, evenly from the first to the last, one "
                        "request each; the highest score counts."),
    PM_PARAM_STRING(Config, score_field, "score_field", .def = "score", .max = 255,
                    .doc = "Mode http: where the answer holds the score, 0 to 1: names and list places joined by "
                           "dots, such as nsfw.score or predictions.0.score."),
    PM_PARAM_STRING(Config, label_field, "label_field", .def = "label", .max = 255,
                    .doc = "Mode http: where the answer holds the label; it may be missing."),
    PM_PARAM_ENUM(Config, on_error, "on_error", .def = "fail", .choices = on_error_names,
                  .doc = "Mode http, when there is no usable answer. fail: the image is tried again later. reject: as "
                         "if the score were 1. pass: the image goes on unchecked."),
};

/* ------------------------------------------------------------------ create */

static bool has_fetch(const PmHost *host)
{
    return host->size >= offsetof(PmHost, fetch) + sizeof(host->fetch) && host->fetch != NULL;
}

static PmStatus check_stub(const PmHost *host, PmJob *job, const Config *config)
{
    for (size_t i = 0; i < config->stub_scores.count; i++) {
        const char *rule = config->stub_scores.items[i];
        if (!stub_rule_good(rule))
            return host->fail_param(job, "stub_scores",
                                    "\"%s\" is not a glob and a score from 0 to 1, as in \"*beach*=0.95\"", rule);
    }
    return PM_OK;
}

static PmStatus check_http(const PmHost *host, PmJob *job, const Config *config)
{
    if (config->endpoint == NULL) return host->fail_param(job, "mode", "http needs an endpoint to ask");
    if (!remote_path_good(config->score_field))
        return host->fail_param(job, "score_field", "\"%s\" is not names joined by dots", config->score_field);
    if (!remote_path_good(config->label_field))
        return host->fail_param(job, "label_field", "\"%s\" is not names joined by dots", config->label_field);
    if (!has_fetch(host))
        return host->fail_param(job, "mode",
                                "http is not available: this pixmill gives its plugins no network (fetch)");
    return PM_OK;
}

static PmStatus check(const PmHost *host, PmJob *job, const Config *config)
{
    if (config->flag_threshold > 0 && config->flag_threshold >= config->threshold)
        return host->fail_param(job, "flag_threshold", "%g is not below threshold %g, so nothing would ever be flagged",
                                config->flag_threshold, config->threshold);
    for (const char *c = config->label; *c != '\0'; c++)
        if (!g_ascii_isprint(*c)) return host->fail_param(job, "label", "only printable ASCII is allowed");
    return config->mode == MODE_STUB ? check_stub(host, job, config) : check_http(host, job, config);
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    PmStatus status = check(host, job, config);
    if (status != PM_OK) return status;
    NsfwHook *self = g_new0(NsfwHook, 1);
    self->host = host;
    self->config = config;
    *out = self;
    return PM_OK;
}

/* ------------------------------------------------------------------ plan and inspect */

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)job;
    const Config *config = ((NsfwHook *)data)->config;
    if (config->mode == MODE_STUB) {
        out->flags = PM_NO_PIXELS;
        out->need_width = out->need_height = 0;
        return PM_OK;
    }
    out->flags = PM_ALL_PAGES;
    double longer = VIPS_MAX(in->width, in->height);
    double shrink = longer > (double)config->size ? (double)config->size / longer : 1;
    out->need_width = (int32_t)VIPS_MAX(1, in->width * shrink + 0.5);
    out->need_height = (int32_t)VIPS_MAX(1, in->height * shrink + 0.5);
    return PM_OK;
}

static PmDecision decide(const Config *config, double score)
{
    if (score >= config->threshold) return PM_REJECT;
    return config->flag_threshold > 0 && score >= config->flag_threshold ? PM_FLAG : PM_PASS;
}

/* No usable answer: what the operator chose. */
static PmStatus unanswered(const NsfwHook *self, PmJob *job, const char *why, PmVerdict *out)
{
    const PmHost *host = self->host;
    if (self->config->on_error == ON_ERROR_FAIL)
        return host->fail(job, PM_TRANSIENT, "the classifier could not be asked: %s", why);
    bool reject = self->config->on_error == ON_ERROR_REJECT;
    host->log(job, PM_LOG_WARN, "the classifier could not be asked: %s; the image is %s as on_error says", why,
              reject ? "rejected" : "passed unchecked");
    *out = (PmVerdict){.decision = reject ? PM_REJECT : PM_PASS, .score = reject ? 1 : 0, .label = "unavailable"};
    return host->set_fact(job, "checked", "no");
}

static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    const NsfwHook *self = data;
    const Config *config = self->config;
    (void)shape;
    if (config->mode == MODE_STUB) {
        out->score = stub_score(config, self->host->fact(job, "key"));
        g_strlcpy(out->label, config->label, sizeof(out->label));
    } else {
        char why[WHY_MAX] = "";
        PmStatus status = remote_score(self->host, job, config, in, out, why);
        if (status == PM_TRANSIENT) return unanswered(self, job, why, out);
        if (status != PM_OK) return status;
    }
    out->decision = decide(config, out->score);
    return self->host->set_fact(job, "checked", mode_names[config->mode]);
}

static const PmTransform transform = {
    .name = "nsfw-hook",
    .summary = "Ask a classifier, or a stub of one, whether the image may be shown.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = g_free,
    .plan = plan,
    .inspect = inspect,
    .facts = facts,
};

PM_PLUGIN(transform, "1.0.0")
