/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "aws/classify.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "net/retry.h"

enum {
    ATTEMPTS = 3,
    OFFSETS_MAX = 16,
    BUDGETS_MAX = 32,
    HEADERS_MAX = 48,
    ERROR_BODY_MAX = 64 * 1024,
    SMALL_BODY = 256 * 1024
};

/* What a server's clock shows against ours, learnt from its Date. */
typedef struct Offset {
    char origin[256];
    int64_t seconds;
} Offset;

typedef struct Budget {
    char origin[256];
    PmRetryBucket bucket;
} Budget;

struct PmAwsClient {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmHelper *helper; /* or NULL */
    PmSigningKey key;
    Budget budgets[BUDGETS_MAX]; /* the last one is for all origins beyond the others */
    size_t budget_count;
    Offset offsets[OFFSETS_MAX];
    size_t offset_next;
    PmAwsCall *calls;
};

struct PmAwsCall {
    PmAwsClient *client;
    PmAwsCall *previous, *next;
    PmAwsRequest request; /* its strings owned, below */
    char *service, *region, *method, *origin, *path, *url;
    PmNameValue query[PM_SIGV4_PAIRS_MAX], headers[HEADERS_MAX];
    char payload_hash[65];
    PmBodyJob *digesting; /* before the first attempt */
    PmCredentialsWait *wait;
    PmHttpCall *http;
    PmTimer *timer;
    int attempt, paid;
    bool skew_corrected, credentials_renewed, uncertain, fresh_connection, was_silent;
    unsigned credentials_generation; /* of those that the last attempt was signed with */
    int64_t signed_offset;           /* seconds that the last signature's clock was set off by */
    PmAwsDone *done;
    void *data;
};

PmAwsClient *pm_aws_client_new(PmLoop *loop, PmHttp *http, PmCredentials *credentials)
{
    PmAwsClient *client = calloc(1, sizeof *client);
    if (client == NULL) return NULL;
    client->loop = loop;
    client->http = http;
    client->credentials = credentials;
    return client;
}

void pm_aws_client_use_helper(PmAwsClient *client, PmHelper *helper)
{
    client->helper = helper;
}

static void free_pairs(PmNameValue *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)pairs[i].name);
        free((char *)pairs[i].value);
    }
}

static void free_call(PmAwsCall *call)
{
    PmAwsClient *client = call->client;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else if (client->calls == call)
        client->calls = call->next;
    if (call->next != NULL) call->next->previous = call->previous;
    pm_body_digests_cancel(call->digesting);
    pm_credentials_cancel(call->wait);
    pm_http_cancel(call->http);
    pm_loop_cancel(call->timer);
    free_pairs(call->query, call->request.query_count);
    free_pairs(call->headers, call->request.header_count);
    free(call->service);
    free(call->region);
    free(call->method);
    free(call->origin);
    free(call->path);
    free(call->url);
    free(call);
}

void pm_aws_client_free(PmAwsClient *client)
{
    if (client == NULL) return;
    for (PmAwsCall *call = client->calls, *next; call != NULL; call = next) {
        next = call->next;
        free_call(call);
    }
    pm_signing_key_clear(&client->key);
    free(client);
}

void pm_aws_cancel(PmAwsCall *call)
{
    if (call != NULL) free_call(call);
}

static Offset *find_offset(PmAwsClient *client, const char *origin)
{
    for (size_t i = 0; i < OFFSETS_MAX; i++)
        if (client->offsets[i].origin[0] != '\0' && strcmp(client->offsets[i].origin, origin) == 0)
            return &client->offsets[i];
    return NULL;
}

/* One endpoint that fails takes no retries from the others. */
static PmRetryBucket *budget_of(PmAwsClient *client, const char *origin)
{
    for (size_t i = 0; i < client->budget_count; i++)
        if (i == BUDGETS_MAX - 1 || strcmp(client->budgets[i].origin, origin) == 0) return &client->budgets[i].bucket;
    Budget *budget = &client->budgets[client->budget_count++];
    pm_text_copy(budget->origin, sizeof budget->origin, origin);
    pm_retry_bucket_init(&budget->bucket);
    return &budget->bucket;
}

/* --- what an answer means --- */

static void copy_code(char *out, size_t size, const char *code)
{
    /* "com.amazonaws.sqs#QueueDoesNotExist:http://..." -> "QueueDoesNotExist" */
    const char *hash = strrchr(code, '#');
    pm_text_copy(out, size, hash != NULL ? hash + 1 : code);
    char *colon = strchr(out, ':');
    if (colon != NULL) *colon = '\0';
}

static void read_xml_error(const PmHttpResponse *http, PmAwsResponse *out)
{
    PmXml *xml = pm_xml_parse(http->body, strlen(http->body));
    if (xml == NULL) return;
    const PmXml *list = pm_xml_child(xml, "Errors", 0); /* as EC2 does, and emulators for all services */
    const PmXml *error =
        strcmp(pm_xml_name(xml), "Error") == 0 ? xml : pm_xml_child(list != NULL ? list : xml, "Error", 0);
    copy_code(out->code, sizeof out->code, pm_xml_get(error, "Code"));
    pm_text_copy(out->message, sizeof out->message, pm_xml_get(error, "Message"));
    pm_xml_free(xml);
}

static void read_json_error(const PmHttpResponse *http, PmAwsResponse *out)
{
    bool no_memory = false;
    json_t *json = pm_json_read(http->body, strlen(http->body), 0, NULL, &no_memory);
    /* What stands before the service, or an emulator, may answer as older protocols do. */
    if (json == NULL) read_xml_error(http, out);
    const char *type = json_string_value(json_object_get(json, "__type"));
    const char *message = json_string_value(json_object_get(json, "message"));
    if (message == NULL) message = json_string_value(json_object_get(json, "Message"));
    if (type != NULL) copy_code(out->code, sizeof out->code, type);
    if (message != NULL) pm_text_copy(out->message, sizeof out->message, message);
    json_decref(json);
    /* Older code style, "AWS.SimpleQueueService.NonExistentQueue;Sender": only when the body named none. */
    const char *legacy = pm_http_header(http, "x-amzn-query-error");
    if (out->code[0] == '\0' && legacy != NULL) {
        copy_code(out->code, sizeof out->code, legacy);
        char *semicolon = strchr(out->code, ';');
        if (semicolon != NULL) *semicolon = '\0';
    }
}

static void read_answer(const PmAwsCall *call, const PmHttpResponse *http, PmAwsResponse *out)
{
    *out = (PmAwsResponse){.http = http, .attempts = call->attempt, .uncertain = call->uncertain};
    const char *id = pm_http_header(http, "x-amz-request-id");
    if (id == NULL) id = pm_http_header(http, "x-amzn-requestid");
    if (id != NULL) pm_text_copy(out->request_id, sizeof out->request_id, id);
    if (http->outcome != PM_OK) {
        /* Of an object, and where a caller says so, its length is a reason; any other answer that is too long is not
         * the service's. */
        bool final = call->request.body_fd > 0 || call->request.length_is_final;
        out->status = http->outcome == PM_LIMIT && !final ? PM_TRANSIENT : http->outcome;
        pm_text_copy(out->message, sizeof out->message, http->error);
        return;
    }
    bool ok = http->status >= 200 && http->status < 300;
    if (ok && !call->request.error_in_ok) return;
    if (ok && (http->body_size == 0 || strstr(http->body, "<Error>") == NULL)) return;
    if (call->request.protocol == PM_AWS_JSON)
        read_json_error(http, out);
    else
        read_xml_error(http, out);
    if (ok && out->code[0] == '\0') pm_text_copy(out->code, sizeof out->code, "InternalError");
    out->status = pm_aws_classify(http->status, out->code);
    /* Only S3 has a HEAD, and says "no such key" without a word. */
    if (call->request.protocol != PM_AWS_S3 && out->code[0] == '\0' && out->status == PM_BAD_INPUT)
        out->status = PM_TRANSIENT;
}

PmStatus pm_aws_error(const PmAwsResponse *response, const char *operation, PmError *err)
{
    if (response->status == PM_OK) return PM_OK;
    char id[sizeof response->request_id + 16] = "";
    if (response->request_id[0] != '\0') snprintf(id, sizeof id, " (request %s)", response->request_id);
    if (response->http->status == 0) return pm_error_set(err, response->status, "%s: %s", operation, response->message);
    return pm_error_set(err, response->status, "%s: %d%s%s%s%s%s", operation, response->http->status,
                        response->code[0] != '\0' ? " " : "", response->code, response->message[0] != '\0' ? ": " : "",
                        response->message, id);
}

static void finish(PmAwsCall *call, const PmAwsResponse *response)
{
    PmAwsDone *done = call->done;
    void *data = call->data;
    call->http = NULL;
    free_call(call); /* before the callback, which may free the client */
    done(data, response);
}

/* Ends a call that never reached the network. */
static void finish_failed(PmAwsCall *call, PmStatus status, const char *message)
{
    PmHttpResponse http = {.outcome = status, .error = message, .body = "", .content_length = -1};
    PmAwsResponse response = {.http = &http, .status = status, .attempts = call->attempt, .uncertain = call->uncertain};
    pm_text_copy(response.message, sizeof response.message, message);
    finish(call, &response);
}

/* --- attempts --- */

static void attempt(PmAwsCall *call);

static void on_backoff(void *data)
{
    PmAwsCall *call = data;
    call->timer = NULL;
    attempt(call);
}

static bool retry_after(PmAwsCall *call, int64_t delay_ms)
{
    call->timer = pm_loop_after(call->client->loop, delay_ms, on_backoff, call);
    return call->timer != NULL;
}

/* Learns the server's clock; true when a new signature may do better. */
static bool correct_clock(PmAwsCall *call, const PmAwsResponse *response)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException",
                                        "SignatureDoesNotMatch", "RequestInTheFuture"};
    const char *date = pm_http_header(response->http, "date");
    struct tm tm = {0};
    if (call->skew_corrected || date == NULL || strptime(date, "%a, %d %b %Y %H:%M:%S", &tm) == NULL) return false;
    bool named = response->code[0] == '\0' && response->http->status == 403; /* the answer to a HEAD says no more */
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) named = named || strcmp(response->code, codes[i]) == 0;
    int64_t seconds = (int64_t)timegm(&tm) - pm_clock_wall_ms() / 1000;
    Offset *known = find_offset(call->client, call->origin);
    /* Not what is known by now: another call may have learned it since this one was signed. S3 allows 15 minutes,
     * others 5. */
    if (!named || llabs(seconds - call->signed_offset) < 240) return false;
    if (known == NULL) {
        known = &call->client->offsets[call->client->offset_next++ % OFFSETS_MAX];
        pm_text_copy(known->origin, sizeof known->origin, call->origin);
    }
    known->seconds = seconds;
    call->skew_corrected = true;
    return true;
}

static bool renew_credentials(PmAwsCall *call, const PmAwsResponse *response)
{
    int status = response->http->status;
    bool expired = strcmp(response->code, "ExpiredToken") == 0 ||
                   strcmp(response->code, "ExpiredTokenException") == 0 ||
                   strcmp(response->code, "TokenRefreshRequired") == 0;
    /* To a HEAD S3 says "ExpiredToken" and "AccessDenied" as a bare 400 or 403. */
    bool may_be = strcmp(call->method, "HEAD") == 0 && response->code[0] == '\0' && (status == 400 || status == 403);
    if ((!expired && !may_be) || call->credentials_renewed || call->client->credentials == NULL) return false;
    call->credentials_renewed = true;
    return pm_credentials_expire(call->client->credentials, call->credentials_generation);
}

static void on_answer(void *data, const PmHttpResponse *http)
{
    PmAwsCall *call = data;
    call->http = NULL;
    PmAwsResponse response;
    read_answer(call, http, &response);
    if (response.status == PM_OK) {
        pm_retry_refund(budget_of(call->client, call->origin), call->paid);
        finish(call, &response);
        return;
    }
    if (correct_clock(call, &response) || renew_credentials(call, &response)) {
        if (retry_after(call, 0)) return;
    } else if (response.status == PM_TRANSIENT && call->attempt < call->request.attempts_max &&
               pm_retry_pay(budget_of(call->client, call->origin), http->timed_out, &call->paid)) {
        /* The answer was lost, or the server failed half-way: the request may have been carried out. */
        call->uncertain = true;
        call->fresh_connection = http->status == 0;
        call->was_silent = http->timed_out;
        if (retry_after(call, pm_retry_delay_ms(call->attempt))) return;
    }
    finish(call, &response);
}

static bool add_header(PmHttpHeader *headers, size_t *count, const char *name, const char *value)
{
    if (*count == HEADERS_MAX + 8) return false;
    headers[(*count)++] = (PmHttpHeader){name, value};
    return true;
}

/* Sends one attempt, signed with these credentials (NULL: unsigned). */
static void send_signed(PmAwsCall *call, const PmSigningCredentials *credentials)
{
    const PmAwsRequest *request = &call->request;
    const char *host = strstr(call->origin, "://") + 3;
    PmNameValue signing_headers[HEADERS_MAX + 8];
    PmHttpHeader headers[HEADERS_MAX + 8];
    size_t signing_count = 0, count = 0;
    signing_headers[signing_count++] = (PmNameValue){"Host", host};
    add_header(headers, &count, "Host", host);
    for (size_t i = 0; i < request->header_count; i++) {
        signing_headers[signing_count++] = call->headers[i];
        add_header(headers, &count, call->headers[i].name, call->headers[i].value);
    }
    if (request->protocol == PM_AWS_S3) {
        signing_headers[signing_count++] = (PmNameValue){"x-amz-content-sha256", call->payload_hash};
        add_header(headers, &count, "x-amz-content-sha256", call->payload_hash);
    }

    PmSignature signature = {0};
    PmError err = {0};
    if (credentials != NULL) {
        const Offset *offset = find_offset(call->client, call->origin);
        call->signed_offset = offset != NULL ? offset->seconds : 0;
        PmSigning signing = {.method = call->method,
                             .path = call->path,
                             .encode_path = request->protocol != PM_AWS_S3,
                             .normalize = request->protocol != PM_AWS_S3,
                             .query = call->query,
                             .query_count = request->query_count,
                             .headers = signing_headers,
                             .header_count = signing_count,
                             .payload_hash = call->payload_hash,
                             .service = call->service,
                             .region = call->region,
                             .time_s = pm_clock_wall_ms() / 1000 + call->signed_offset};
        if (pm_sigv4_sign(&signing, credentials, &call->client->key, &signature, &err) != PM_OK) {
            finish_failed(call, err.status, err.message);
            return;
        }
        add_header(headers, &count, "x-amz-date", signature.date);
        if (credentials->session_token != NULL)
            add_header(headers, &count, "x-amz-security-token", credentials->session_token);
        add_header(headers, &count, "Authorization", signature.authorization);
    }

    if (request->body_fd > 0 && (ftruncate(request->body_fd, 0) != 0 || lseek(request->body_fd, 0, SEEK_SET) != 0)) {
        finish_failed(call, PM_BUG, "the file for the answer cannot be rewound");
        return;
    }
    if (request->received != NULL) request->received(request->received_data, NULL, 0);
    int64_t first_byte_ms =
        request->first_byte_timeout_ms != 0 ? request->first_byte_timeout_ms : PM_HTTP_FIRST_BYTE_MS;
    if (call->was_silent && request->poll_ms == 0) first_byte_ms *= 2;
    PmHttpRequest http = {.method = call->method,
                          .url = call->url,
                          .headers = headers,
                          .header_count = count,
                          .body = request->body,
                          .body_size = request->body_size,
                          .has_body = request->has_body,
                          .body_fd = request->body_fd,
                          .received = request->received,
                          .received_data = request->received_data,
                          .response_max = request->response_max,
                          .error_max = ERROR_BODY_MAX,
                          .lane = request->lane,
                          .fresh_connection = call->fresh_connection,
                          .first_byte_timeout_ms = first_byte_ms + request->poll_ms,
                          .stall_timeout_ms = request->stall_timeout_ms,
                          .timeout_ms = request->timeout_ms,
                          .bytes_per_s = request->bytes_per_s,
                          .any_speed = request->any_speed};
    call->http = pm_http_send(call->client->http, &http, on_answer, call, &err);
    if (call->http == NULL) finish_failed(call, err.status, err.message);
}

static void on_credentials(void *data, const PmSigningCredentials *found, const PmError *err)
{
    PmAwsCall *call = data;
    call->wait = NULL;
    if (found == NULL) {
        finish_failed(call, err->status, err->message);
        return;
    }
    call->credentials_generation = pm_credentials_generation(call->client->credentials);
    send_signed(call, found);
}

static void attempt(PmAwsCall *call)
{
    call->attempt++;
    if (call->client->credentials == NULL) {
        send_signed(call, NULL);
        return;
    }
    /* The callback may come at once and may end and free the call: it alone touches it then. */
    PmCredentialsWait *wait = pm_credentials_get(call->client->credentials, on_credentials, call);
    if (wait != NULL) call->wait = wait;
}

static bool copy_pairs(PmNameValue *to, const PmNameValue *from, size_t count, size_t *copied)
{
    for (*copied = 0; *copied < count; (*copied)++) {
        to[*copied] =
            (PmNameValue){strdup(from[*copied].name), strdup(from[*copied].value != NULL ? from[*copied].value : "")};
        if (to[*copied].name != NULL && to[*copied].value != NULL) continue;
        ++*copied; /* half of it is to be freed */
        return false;
    }
    return true;
}

/* --- what goes along with the body --- */

static bool add_checksum(PmAwsCall *call, const char *name, const char *value)
{
    size_t i = call->request.header_count;
    if (i == HEADERS_MAX) return false;
    call->headers[i] = (PmNameValue){strdup(name), strdup(value)};
    call->request.header_count++;
    return call->headers[i].name != NULL && call->headers[i].value != NULL;
}

static PmStatus take_digests(PmAwsCall *call, const PmBodyDigests *digests, PmError *err)
{
    bool ok = true;
    if (digests->failed)
        return pm_error_set(err, PM_BAD_CONFIG, "%s cannot be computed here: is it switched off, as in FIPS mode?",
                            digests->wants == PM_BODY_MD5 ? "an MD5" : "a SHA-256");
    pm_text_copy(call->payload_hash, sizeof call->payload_hash,
                 digests->wants_sha256 ? digests->sha256 : PM_SIGV4_UNSIGNED_PAYLOAD);
    if (digests->wants == PM_BODY_MD5) ok = add_checksum(call, "Content-MD5", digests->checksum);
    if (digests->wants == PM_BODY_CRC32)
        ok = add_checksum(call, "x-amz-checksum-crc32", digests->checksum) &&
             add_checksum(call, "x-amz-sdk-checksum-algorithm", "CRC32");
    return ok ? PM_OK : pm_error_set(err, PM_TRANSIENT, "out of memory");
}

static void on_digests(void *data, const PmBodyDigests *digests)
{
    PmAwsCall *call = data;
    PmError err = {0};
    call->digesting = NULL;
    if (digests == NULL) return; /* all ends: nothing is sent any more */
    if (take_digests(call, digests, &err) == PM_OK)
        attempt(call);
    else
        finish_failed(call, err.status, err.message);
}

/* Then the first attempt begins, from the loop. */
static PmStatus digest_body(PmAwsCall *call, PmError *err)
{
    const PmAwsRequest *request = &call->request;
    /* Over TLS the body is protected already, and S3 lets it go unsigned: that saves a pass over the bytes. */
    bool unsigned_ = request->protocol == PM_AWS_S3 && strncmp(call->origin, "https:", 6) == 0;
    PmBodyDigests digests = {.wants_sha256 = !unsigned_, .wants = request->checksum};
    bool wants = digests.wants_sha256 || digests.wants != PM_BODY_NO_CHECKSUM;
    if (wants && request->body_size > SMALL_BODY && call->client->helper != NULL)
        call->digesting =
            pm_body_digests_start(call->client->helper, &digests, request->body, request->body_size, on_digests, call);
    if (call->digesting != NULL) return PM_OK;
    pm_body_digests_compute(&digests, request->body, request->body_size);
    if (take_digests(call, &digests, err) != PM_OK) return err->status;
    call->timer = pm_loop_after(call->client->loop, 0, on_backoff, call);
    return call->timer != NULL ? PM_OK : pm_error_set(err, PM_TRANSIENT, "out of memory");
}

PmAwsCall *pm_aws_send(PmAwsClient *client, const PmAwsRequest *request, PmAwsDone *done, void *data, PmError *err)
{
    if (request->query_count > PM_SIGV4_PAIRS_MAX || request->header_count > HEADERS_MAX ||
        strstr(request->origin, "://") == NULL) {
        pm_error_set(err, PM_BUG, "a request to %s cannot be built", request->service);
        return NULL;
    }
    PmAwsCall *call = calloc(1, sizeof *call);
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    call->client = client;
    call->done = done;
    call->data = data;
    call->next = client->calls;
    if (call->next != NULL) call->next->previous = call;
    client->calls = call;

    call->request = *request;
    call->request.query_count = call->request.header_count = 0;
    if (call->request.attempts_max <= 0) call->request.attempts_max = ATTEMPTS;
    if (call->request.timeout_ms == 0) call->request.timeout_ms = 60000;
    call->service = strdup(request->service);
    call->region = strdup(request->region);
    call->method = strdup(request->method);
    call->origin = strdup(request->origin);
    call->path = strdup(request->path);
    bool ok = call->service != NULL && call->region != NULL && call->method != NULL && call->origin != NULL &&
              call->path != NULL &&
              copy_pairs(call->query, request->query, request->query_count, &call->request.query_count) &&
              copy_pairs(call->headers, request->headers, request->header_count, &call->request.header_count);
    PmBuffer url;
    pm_buffer_init(&url, PM_SIGV4_REQUEST_MAX);
    if (ok) {
        pm_buffer_addf(&url, "%s%s", call->origin, call->path);
        if (request->query_count > 0) {
            pm_buffer_adds(&url, "?");
            pm_sigv4_query(&url, call->query, call->request.query_count);
        }
    }
    call->url = pm_buffer_steal(&url);
    if (ok && call->url != NULL && digest_body(call, err) == PM_OK) return call;
    free_call(call);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}
