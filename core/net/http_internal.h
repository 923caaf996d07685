/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by http.c (exchanges), http_lanes.c (whose turn it is) and http_limits.c (how long it may take). Not for
 * others.
 */
#ifndef PM_NET_HTTP_INTERNAL_H
#define PM_NET_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "net/http.h"

enum { PM_HTTP_HEADERS_MAX = 100 };

struct PmHttpHeaders {
    PmBuffer text; /* name NUL value NUL ... of the last answer */
    size_t offsets[PM_HTTP_HEADERS_MAX][2];
    size_t count;
};

/* How far an exchange has come. Times are pm_http_limits_now's. */
typedef struct PmHttpPace {
    int64_t first_byte_ms, stall_ms; /* < 0: never */
    int64_t speed_min;               /* bytes a second over stall_ms; 0: any */
    int64_t total_ms, bytes_per_s;   /* bytes_per_s 0: total_ms is libcurl's business */
    int64_t started_ms, moved_ms, sent_ms, window_ms;
    int64_t moved, window_moved; /* bytes, both directions */
    bool answered;               /* a line of the answer's head has come */
    bool ended;                  /* by a limit; call->error says by which */
} PmHttpPace;

struct PmHttpCall {
    PmHttp *http;
    PmHttpCall *previous, *next;
    CURL *easy;
    struct curl_slist *list;
    struct PmHttpHeaders headers;
    PmBuffer body;
    const char *upload;
    size_t upload_size, upload_at;
    int body_fd;
    PmHttpReceived *told;
    void *told_data;
    size_t received, response_max, error_max;
    bool too_long, cut, refused;
    bool starved; /* no memory to watch its socket: to be ended */
    PmHttpLane lane;
    bool running; /* in the multi handle; else it waits for its turn */
    PmHttpCall *behind;
    int socket; /* the one it uses at the moment, or -1 */
    PmHttpPace pace;
    PmHttpDone *done;
    void *data;
    char error[CURL_ERROR_SIZE];
};

typedef struct PmHttpTurn {
    int max, running;
    PmHttpCall *first, *last; /* waiting */
} PmHttpTurn;

struct PmHttp {
    PmLoop *loop;
    CURLM *multi;
    PmTimer *timer, *tick, *starter, *starved;
    PmHttpCall *calls;
    char *ca_file, *user_agent;
    bool closing;
    PmHttpTurn turns[PM_HTTP_LANES];
    int64_t tick_ms, ticked_ms, away_ms;
    int64_t silent_ms; /* monotonic: when a connection was last found silent; 0: never */
};

/* Ends a call: tells its owner, frees it. Not from inside a callback of libcurl's. */
void pm_http_finish(PmHttpCall *call, CURLcode code);

/* http_lanes.c */
void pm_http_lanes_init(PmHttp *http, const PmHttpOptions *options);
bool pm_http_lanes_enter(PmHttpCall *call); /* starts it, or lets it wait; false when libcurl refuses */
void pm_http_lanes_leave(PmHttpCall *call); /* ended or cancelled: the next one's turn */

/* http_limits.c */
void pm_http_limits_init(PmHttpCall *call, const PmHttpRequest *request);
void pm_http_limits_begin(PmHttpCall *call); /* it has begun to run */
int64_t pm_http_limits_now(const PmHttp *http);

#endif
