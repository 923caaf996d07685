/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "net/http.h"
#include "net/retry.h"

enum { RETRY_MIN_MS = 100 };

struct PmFetcher {
    PmLoop *loop;
    const PmPipeline *pipeline;
    PmHttp *http;
};

struct PmFetch {
    PmFetcher *fetcher;
    char *url, *method, *content_type; /* owned */
    PmMapping body;                    /* owned */
    const PmJobNames *names;
    int64_t timeout_ms;
    int tries;
    PmHttpCall *call;
    PmTimer *timer;
    PmError refused; /* set: it is not carried out */
    PmFetchDone *done;
    void *data;
};

/* --- what may be asked --- */

static bool stands_in(const PmNode *node, const char *text)
{
    if (node == NULL) return false;
    if (node->text != NULL && strcmp(node->text, text) == 0) return true;
    for (size_t i = 0; i < node->count; i++) {
        const PmNode *below = node->items != NULL ? node->items[i] : node->pairs != NULL ? node->pairs[i].value : NULL;
        if (stands_in(below, text)) return true;
    }
    return false;
}

static bool in_steps(const PmStep *steps, size_t count, const char *url)
{
    for (size_t i = 0; i < count; i++)
        if (stands_in(steps[i].params, url)) return true;
    return false;
}

bool pm_fetch_is_declared(const PmPipeline *pipeline, const char *url)
{
    if (in_steps(pipeline->steps, pipeline->step_count, url)) return true;
    for (size_t i = 0; i < pipeline->output_count; i++)
        if (in_steps(pipeline->outputs[i].steps, pipeline->outputs[i].step_count, url)) return true;
    return false;
}

static void judge(PmFetch *fetch)
{
    PmError *err = &fetch->refused;
    char origin[300];
    pm_text_origin(origin, sizeof origin, fetch->url);
    if (strcmp(fetch->method, "GET") != 0 && strcmp(fetch->method, "POST") != 0 && strcmp(fetch->method, "PUT") != 0)
        pm_error_set(err, PM_BAD_CONFIG, "method \"%.20s\" is none of GET, POST, PUT", fetch->method);
    else if (strncmp(fetch->url, "http://", 7) != 0 && strncmp(fetch->url, "https://", 8) != 0)
        pm_error_set(err, PM_BAD_CONFIG, "the address is not an http(s) URL");
    else if (!pm_fetch_is_declared(fetch->fetcher->pipeline, fetch->url))
        pm_error_set(err, PM_BAD_CONFIG, "the URL at %s is in no step of the pipeline file", origin);
}

/* --- the exchange --- */

static void free_fetch(PmFetch *fetch)
{
    pm_http_cancel(fetch->call);
    pm_loop_cancel(fetch->timer);
    pm_memfd_unmap(&fetch->body);
    free(fetch->url);
    free(fetch->method);
    free(fetch->content_type);
    free(fetch);
}

static void finish(PmFetch *fetch, json_t *fetched, int fd)
{
    PmFetchDone *done = fetch->done;
    void *data = fetch->data;
    free_fetch(fetch);
    done(data, fetched, fd);
    json_decref(fetched);
    if (fd >= 0) close(fd);
}

static void fail(PmFetch *fetch, const PmError *err)
{
    char origin[300];
    pm_text_origin(origin, sizeof origin, fetch->url);
    pm_log(PM_LOG_WARN, "fetch.failed", PM_JOB_NAMES(fetch->names), "url", origin, "msg", err->message, NULL);
    finish(fetch, json_pack("{so}", "error", pm_error_to_json(err)), -1);
}

static void send_request(void *data);

static void on_response(void *data, const PmHttpResponse *response)
{
    PmFetch *fetch = data;
    const PmFetchConfig *config = &fetch->fetcher->pipeline->fetch;
    PmError err = {0};
    char type[200];
    fetch->call = NULL;
    bool again = response->outcome == PM_TRANSIENT || (response->outcome == PM_OK && response->status >= 500);
    if (again && fetch->tries <= config->retries) {
        int64_t delay = pm_retry_delay_ms(fetch->tries);
        fetch->timer =
            pm_loop_after(fetch->fetcher->loop, delay > RETRY_MIN_MS ? delay : RETRY_MIN_MS, send_request, fetch);
        if (fetch->timer != NULL) return;
    }
    if (response->outcome == PM_LIMIT) {
        pm_text_bytes(type, sizeof type, config->response_max);
        pm_error_set(&err, PM_LIMIT, "the answer is longer than fetch.response_max, %s", type);
    } else if (response->outcome == PM_BAD_CONFIG) {
        pm_error_set(&err, PM_BAD_CONFIG, "%s", response->error);
        pm_error_hint(&err, "fetch.link_local: true allows it");
    } else if (response->outcome != PM_OK) {
        pm_error_set(&err, response->outcome, "%s", response->error);
    }
    int fd = err.status == PM_OK ? pm_memfd_new("response", response->body, response->body_size, &err) : -1;
    if (err.status != PM_OK) {
        fail(fetch, &err);
        return;
    }
    const char *given = pm_http_header(response, "content-type");
    json_t *fetched = json_pack("{si}", "status", response->status);
    pm_text_utf8(type, sizeof type, given != NULL ? given : "");
    if (given != NULL) json_object_set_new(fetched, "content_type", json_string(type));
    finish(fetch, fetched, fd);
}

static void send_request(void *data)
{
    PmFetch *fetch = data;
    const PmFetchConfig *config = &fetch->fetcher->pipeline->fetch;
    PmHttpHeader header = {"Content-Type", fetch->content_type};
    PmHttpRequest request = {.method = fetch->method,
                             .url = fetch->url,
                             .headers = &header,
                             .header_count = fetch->content_type != NULL ? 1 : 0,
                             .body = fetch->body.bytes,
                             .body_size = fetch->body.size,
                             .has_body = strcmp(fetch->method, "GET") != 0,
                             .response_max = (size_t)config->response_max,
                             .timeout_ms = fetch->timeout_ms,
                             .first_byte_timeout_ms = -1, /* what it computes may take as long as fetch.timeout */
                             .no_link_local = !config->link_local};
    PmError err = fetch->refused;
    fetch->timer = NULL;
    fetch->tries++;
    if (err.status == PM_OK) fetch->call = pm_http_send(fetch->fetcher->http, &request, on_response, fetch, &err);
    if (fetch->call == NULL) fail(fetch, &err);
}

PmFetch *pm_fetch_start(PmFetcher *fetcher, const json_t *request, PmMapping body, const PmJobNames *names,
                        PmFetchDone *done, void *data)
{
    PmFetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        pm_memfd_unmap(&body);
        return NULL;
    }
    const char *url = json_string_value(json_object_get(request, "url")),
               *method = json_string_value(json_object_get(request, "method")),
               *type = json_string_value(json_object_get(request, "content_type"));
    int64_t asked = json_integer_value(json_object_get(request, "timeout_ms"));
    *fetch = (PmFetch){.fetcher = fetcher, .body = body, .names = names, .done = done, .data = data};
    fetch->timeout_ms = fetcher->pipeline->fetch.timeout;
    if (asked > 0 && asked < fetch->timeout_ms) fetch->timeout_ms = asked;
    fetch->url = strdup(url != NULL ? url : "");
    fetch->method = strdup(method != NULL ? method : "");
    if (type != NULL) fetch->content_type = strdup(type);
    if (fetch->url != NULL && fetch->method != NULL && (type == NULL || fetch->content_type != NULL)) {
        judge(fetch);
        fetch->timer = pm_loop_after(fetcher->loop, 0, send_request, fetch);
    }
    if (fetch->timer != NULL) return fetch;
    free_fetch(fetch);
    return NULL;
}

void pm_fetch_cancel(PmFetch *fetch)
{
    if (fetch != NULL) free_fetch(fetch);
}

/* --- life --- */

PmFetcher *pm_fetcher_new(PmLoop *loop, const PmPipeline *pipeline, PmError *err)
{
    PmFetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher != NULL) {
        *fetcher = (PmFetcher){.loop = loop, .pipeline = pipeline};
        fetcher->http =
            pm_http_new(loop, &(PmHttpOptions){.ca_file = pm_pipeline_shared_text(pipeline, "ca_bundle")}, err);
    }
    if (fetcher != NULL && fetcher->http != NULL) return fetcher;
    free(fetcher);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

void pm_fetcher_free(PmFetcher *fetcher)
{
    if (fetcher == NULL) return;
    pm_http_free(fetcher->http);
    free(fetcher);
}
