/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PIXMILL_VERSION
#define PIXMILL_VERSION "0"
#endif

enum { HEADERS_MAX_BYTES = 64 * 1024 };

typedef struct Socket {
    PmHttp *http;
    PmWatch *watch;
} Socket;

/* --- libcurl's sockets and timer on our loop (CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION) --- */

static void free_call(PmHttpCall *call)
{
    PmHttp *http = call->http;
    if (call == http->calls)
        http->calls = call->next;
    else
        call->previous->next = call->next;
    if (call->next != NULL) call->next->previous = call->previous;
    if (call->running) curl_multi_remove_handle(http->multi, call->easy);
    pm_http_lanes_leave(call);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->list);
    pm_buffer_finish(&call->headers.text);
    pm_buffer_finish(&call->body);
    free(call);
}

static void report(PmHttpCall *call, CURLcode code)
{
    long status = 0;
    curl_off_t length = -1;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (call->cut) code = CURLE_OK; /* we ended it ourselves, with all that is wanted of it */
    PmHttpResponse response = {
        .status = (int)status,
        .outcome = code == CURLE_OK ? PM_OK
                   : call->too_long ? PM_LIMIT
                   : call->refused  ? PM_BAD_CONFIG
                                    : PM_TRANSIENT,
        .timed_out = code == CURLE_OPERATION_TIMEDOUT,
        .error = code == CURLE_OK         ? ""
                 : call->too_long         ? "the answer is longer than allowed"
                 : call->refused          ? "its address is link-local, which is refused"
                 : call->error[0] != '\0' ? call->error
                                          : curl_easy_strerror(code),
        .body = call->body.data != NULL ? call->body.data : "",
        .body_size = call->received,
        .content_length = length,
        .headers = &call->headers,
    };
    if (code != CURLE_OK) response.status = 0;
    call->done(call->data, &response);
}

void pm_http_finish(PmHttpCall *call, CURLcode code)
{
    report(call, code);
    free_call(call);
}

static void collect(PmHttp *http)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        PmHttpCall *call = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        pm_http_finish(call, code);
    }
}

static void on_socket(void *data, int fd, unsigned events)
{
    PmHttp *http = ((Socket *)data)->http;
    int mask = ((events & PM_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & PM_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & PM_HANGUP) != 0 ? CURL_CSELECT_ERR : 0);
    int running = 0;
    curl_multi_socket_action(http->multi, fd, mask, &running);
    collect(http);
}

static PmHttpCall *first_starved(const PmHttp *http)
{
    PmHttpCall *call = http->calls;
    while (call != NULL && !call->starved) /* NOLINT(clang-analyzer-unix.Malloc): what has ended is off the list */
        call = call->next;
    return call;
}

static void on_starved(void *data)
{
    PmHttp *http = data;
    http->starved = NULL;
    /* Looked for anew each time: the callback may have ended others. */
    for (PmHttpCall *call; (call = first_starved(http)) != NULL;) pm_http_finish(call, CURLE_OUT_OF_MEMORY);
}

/* Nothing tells when its socket has something for us. */
static void end_starved(PmHttp *http, PmHttpCall *call)
{
    if (call != NULL) call->starved = true;
    if (http->starved == NULL) http->starved = pm_loop_after(http->loop, 0, on_starved, http);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    PmHttp *http = data;
    Socket *slot = socket_data;
    PmHttpCall *call = NULL;
    if (easy != NULL) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
    if (call != NULL && what != CURL_POLL_REMOVE)
        call->socket = fd;
    else if (call != NULL && call->socket == fd)
        call->socket = -1;
    if (what == CURL_POLL_REMOVE) {
        if (slot != NULL) pm_loop_unwatch(slot->watch);
        free(slot);
        curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    unsigned events =
        ((what & CURL_POLL_IN) != 0 ? PM_READABLE : 0u) | ((what & CURL_POLL_OUT) != 0 ? PM_WRITABLE : 0u);
    if (slot != NULL) {
        pm_loop_watch_events(slot->watch, events);
        return 0;
    }
    slot = calloc(1, sizeof *slot);
    if (slot != NULL) slot->watch = pm_loop_watch(http->loop, fd, events, on_socket, slot);
    if (slot == NULL || slot->watch == NULL) {
        free(slot);
        end_starved(http, call);
        return 0; /* -1 would end all of libcurl's transfers, now and for good */
    }
    slot->http = http;
    curl_multi_assign(http->multi, fd, slot);
    return 0;
}

static void on_timer(void *data)
{
    PmHttp *http = data;
    http->timer = NULL;
    int running = 0;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(http);
}

static int set_timer(CURLM *multi, long timeout_ms, void *data)
{
    (void)multi;
    PmHttp *http = data;
    pm_loop_cancel(http->timer);
    http->timer = timeout_ms >= 0 ? pm_loop_after(http->loop, timeout_ms, on_timer, http) : NULL;
    return 0;
}

/* --- one exchange --- */

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
    PmHttpCall *call = data;
    struct PmHttpHeaders *headers = &call->headers;
    size_t n = size * count;
    if (n > 5 && strncmp(line, "HTTP/", 5) == 0) { /* a new answer (after 100 Continue): forget the one before */
        pm_buffer_clear(&headers->text);
        headers->count = 0;
        return n;
    }
    call->pace.answered = true;
    const char *colon = memchr(line, ':', n);
    if (colon == NULL || headers->count == PM_HTTP_HEADERS_MAX) return n;
    const char *value = colon + 1, *end = line + n;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) end--;
    size_t name_at = headers->text.size;
    bool ok = pm_buffer_add(&headers->text, line, (size_t)(colon - line)) && pm_buffer_add(&headers->text, "", 1);
    size_t value_at = headers->text.size;
    ok = ok && pm_buffer_add(&headers->text, value, (size_t)(end - value)) && pm_buffer_add(&headers->text, "", 1);
    if (!ok) return 0; /* more than 64 KiB of headers: ends the exchange */
    headers->offsets[headers->count][0] = name_at;
    headers->offsets[headers->count++][1] = value_at;
    return n;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n <= 0) return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
    PmHttpCall *call = data;
    size_t n = size * count;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    bool wanted = status >= 200 && status < 300;
    size_t max = !wanted && call->error_max > 0 ? call->error_max : call->response_max;
    if (n > max - call->received) {
        if (wanted || call->error_max == 0) {
            call->too_long = true;
            return 0;
        }
        /* The service's words stand at the beginning; the rest of such a page is worth no memory and no time. */
        call->cut = pm_buffer_add(&call->body, bytes, max - call->received);
        if (call->cut) call->received = max;
        return 0;
    }
    bool to_file = call->body_fd > 0 && wanted;
    if (to_file ? !write_all(call->body_fd, bytes, n) : !pm_buffer_add(&call->body, bytes, n)) return 0;
    if (to_file && n > 0 && call->told != NULL) call->told(call->told_data, bytes, n);
    call->received += n;
    return n;
}

static size_t give_body(char *out, size_t size, size_t count, void *data)
{
    PmHttpCall *call = data;
    size_t n = size * count, left = call->upload_size - call->upload_at;
    if (n > left) n = left;
    if (n > 0) memcpy(out, call->upload + call->upload_at, n);
    call->upload_at += n;
    return n;
}

static int rewind_body(void *data, curl_off_t offset, int origin)
{
    PmHttpCall *call = data;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > call->upload_size) return CURL_SEEKFUNC_FAIL;
    call->upload_at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static PmStatus set_headers(PmHttpCall *call, const PmHttpRequest *request, PmError *err)
{
    PmBuffer line;
    pm_buffer_init(&line, HEADERS_MAX_BYTES);
    bool ok = true, sound = true;
    for (size_t i = 0; ok && i < request->header_count; i++) {
        const PmHttpHeader *header = &request->headers[i];
        pm_buffer_clear(&line);
        /* "Name;" is libcurl's way of sending a header without a value. */
        ok = strpbrk(header->value, "\r\n") == NULL &&
             (header->value[0] != '\0' ? pm_buffer_addf(&line, "%s: %s", header->name, header->value)
                                       : pm_buffer_addf(&line, "%s;", header->name));
        sound = ok || line.no_memory;
        struct curl_slist *longer = ok ? curl_slist_append(call->list, line.data) : NULL;
        ok = longer != NULL;
        if (ok) call->list = longer;
    }
    /* No header that was not asked for: "Name:" takes libcurl's own away. */
    static const char *const unwanted[] = {"Expect:", "Accept:"};
    for (size_t i = 0; ok && i < sizeof unwanted / sizeof unwanted[0]; i++) {
        struct curl_slist *longer = curl_slist_append(call->list, unwanted[i]);
        ok = longer != NULL;
        if (ok) call->list = longer;
    }
    pm_buffer_finish(&line);
    if (ok) return PM_OK;
    if (!sound) return pm_error_set(err, PM_BUG, "the HTTP request has a header that cannot be sent");
    return pm_error_set(err, PM_TRANSIENT, "out of memory");
}

static void set_method(CURL *easy, PmHttpCall *call, const PmHttpRequest *request)
{
    bool head = strcmp(request->method, "HEAD") == 0;
    if (head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request->has_body || request->body_size > 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(easy, CURLOPT_READDATA, call);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
    }
    if (!head) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_limits(CURL *easy, const PmHttpRequest *request)
{
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(request->connect_timeout_ms > 0 ? request->connect_timeout_ms : 5000));
    if (request->bytes_per_s == 0) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
}

/* 169.254/16, fe80::/10, and the address that EC2 answers its IPv6 metadata on: credentials lie there. */
static bool is_link_local(const struct sockaddr *address)
{
    static const unsigned char metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET) {
        uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
        return ip >> 16 == 0xa9fe;
    }
    if (address->sa_family != AF_INET6) return true; /* neither: nothing that we know to be harmless */
    const unsigned char *ip = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    if (memcmp(ip, mapped, sizeof mapped) == 0) return ip[12] == 169 && ip[13] == 254;
    return (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) || memcmp(ip, metadata, sizeof metadata) == 0;
}

/* Asked with the address that a name was resolved to: no name hides one. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    PmHttpCall *call = data;
    (void)purpose;
    if (is_link_local(&address->addr)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_transport(CURL *easy, const PmHttp *http, const PmHttpRequest *request)
{
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else the end of a call waits for the thread that looks its name up: as long as name servers are away, that stops
     * the loop. The thread ends by itself. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    /* One exchange a connection: over HTTP/2 a large answer would hold up the heartbeats behind it. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    if (request->fresh_connection) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    if (http->ca_file != NULL) curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    if (request->direct) curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

PmHttpCall *pm_http_send(PmHttp *http, const PmHttpRequest *request, PmHttpDone *done, void *data, PmError *err)
{
    PmHttpCall *call = calloc(1, sizeof *call);
    CURL *easy = call != NULL ? curl_easy_init() : NULL;
    if (easy == NULL) {
        free(call);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmHttpCall){.http = http,
                         .easy = easy,
                         .upload = request->body,
                         .upload_size = request->body_size,
                         .body_fd = request->body_fd,
                         .told = request->received,
                         .told_data = request->received_data,
                         .response_max = request->response_max,
                         .error_max = request->error_max,
                         .lane = request->lane,
                         .socket = -1,
                         .done = done,
                         .data = data};
    pm_buffer_init(&call->headers.text, HEADERS_MAX_BYTES);
    pm_buffer_init(&call->body,
                   request->error_max > request->response_max ? request->error_max : request->response_max);
    pm_http_limits_init(call, request);
    call->next = http->calls;
    if (call->next != NULL) call->next->previous = call;
    http->calls = call;

    set_method(easy, call, request);
    set_limits(easy, request);
    set_transport(easy, http, request);
    if (request->no_link_local) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* a proxy would open what we may not */
    }
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    if (set_headers(call, request, err) == PM_OK && curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->list) == CURLE_OK && pm_http_lanes_enter(call))
        return call;
    free_call(call);
    pm_error_set(err, PM_TRANSIENT, "out of memory"); /* where nothing was set before */
    return NULL;
}

void pm_http_cancel(PmHttpCall *call)
{
    if (call != NULL) free_call(call);
}

/* --- the answer's headers --- */

const char *pm_http_header_at(const PmHttpResponse *response, const char *prefix, size_t i, const char **name)
{
    const struct PmHttpHeaders *headers = response->headers;
    size_t n = strlen(prefix);
    for (size_t k = 0; headers != NULL && k < headers->count; k++) {
        const char *candidate = headers->text.data + headers->offsets[k][0];
        if (strncasecmp(candidate, prefix, n) != 0 || i-- > 0) continue;
        *name = candidate + n;
        return headers->text.data + headers->offsets[k][1];
    }
    return NULL;
}

const char *pm_http_header(const PmHttpResponse *response, const char *name)
{
    const char *rest = NULL, *value;
    for (size_t i = 0; (value = pm_http_header_at(response, name, i, &rest)) != NULL; i++)
        if (rest[0] == '\0') return value;
    return NULL;
}

/* --- life --- */

static char *find_ca_file(const char *configured)
{
    if (configured != NULL) return strdup(configured);
    static const char *const variables[] = {"AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && value[0] != '\0') return strdup(value);
    }
    /* libcurl's built-in path is Debian's; a binary that was carried elsewhere looks where others keep theirs. */
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    struct stat st;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (stat(files[i], &st) == 0) return strdup(files[i]);
    const char *bundle = getenv("PIXMILL_BUNDLE");
    char *own = NULL;
    if (bundle == NULL || asprintf(&own, "%s/etc/ssl/certs/ca-certificates.crt", bundle) < 0) return NULL;
    return own;
}

PmHttp *pm_http_new(PmLoop *loop, const PmHttpOptions *options, PmError *err)
{
    PmHttpOptions none = {0};
    if (options == NULL) options = &none;
    PmHttp *http = calloc(1, sizeof *http);
    if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        pm_error_set(err, PM_BUG, "libcurl could not start");
        return NULL;
    }
    http->loop = loop;
    http->ca_file = find_ca_file(options->ca_file);
    http->user_agent =
        strdup(options->user_agent != NULL ? options->user_agent : "pixmill/" PIXMILL_VERSION " os/linux lang/c");
    http->multi = curl_multi_init();
    if (http->multi == NULL || http->user_agent == NULL) {
        pm_http_free(http);
        pm_error_set(err, PM_BUG, "libcurl could not start");
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    pm_http_lanes_init(http, options);
    return http;
}

void pm_http_free(PmHttp *http)
{
    if (http == NULL) return;
    http->closing = true;
    while (http->calls != NULL) free_call(http->calls);
    if (http->multi != NULL) curl_multi_cleanup(http->multi);
    pm_loop_cancel(http->timer);
    pm_loop_cancel(http->tick);
    pm_loop_cancel(http->starter);
    pm_loop_cancel(http->starved);
    free(http->ca_file);
    free(http->user_agent);
    free(http);
    curl_global_cleanup();
}
