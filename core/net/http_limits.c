/* SPDX-License-Identifier: Apache-2.0
 *
 * How long an exchange may take: to its first byte, without a byte moving, below a lowest speed, and in all.
 *
 * libcurl's own CURLOPT_LOW_SPEED_TIME cannot be used: it runs while an answer is waited for too, so a long poll would
 * need it as long as the poll, and then a connection that went silent mid-body is noticed as late. And libcurl counts
 * a byte as sent when the kernel took it, which buffers megabytes; here it is sent when the peer has acknowledged it
 * (SIOCOUTQ), so a dead connection is noticed before the answer is waited for, and a slow one is not mistaken for one.
 */
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "net/http_internal.h"

enum {
    STALL_MS = 10000,
    SPEED_MIN = 1024,              /* bytes a second: a line this slow is a fault, however many share it */
    STORE_SPEED = 4 * 1024 * 1024, /* bytes a second that a service may take to store what it was sent */
    TICK_MIN_MS = 20,
    TICK_MAX_MS = 500,
    AWAY_MS = 1000
};

/* The monotonic clock without the time in which this process did not run (stopped, frozen, starved): what was
 * answered meanwhile is still to be read. */
int64_t pm_http_limits_now(const PmHttp *http)
{
    return pm_clock_mono_ms() - http->away_ms;
}

static int64_t default_to(int64_t value, int64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

void pm_http_limits_init(PmHttpCall *call, const PmHttpRequest *request)
{
    PmHttpPace *pace = &call->pace;
    pace->first_byte_ms = default_to(request->first_byte_timeout_ms, PM_HTTP_FIRST_BYTE_MS);
    pace->stall_ms = default_to(request->stall_timeout_ms, STALL_MS);
    pace->speed_min = request->any_speed ? 0 : SPEED_MIN;
    pace->total_ms = request->timeout_ms;
    pace->bytes_per_s = request->bytes_per_s;
    if (pace->first_byte_ms > 0) pace->first_byte_ms += (int64_t)request->body_size * 1000 / STORE_SPEED;
}

static bool is_limited(const PmHttpPace *pace)
{
    return pace->first_byte_ms > 0 || pace->stall_ms > 0 || (pace->bytes_per_s > 0 && pace->total_ms > 0);
}

static int64_t seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* Over a limit? Says so in call->error. */
static bool is_over(PmHttpCall *call, int64_t now)
{
    PmHttpPace *pace = &call->pace;
    curl_off_t connected_us = 0, up = 0, down = 0, length = -1;
    long head = 0;
    int unsent = 0;
    curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(call->easy, CURLINFO_HEADER_SIZE, &head);
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (call->socket >= 0 && ioctl(call->socket, SIOCOUTQ, &unsent) != 0) unsent = 0;

    if (pace->total_ms > 0 && pace->bytes_per_s > 0) {
        int64_t bytes = (int64_t)call->upload_size + (length > 0 ? length : 0);
        int64_t allowed = pace->total_ms + bytes / pace->bytes_per_s * 1000;
        if (now - pace->started_ms >= allowed) {
            snprintf(call->error, sizeof call->error, "not done within %lld s", (long long)seconds(allowed));
            return true;
        }
    }
    int64_t moved = up - unsent + down + head;
    if (connected_us == 0 || moved != pace->moved) {
        pace->moved_ms = now;
        pace->moved = moved;
    }
    bool sent = connected_us > 0 && (size_t)up >= call->upload_size && unsent == 0;
    if (connected_us == 0 || (sent && !pace->answered)) { /* no body moves: nothing to measure */
        pace->window_ms = now;
        pace->window_moved = moved;
    }
    if (!sent || pace->answered) pace->sent_ms = now;
    if (sent && !pace->answered) {
        if (pace->first_byte_ms < 0 || now - pace->sent_ms < pace->first_byte_ms) return false;
        snprintf(call->error, sizeof call->error, "no answer within %lld s", (long long)seconds(pace->first_byte_ms));
        return true;
    }
    if (pace->stall_ms < 0) return false;
    if (now - pace->moved_ms >= pace->stall_ms) {
        snprintf(call->error, sizeof call->error, "no byte moved for %lld s", (long long)seconds(pace->stall_ms));
        return true;
    }
    if (now - pace->window_ms < pace->stall_ms) return false;
    if ((moved - pace->window_moved) * 1000 < pace->speed_min * (now - pace->window_ms)) {
        snprintf(call->error, sizeof call->error, "slower than %lld bytes/s for %lld s", (long long)pace->speed_min,
                 (long long)seconds(pace->stall_ms));
        return true;
    }
    pace->window_ms = now;
    pace->window_moved = moved;
    return false;
}

/* How often to look, for limits of this length. */
static int64_t tick_of(const PmHttpPace *pace)
{
    int64_t ms = (int64_t)TICK_MAX_MS * 8;
    if (pace->first_byte_ms > 0 && pace->first_byte_ms < ms) ms = pace->first_byte_ms;
    if (pace->stall_ms > 0 && pace->stall_ms < ms) ms = pace->stall_ms;
    return ms / 8 > TICK_MIN_MS ? ms / 8 : TICK_MIN_MS;
}

static void on_tick(void *data);

static void arm(PmHttp *http, int64_t tick_ms)
{
    pm_loop_cancel(http->tick);
    http->tick_ms = tick_ms;
    http->ticked_ms = pm_clock_mono_ms();
    http->tick = pm_loop_after(http->loop, tick_ms, on_tick, http);
}

static void on_tick(void *data)
{
    PmHttp *http = data;
    http->tick = NULL;
    int64_t late = pm_clock_mono_ms() - http->ticked_ms - http->tick_ms;
    if (late > AWAY_MS) http->away_ms += late;
    int64_t now = pm_http_limits_now(http), tick_ms = -1;
    for (PmHttpCall *call = http->calls; call != NULL; call = call->next) {
        if (!call->running || !is_limited(&call->pace)) continue;
        if (is_over(call, now)) { /* the others in the next turn: what is told may cancel them, or free everything */
            http->silent_ms = pm_clock_mono_ms();
            call->pace.ended = true;
            arm(http, 0);
            pm_http_finish(call, CURLE_OPERATION_TIMEDOUT);
            return;
        }
        int64_t own = tick_of(&call->pace);
        if (tick_ms < 0 || own < tick_ms) tick_ms = own;
    }
    if (tick_ms > 0) arm(http, tick_ms); /* else it sleeps: nothing that runs has a limit */
}

void pm_http_limits_begin(PmHttpCall *call)
{
    PmHttpPace *pace = &call->pace;
    PmHttp *http = call->http;
    pace->started_ms = pace->moved_ms = pace->sent_ms = pace->window_ms = pm_http_limits_now(http);
    if (!is_limited(pace)) return;
    int64_t tick_ms = tick_of(pace);
    if (http->tick == NULL || tick_ms < http->tick_ms) arm(http, tick_ms);
}
