/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP on the event loop. Hides libcurl: everything that talks to a network goes through here. No redirects are
 * followed, no cookies kept, no response is larger than the caller allows; connections are reused. Every kind of call
 * has a lane of its own, so that many slow ones of one kind leave room for the others, and limits of its own on how
 * long its connection may be silent or slow.
 */
#ifndef PM_NET_HTTP_H
#define PM_NET_HTTP_H

#include "base/error.h"
#include "base/loop.h"

enum { PM_HTTP_FIRST_BYTE_MS = 10000 }; /* from when the peer has the whole request */

typedef struct PmHttp PmHttp;
typedef struct PmHttpCall PmHttpCall;

/* What share of the connections a call is one of. */
typedef enum PmHttpLane {
    PM_HTTP_READS,
    PM_HTTP_WRITES,      /* what carries a body away: the slow ones */
    PM_HTTP_QUEUE,       /* long polls, heartbeats, deletes */
    PM_HTTP_CREDENTIALS, /* what all others may be waiting for */
    PM_HTTP_LANES
} PmHttpLane;

typedef struct PmHttpOptions {
    const char *ca_file;         /* PEM bundle; NULL: AWS_CA_BUNDLE, SSL_CERT_FILE, CURL_CA_BUNDLE, else the system's */
    const char *user_agent;      /* NULL: "pixmill/<version> os/linux lang/c" */
    int lane_max[PM_HTTP_LANES]; /* exchanges at a time, more wait; 0: 64 reads, 32 writes, 32 queue, 8 credentials */
} PmHttpOptions;

/* New. The loop outlives it. */
PmHttp *pm_http_new(PmLoop *loop, const PmHttpOptions *options, PmError *err);
void pm_http_free(PmHttp *http); /* cancels what is under way; no callback comes any more */

typedef struct PmHttpHeader {
    const char *name, *value; /* borrowed */
} PmHttpHeader;

/* A piece of what has gone to body_fd; size 0: another attempt begins, and what came before does not count. */
typedef void PmHttpReceived(void *data, const void *bytes, size_t size);

typedef struct PmHttpRequest {
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;    /* sent as it is: nothing in it is normalised or decoded */
    const PmHttpHeader *headers;
    size_t header_count;
    const void *body; /* borrowed until the call is done */
    size_t body_size;
    bool has_body;            /* sends Content-Length even when body_size is 0 */
    int body_fd;              /* > 0: the answer's body of a 2xx is written here instead of memory; borrowed */
    PmHttpReceived *received; /* called with the bytes written to body_fd; or NULL */
    void *received_data;
    size_t response_max; /* bytes of body taken; more ends the call with PM_LIMIT */
    size_t error_max; /* of an answer that is not 2xx so many bytes are taken, and the rest left; 0: as response_max */
    PmHttpLane lane;
    bool fresh_connection; /* none that is open already: the last one went silent */
    /* Limits. None runs while the call waits for its turn, nor while this process is stopped. */
    int64_t connect_timeout_ms;    /* name, connection and TLS; 0: 5 s */
    int64_t first_byte_timeout_ms; /* from when the peer has the whole request; 0: 10 s, < 0: never. Grows by 1 s for
                                      each 4 MiB of body */
    int64_t stall_timeout_ms;      /* no byte moves, or fewer than 1 KiB/s in so long, though one side has something to
                                      send; 0: 10 s, < 0: never */
    int64_t timeout_ms;            /* for the whole exchange; 0: none (Lambda's next) */
    int64_t bytes_per_s;           /* > 0: timeout_ms grows with the bytes of both bodies, by 1 s for each so many */
    bool any_speed;                /* silence is a fault, slowness is none: keep-alive bytes before an answer */
    bool no_link_local; /* addresses as 169.254.169.254 are refused, by whatever name: PM_BAD_CONFIG. No proxy */
    bool direct;        /* no proxy: link-local addresses, the Lambda runtime */
} PmHttpRequest;

typedef struct PmHttpResponse {
    int status;             /* HTTP status; 0 when none came */
    PmStatus outcome;       /* PM_OK when a whole answer came, whatever its status; PM_TRANSIENT: transport;
                               PM_LIMIT: longer than response_max; PM_BAD_CONFIG: see no_link_local */
    bool timed_out;         /* with PM_TRANSIENT */
    const char *error;      /* what the transport said, or "" */
    const char *body;       /* NUL-terminated; "" when it went to body_fd */
    size_t body_size;       /* bytes, also of what went to body_fd */
    int64_t content_length; /* as announced; -1 when not */
    const struct PmHttpHeaders *headers;
} PmHttpResponse;

/* The value of a header of the answer, or NULL. Case of the name does not matter. Borrowed. */
const char *pm_http_header(const PmHttpResponse *response, const char *name);

/* The i-th header whose name begins with `prefix`, or NULL beyond the last; *name is the rest of the name. */
const char *pm_http_header_at(const PmHttpResponse *response, const char *prefix, size_t i, const char **name);

typedef void PmHttpDone(void *data, const PmHttpResponse *response);

/* Starts an exchange; `done` is called exactly once, from the loop and never from here, unless cancelled. All of
 * *request but the body is copied. NULL and err set when it cannot start. */
PmHttpCall *pm_http_send(PmHttp *http, const PmHttpRequest *request, PmHttpDone *done, void *data, PmError *err);
void pm_http_cancel(PmHttpCall *call); /* NULL is fine */

#endif
