/* SPDX-License-Identifier: Apache-2.0
 *
 * An inspector that calls a service of AWS with a JPEG of the picture, as such inspectors do, and sets facts from the
 * answer: its HTTP status and how many things it is sure of to some degree. `send: nothing` posts an empty object.
 */
#include <pixmill/plugin.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

typedef struct Config {
    const char *endpoint, *second;
    int32_t send;
} Config;

enum { SEND_IMAGE, SEND_NOTHING, SEND_GET };
static const char *const what[] = {"image", "nothing", "get", NULL};
static const char *const facts[] = {"status", "count", NULL};

static const PmParam params[] = {
    PM_PARAM_ENDPOINT(Config, endpoint, "endpoint", .def = "aws://rekognition/DetectFaces", .doc = "What is called."),
    PM_PARAM_ENDPOINT(Config, second, "second", .doc = "Declared, and not called."),
    PM_PARAM_ENUM(Config, send, "send", .def = "image", .choices = what, .doc = "What is sent."),
};

typedef struct Self {
    const PmHost *host;
    const Config *config;
} Self;

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    (void)job;
    Self *self = g_new0(Self, 1);
    *self = (Self){host, config};
    *out = self;
    return PM_OK;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job, (void)in, (void)out;
    return PM_OK;
}

static char *body_of(const Self *self, VipsImage *in)
{
    void *bytes = NULL;
    size_t size = 0;
    if (self->config->send != SEND_IMAGE) return g_strdup("{}");
    if (vips_jpegsave_buffer(in, &bytes, &size, NULL)) return NULL;
    char *base64 = g_base64_encode(bytes, size);
    char *body = g_strdup_printf("{\"Image\":{\"Bytes\":\"%s\"}}", base64);
    g_free(bytes);
    g_free(base64);
    return body;
}

static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    const Self *self = data;
    (void)shape, (void)out;
    PmResponse response = {0};
    char text[20];
    char *body = body_of(self, in);
    if (body == NULL) return PM_BUG;
    PmRequest request = {.size = sizeof request, .endpoint = "endpoint", .content_type = "text/plain", .body = body};
    request.body_size = strlen(body);
    if (self->config->send == SEND_GET) request.method = "GET";
    PmStatus status = self->host->fetch(job, &request, &response);
    g_free(body);
    if (status != PM_OK) return status;
    int count = 0;
    for (const char *at = response.body; (at = strstr(at, "\"Confidence\"")) != NULL; at++) count++;
    snprintf(text, sizeof text, "%d", (int)response.status);
    status = self->host->set_fact(job, "status", text);
    snprintf(text, sizeof text, "%d", count);
    return status == PM_OK ? self->host->set_fact(job, "count", text) : status;
}

static void destroy(void *self)
{
    g_free(self);
}

static const PmTransform transform = {
    .name = "caller",
    .summary = "Calls a service of AWS.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .inspect = inspect,
    .facts = facts,
};

PM_PLUGIN(transform, "1.0.0")
