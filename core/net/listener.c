/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum {
    CONNECTIONS_MAX = 64,
    MEMORY_MAX = 16 * 1024, /* bytes of one connection: the request's line and header */
    SILENT_S = 10,
    LASTS_MS = 60000,
    SWEEP_MS = 5000,
    BODY_MAX = 8 * 1024 * 1024,
    BACKLOG = 64
};

struct PmListener {
    PmLoop *loop;
    struct MHD_Daemon *daemon;
    PmWatch *watch;
    PmTimer *due, *sweep;
    PmListenHandler *handler;
    void *data;
    struct {
        int fd; /* -1: free */
        int64_t since_ms;
    } connections[CONNECTIONS_MAX];
    bool closed; /* a connection was, since the last turn */
    char address[160];
};

/* --- the socket --- */

static PmStatus resolve(const char *text, struct addrinfo **found, PmError *err)
{
    char host[80];
    int port = 0;
    if (!pm_text_listen_address(text, host, sizeof host, &port))
        return pm_error_set(err, PM_BAD_CONFIG, "cannot listen on \"%.100s\": it is not ADDRESS:PORT", text);
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_family = host[0] != '\0' ? AF_UNSPEC : AF_INET6,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, found);
    if (code == 0) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "cannot listen on \"%.100s\": %s", text, gai_strerror(code));
    pm_error_hint(err, "write an address in numbers, such as 127.0.0.1:9464, or :9464 for all of this host");
    return PM_BAD_CONFIG;
}

static int listen_on(int family, const struct sockaddr *address, socklen_t size)
{
    int on = 1, off = 0, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* A host without IPv6 has no "::". */
static int listen_without_ipv6(const struct addrinfo *found)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_port = ((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_port};
    return listen_on(AF_INET, (const struct sockaddr *)&any, sizeof any);
}

static void note_address(PmListener *listener, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[80] = "", port[16] = "";
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((const struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(listener->address, sizeof listener->address, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static int open_socket(PmListener *listener, const char *text, PmError *err)
{
    struct addrinfo *found = NULL;
    if (resolve(text, &found, err) != PM_OK || found == NULL) return -1;
    int fd = listen_on(found->ai_family, found->ai_addr, found->ai_addrlen);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) && text[0] == ':') fd = listen_without_ipv6(found);
    if (fd < 0) pm_error_set(err, PM_BAD_CONFIG, "cannot listen on %.100s: %s", text, strerror(errno));
    if (fd >= 0) note_address(listener, fd);
    freeaddrinfo(found);
    return fd;
}

/* --- the loop --- */

static void serve(PmListener *listener);

static void on_ready(void *data, int fd, unsigned events)
{
    (void)fd, (void)events;
    serve(data);
}

static void on_due(void *data)
{
    ((PmListener *)data)->due = NULL;
    serve(data);
}

static void serve(PmListener *listener)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;
    listener->closed = false;
    MHD_run(listener->daemon);
    pm_loop_cancel(listener->due);
    listener->due = NULL;
    /* With all connections taken, libmicrohttpd looks at its socket again only in the turn after one has gone. */
    if (listener->closed)
        listener->due = pm_loop_after(listener->loop, 0, on_due, listener);
    else if (MHD_get_timeout(listener->daemon, &wait) == MHD_YES)
        listener->due = pm_loop_after(listener->loop, wait < 60000 ? (int64_t)wait : 60000, on_due, listener);
}

/* Somebody who sends a byte now and then is never silent. */
static void on_sweep(void *data)
{
    PmListener *listener = data;
    int64_t now = pm_clock_mono_ms();
    listener->sweep = pm_loop_after(listener->loop, SWEEP_MS, on_sweep, listener);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (listener->connections[i].fd >= 0 && now - listener->connections[i].since_ms > LASTS_MS)
            shutdown(listener->connections[i].fd, SHUT_RDWR);
    serve(listener);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    PmListener *listener = data;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int wanted = what == MHD_CONNECTION_NOTIFY_STARTED ? -1 : info->connect_fd;
    (void)context;
    listener->closed |= what != MHD_CONNECTION_NOTIFY_STARTED;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (listener->connections[i].fd != wanted) continue;
        listener->connections[i].fd = wanted < 0 ? info->connect_fd : -1;
        listener->connections[i].since_ms = pm_clock_mono_ms();
        return;
    }
}

/* --- answers --- */

static enum MHD_Result send_answer(struct MHD_Connection *connection, PmListenAnswer *answer)
{
    size_t size = answer->body.size;
    char *text = pm_buffer_steal(&answer->body);
    if (text == NULL) return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(
        response, "Content-Security-Policy",
        "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "frame-ancestors 'none'");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result sent = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

/* At the first call, when the header is there: what may follow is not read. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_size, void **context)
{
    PmListener *listener = data;
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    PmListenRequest request = {.path = url, .accept = accept != NULL ? accept : ""};
    PmListenAnswer answer = {.status = MHD_HTTP_OK, .content_type = "text/plain; charset=utf-8"};
    (void)version, (void)body, (void)body_size, (void)context;
    pm_buffer_init(&answer.body, BODY_MAX);
    pm_buffer_adds(&answer.body, "");
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
        listener->handler(listener->data, &request, &answer);
    } else {
        answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        pm_buffer_adds(&answer.body, "only GET and HEAD are answered here\n");
    }
    enum MHD_Result sent = send_answer(connection, &answer);
    pm_buffer_finish(&answer.body);
    return sent;
}

/* libmicrohttpd's own words are about single connections of strangers. */
static void keep_quiet(void *data, const char *fmt, va_list args)
{
    (void)data, (void)fmt, (void)args;
}

/* --- life --- */

const char *pm_listener_address(const PmListener *listener)
{
    return listener->address;
}

static PmStatus start(PmListener *listener, int fd, PmError *err)
{
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, keep_quiet,
        NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener, MHD_OPTION_END);
    if (listener->daemon == NULL) {
        close(fd);
        return pm_error_set(err, PM_TRANSIENT, "cannot start the listener");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    listener->watch =
        info != NULL ? pm_loop_watch(listener->loop, info->epoll_fd, PM_READABLE, on_ready, listener) : NULL;
    listener->sweep = pm_loop_after(listener->loop, SWEEP_MS, on_sweep, listener);
    if (listener->watch == NULL || listener->sweep == NULL)
        return pm_error_set(err, PM_TRANSIENT, "cannot start the listener: out of memory");
    return PM_OK;
}

PmListener *pm_listener_new(PmLoop *loop, const char *address, PmListenHandler *handler, void *data, PmError *err)
{
    PmListener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    listener->loop = loop;
    listener->handler = handler;
    listener->data = data;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) listener->connections[i].fd = -1;
    int fd = open_socket(listener, address, err);
    if (fd >= 0 && start(listener, fd, err) == PM_OK) return listener;
    pm_listener_free(listener);
    return NULL;
}

void pm_listener_free(PmListener *listener)
{
    if (listener == NULL) return;
    pm_loop_unwatch(listener->watch);
    pm_loop_cancel(listener->due);
    pm_loop_cancel(listener->sweep);
    if (listener->daemon != NULL) MHD_stop_daemon(listener->daemon); /* closes the socket, too */
    free(listener);
}
