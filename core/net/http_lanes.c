/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is. Each lane runs a number of exchanges at a time; more wait here, in order, before libcurl sees them,
 * so that no timeout runs while they wait. One connection carries one exchange, so lanes bound connections too.
 */
#include "base/clock.h"
#include "net/http_internal.h"

static const int defaults[PM_HTTP_LANES] = {
    [PM_HTTP_READS] = 64, [PM_HTTP_WRITES] = 32, [PM_HTTP_QUEUE] = 32, [PM_HTTP_CREDENTIALS] = 8};

void pm_http_lanes_init(PmHttp *http, const PmHttpOptions *options)
{
    for (int i = 0; i < PM_HTTP_LANES; i++)
        http->turns[i].max = options->lane_max[i] > 0 ? options->lane_max[i] : defaults[i];
}

static bool start(PmHttpCall *call)
{
    PmHttp *http = call->http;
#if LIBCURL_VERSION_NUM >= 0x075000
    /* What took one connection away without a word took its elders along, as a rule. */
    int64_t age_s = (pm_clock_mono_ms() - http->silent_ms) / 1000;
    if (http->silent_ms != 0 && age_s < 300)
        curl_easy_setopt(call->easy, CURLOPT_MAXLIFETIME_CONN, (long)(age_s > 1 ? age_s : 1));
#endif
    if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) return false;
    call->running = true;
    http->turns[call->lane].running++;
    pm_http_limits_begin(call);
    return true;
}

static PmHttpCall *take_first(PmHttpTurn *turn)
{
    PmHttpCall *call = turn->first;
    turn->first = call->behind;
    if (turn->first == NULL) turn->last = NULL;
    call->behind = NULL;
    return call;
}

static void on_starter(void *data)
{
    PmHttp *http = data;
    http->starter = NULL;
    PmHttpCall *failed = NULL;
    for (int i = 0; i < PM_HTTP_LANES && failed == NULL; i++) {
        PmHttpTurn *turn = &http->turns[i];
        while (turn->first != NULL && turn->running < turn->max && failed == NULL) {
            PmHttpCall *call = take_first(turn);
            if (!start(call)) failed = call;
        }
    }
    if (failed == NULL) return;
    http->starter = pm_loop_after(http->loop, 0, on_starter, http); /* its owner may free everything */
    pm_http_finish(failed, CURLE_OUT_OF_MEMORY);
}

bool pm_http_lanes_enter(PmHttpCall *call)
{
    PmHttpTurn *turn = &call->http->turns[call->lane];
    if (turn->first == NULL && turn->running < turn->max) return start(call);
    if (turn->last != NULL)
        turn->last->behind = call;
    else
        turn->first = call;
    turn->last = call;
    return true;
}

void pm_http_lanes_leave(PmHttpCall *call)
{
    PmHttp *http = call->http;
    PmHttpTurn *turn = &http->turns[call->lane];
    if (call->running) {
        turn->running--;
        call->running = false;
    } else {
        PmHttpCall *before = NULL;
        for (PmHttpCall *one = turn->first; one != NULL; before = one, one = one->behind) {
            if (one != call) continue;
            if (before != NULL)
                before->behind = call->behind;
            else
                turn->first = call->behind;
            if (turn->last == call) turn->last = before;
            break;
        }
    }
    /* Later, since this may be inside anything. */
    if (turn->first != NULL && http->starter == NULL && !http->closing)
        http->starter = pm_loop_after(http->loop, 0, on_starter, http);
}
