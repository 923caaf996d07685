/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/runtime_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum {
    ANSWER_MAX = 64 * 1024,
    HEADERS_SLACK = 64 * 1024, /* beyond the payload, which the service itself bounds */
    ANSWER_TIMEOUT_MS = 10000,
    INIT_TIMEOUT_MS = 3000
};

struct PmRuntimeApi {
    PmLoop *loop;
    PmHttp *http;
    char base[320]; /* "http://address:port/2018-06-01/runtime" */
    PmHttpCall *call;
    bool again; /* the lost connection was replaced once */
    char *body; /* of the answer under way */
    PmRuntimeNext *on_next;
    PmRuntimeDone *on_done;
    void *data;
    const char *what;
};

PmRuntimeApi *pm_runtime_api_new(PmLoop *loop, const char *host, PmError *err)
{
    PmRuntimeApi *api = calloc(1, sizeof *api);
    if (api == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    api->loop = loop;
    snprintf(api->base, sizeof api->base, "http://%.255s/2018-06-01/runtime", host);
    api->http = pm_http_new(loop, &(PmHttpOptions){0}, err);
    if (api->http != NULL) return api;
    free(api);
    return NULL;
}

void pm_runtime_api_free(PmRuntimeApi *api)
{
    if (api == NULL) return;
    pm_http_cancel(api->call);
    pm_http_free(api->http);
    free(api->body);
    free(api);
}

/* What the transport or the service said. */
static void refuse(const PmRuntimeApi *api, const PmHttpResponse *response, PmError *err)
{
    char said[300];
    pm_text_escape(said, sizeof said, response->status != 0 ? response->body : response->error);
    pm_error_set(err, PM_TRANSIENT, "the Lambda Runtime API: %s: %d %s", api->what, response->status, said);
}

/* --- next --- */

static bool send_next(PmRuntimeApi *api, PmError *err);

static void on_next(void *data, const PmHttpResponse *response)
{
    PmRuntimeApi *api = data;
    PmError err = {0};
    api->call = NULL;
    if (response->outcome == PM_TRANSIENT && !api->again) {
        api->again = true;
        pm_log(PM_LOG_DEBUG, "lambda.reconnect", "msg", response->error, NULL);
        if (send_next(api, &err)) return;
    }
    PmInvocationHead head = {0};
    const char *id = pm_http_header(response, "Lambda-Runtime-Aws-Request-Id");
    const char *trace = pm_http_header(response, "Lambda-Runtime-Trace-Id");
    const char *arn = pm_http_header(response, "Lambda-Runtime-Invoked-Function-Arn");
    const char *deadline = pm_http_header(response, "Lambda-Runtime-Deadline-Ms");
    if (response->outcome != PM_OK || response->status != 200 || id == NULL || id[0] == '\0' ||
        strlen(id) >= sizeof head.request_id) {
        refuse(api, response, &err);
        api->on_next(api->data, NULL, NULL, 0, &err);
        return;
    }
    pm_text_copy(head.request_id, sizeof head.request_id, id);
    pm_text_copy(head.trace_id, sizeof head.trace_id, trace != NULL ? trace : "");
    pm_text_copy(head.function_arn, sizeof head.function_arn, arn != NULL ? arn : "");
    head.deadline_ms = deadline != NULL ? strtoll(deadline, NULL, 10) : 0;
    api->on_next(api->data, &head, response->body, response->body_size, NULL);
}

/* No timeout: the answer may come hours later, and the process may be frozen meanwhile. */
static bool send_next(PmRuntimeApi *api, PmError *err)
{
    char url[400];
    snprintf(url, sizeof url, "%s/invocation/next", api->base);
    api->what = "next invocation";
    PmHttpRequest request = {.method = "GET",
                             .url = url,
                             .response_max = PM_RUNTIME_PAYLOAD_MAX + HEADERS_SLACK,
                             .first_byte_timeout_ms = -1,
                             .stall_timeout_ms = -1,
                             .direct = true};
    api->call = pm_http_send(api->http, &request, on_next, api, err);
    return api->call != NULL;
}

bool pm_runtime_next(PmRuntimeApi *api, PmRuntimeNext *done, void *data, PmError *err)
{
    api->on_next = done;
    api->data = data;
    api->again = false;
    return send_next(api, err);
}

/* --- answers --- */

static void on_answered(void *data, const PmHttpResponse *response)
{
    PmRuntimeApi *api = data;
    PmError err = {0};
    api->call = NULL;
    free(api->body);
    api->body = NULL;
    if (response->outcome != PM_OK || response->status / 100 != 2) refuse(api, response, &err);
    api->on_done(api->data, err.status != PM_OK ? &err : NULL);
}

static bool post(PmRuntimeApi *api, const char *path, const char *type, const char *body, size_t size,
                 int64_t timeout_ms, PmError *err)
{
    char url[600];
    snprintf(url, sizeof url, "%s%s", api->base, path);
    const PmHttpHeader headers[] = {{"Content-Type", "application/json"}, {"Lambda-Runtime-Function-Error-Type", type}};
    api->body = malloc(size + 1);
    if (api->body == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return false;
    }
    memcpy(api->body, body, size);
    PmHttpRequest request = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .header_count = type != NULL ? 2 : 1,
                             .body = api->body,
                             .body_size = size,
                             .has_body = true,
                             .response_max = ANSWER_MAX,
                             .timeout_ms = timeout_ms,
                             .direct = true};
    api->call = pm_http_send(api->http, &request, on_answered, api, err);
    if (api->call != NULL) return true;
    free(api->body);
    api->body = NULL;
    return false;
}

bool pm_runtime_respond(PmRuntimeApi *api, const char *request_id, const char *body, size_t size, PmRuntimeDone *done,
                        void *data, PmError *err)
{
    char path[200];
    snprintf(path, sizeof path, "/invocation/%s/response", request_id);
    api->on_done = done;
    api->data = data;
    api->what = "response";
    return post(api, path, NULL, body, size, ANSWER_TIMEOUT_MS, err);
}

static bool post_error(PmRuntimeApi *api, const char *path, const char *type, const char *message, int64_t timeout_ms,
                       PmError *err)
{
    json_t *body = json_pack("{ssss+s[]}", "errorType", type, "errorMessage", message, "", "stackTrace");
    char *text = body != NULL ? pm_json_text(body, JSON_COMPACT) : NULL;
    bool ok = text != NULL && post(api, path, type, text, strlen(text), timeout_ms, err);
    if (text == NULL) pm_error_set(err, PM_TRANSIENT, "out of memory");
    free(text);
    json_decref(body);
    return ok;
}

bool pm_runtime_fail(PmRuntimeApi *api, const char *request_id, const char *type, const char *message,
                     PmRuntimeDone *done, void *data, PmError *err)
{
    char path[200];
    snprintf(path, sizeof path, "/invocation/%s/error", request_id);
    api->on_done = done;
    api->data = data;
    api->what = "error";
    return post_error(api, path, type, message, ANSWER_TIMEOUT_MS, err);
}

/* --- the start --- */

typedef struct Init {
    PmLoop *loop;
    PmError err;
} Init;

static void on_init_told(void *data, const PmError *err)
{
    Init *init = data;
    if (err != NULL) init->err = *err;
    pm_loop_stop(init->loop);
}

PmStatus pm_runtime_init_error(const char *host, const char *type, const char *message, PmError *err)
{
    Init init = {.loop = pm_loop_new(err)};
    PmRuntimeApi *api = init.loop != NULL ? pm_runtime_api_new(init.loop, host, err) : NULL;
    if (api != NULL) {
        api->on_done = on_init_told;
        api->data = &init;
        api->what = "init error";
        if (post_error(api, "/init/error", type, message, INIT_TIMEOUT_MS, err)) pm_loop_run(init.loop);
    }
    if (init.err.status != PM_OK && err->status == PM_OK) *err = init.err;
    pm_runtime_api_free(api);
    if (init.loop != NULL) pm_loop_free(init.loop);
    return err->status;
}
