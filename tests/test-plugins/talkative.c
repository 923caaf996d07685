/* SPDX-License-Identifier: Apache-2.0
 *
 * An inspector that puts all it was configured with into what it says: a secret, its endpoint's URL and the parts of
 * it. `say` chooses where: into the log, into an error of create(), into one of inspect(), or of libvips, or onto
 * stdout.
 */
#include <pixmill/plugin.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

typedef struct Config {
    int32_t say;
    const char *token, *endpoint;
    PmList tokens;
} Config;

enum { SAY_LOG, SAY_PARAM, SAY_FAIL, SAY_VIPS, SAY_FETCH, SAY_PRINT };
static const char *const ways[] = {"log", "param", "fail", "vips", "fetch", "print", NULL};

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, say, "say", .def = "log", .choices = ways, .doc = "Where it says it."),
    PM_PARAM_STRING(Config, token, "token", .flags = PM_SECRET, .max = 60, .doc = "A secret."),
    PM_PARAM_LIST(Config, tokens, "tokens", .flags = PM_SECRET, .doc = "More secrets."),
    PM_PARAM_ENDPOINT(Config, endpoint, "endpoint", .doc = "A URL."),
};

typedef struct Self {
    const PmHost *host;
    const Config *config;
} Self;

static char *everything(const Config *config)
{
    const char *url = config->endpoint != NULL ? config->endpoint : "", *query = strchr(url, '?');
    GString *text = g_string_new("");
    g_string_append_printf(text, "token %s, ", config->token != NULL ? config->token : "");
    for (size_t i = 0; i < config->tokens.count; i++) g_string_append_printf(text, "%s, ", config->tokens.items[i]);
    g_string_append_printf(text, "url %s, query %s", url, query != NULL ? query + 1 : "");
    return g_string_free(text, FALSE);
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    const Config *c = config;
    if (c->say == SAY_PARAM) {
        char *text = everything(c);
        PmStatus status = host->fail_param(job, "say", "%s", text);
        g_free(text);
        return status;
    }
    Self *self = g_new0(Self, 1);
    *self = (Self){host, config};
    *out = self;
    return PM_OK;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job, (void)in;
    out->flags = PM_NO_PIXELS;
    return PM_OK;
}

static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    const Self *self = data;
    (void)shape, (void)in, (void)out;
    char *text = everything(self->config);
    PmStatus status = PM_OK;
    if (self->config->say == SAY_FETCH) {
        PmRequest request = {.size = sizeof request, .endpoint = "endpoint"};
        PmResponse response = {0};
        status = self->host->fetch(job, &request, &response);
    } else if (self->config->say == SAY_FAIL) {
        status = self->host->fail(job, PM_BAD_INPUT, "%s", text);
    } else if (self->config->say == SAY_VIPS) {
        vips_error("talkative", "%s", text);
        status = PM_BAD_INPUT;
    } else if (self->config->say == SAY_PRINT) {
        printf("%s\n", text);
    } else {
        self->host->log(job, PM_LOG_WARN, "%s", text);
    }
    g_free(text);
    return status;
}

static const PmTransform transform = {
    .name = "talkative",
    .summary = "Say all that it knows.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = g_free,
    .plan = plan,
    .inspect = inspect,
};

PM_PLUGIN(transform, "1.0.0")
