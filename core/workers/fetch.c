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
    PmFindSigner *find;
    void *find_data;
};

struct PmFetch {
    PmFetcher *fetcher;
    char *url, *method, *content_type; /* owned */
    PmMapping body;                    /* owned */
    const PmJobNames *names;
    int64_t timeout_ms;
    int tries;
    PmHttpCall *call;
    PmSigner *signer; /* of the next */
    PmSignedCall *signed_call;
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

static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

/* For messages: of a URL its origin, since the rest may hold secrets; a call to be signed has none. */
static const char *shown(const char *url, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:/";
    pm_text_origin(out, size, url);
    if (strncmp(url, "aws://", 6) == 0 && url[strspn(url, plain)] == '\0') pm_text_copy(out, size, url);
    return out;
}

/* The signer judges it again: the child may name any that was declared, and none but those. */
static void judge_signed(PmFetch *fetch, const json_t *declared)
{
    PmFetcher *fetcher = fetch->fetcher;
    PmError *err = &fetch->refused;
    char text[300];
    if (strcmp(fetch->method, "POST") != 0)
        pm_error_set(err, PM_BAD_CONFIG, "method \"%.20s\" is not POST, as %s takes", fetch->method,
                     shown(fetch->url, text, sizeof text));
    else if (fetcher->find == NULL)
        pm_error_set(err, PM_BAD_CONFIG, "nobody signs calls here, which %s needs",
                     shown(fetch->url, text, sizeof text));
    else if (json_object_get(declared, fetch->url) == NULL)
        pm_error_set(err, PM_BAD_CONFIG, "%s is not an endpoint of any step of the pipeline file",
                     shown(fetch->url, text, sizeof text));
    if (err->status != PM_OK) return;
    fetch->signer = fetcher->find(fetcher->find_data, fetch->url, err);
    if (fetch->signer != NULL) fetch->signer->ops->judge(fetch->signer, fetch->url, err);
}

static void judge(PmFetch *fetch, const json_t *declared)
{
    PmError *err = &fetch->refused;
    char origin[300];
    pm_text_origin(origin, sizeof origin, fetch->url);
    if (strncmp(fetch->url, "aws://", 6) == 0) {
        judge_signed(fetch, declared);
        return;
    }
    if (strcmp(fetch->method, "GET") != 0 && strcmp(fetch->method, "POST") != 0 && strcmp(fetch->method, "PUT") != 0)
        pm_error_set(err, PM_BAD_CONFIG, "method \"%.20s\" is none of GET, POST, PUT", fetch->method);
    else if (!is_http(fetch->url))
        pm_error_set(err, PM_BAD_CONFIG, "the address is not an http(s) URL");
    else if (!pm_fetch_is_declared(fetch->fetcher->pipeline, fetch->url))
        pm_error_set(err, PM_BAD_CONFIG, "the URL at %s is in no step of the pipeline file", origin);
}

/* --- the exchange --- */

static void free_fetch(PmFetch *fetch)
{
    pm_http_cancel(fetch->call);
    if (fetch->signed_call != NULL) fetch->signer->ops->cancel(fetch->signed_call);
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
    char text[300];
    pm_log(PM_LOG_WARN, "fetch.failed", PM_JOB_NAMES(fetch->names), "url", shown(fetch->url, text, sizeof text), "msg",
           err->message, "hint", err->hint[0] != '\0' ? err->hint : NULL, NULL);
    finish(fetch, json_pack("{so}", "error", pm_error_to_json(err)), -1);
}

static void send_request(void *data);

static void hand_over(PmFetch *fetch, int status, const char *content_type, const void *body, size_t size)
{
    char type[200];
    PmError err = {0};
    int fd = pm_memfd_new("response", body, size, &err);
    if (fd < 0) {
        fail(fetch, &err);
        return;
    }
    json_t *fetched = json_pack("{si}", "status", status);
    pm_text_utf8(type, sizeof type, content_type != NULL ? content_type : "");
    if (content_type != NULL) json_object_set_new(fetched, "content_type", json_string(type));
    finish(fetch, fetched, fd);
}

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
    if (err.status != PM_OK)
        fail(fetch, &err);
    else
        hand_over(fetch, response->status, pm_http_header(response, "content-type"), response->body,
                  response->body_size);
}

static void on_signed_answer(void *data, const PmSignedAnswer *answer)
{
    PmFetch *fetch = data;
    fetch->signed_call = NULL;
    if (answer->error.status != PM_OK)
        fail(fetch, &answer->error);
    else
        hand_over(fetch, answer->http_status, answer->content_type, answer->body, answer->body_size);
}

/* The signer tries again by itself: each attempt has a signature of its own. */
static void send_to_be_signed(PmFetch *fetch)
{
    const PmFetchConfig *config = &fetch->fetcher->pipeline->fetch;
    PmSignedRequest request = {.url = fetch->url,
                               .body = fetch->body.bytes,
                               .body_size = fetch->body.size,
                               .response_max = (size_t)config->response_max,
                               .timeout_ms = fetch->timeout_ms,
                               .attempts_max = 1 + (int)config->retries};
    PmError err = {0};
    fetch->signed_call = fetch->signer->ops->send(fetch->signer, &request, on_signed_answer, fetch, &err);
    if (fetch->signed_call == NULL) fail(fetch, &err);
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
    if (err.status == PM_OK && fetch->signer != NULL) {
        send_to_be_signed(fetch);
        return;
    }
    if (err.status == PM_OK) fetch->call = pm_http_send(fetch->fetcher->http, &request, on_response, fetch, &err);
    if (fetch->call == NULL) fail(fetch, &err);
}

PmFetch *pm_fetch_start(PmFetcher *fetcher, const json_t *request, PmMapping body, const json_t *declared,
                        const PmJobNames *names, PmFetchDone *done, void *data)
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
        judge(fetch, declared);
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

PmFetcher *pm_fetcher_new(PmLoop *loop, const PmPipeline *pipeline, PmFindSigner *find, void *data, PmError *err)
{
    PmFetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher != NULL) {
        *fetcher = (PmFetcher){.loop = loop, .pipeline = pipeline, .find = find, .find_data = data};
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
