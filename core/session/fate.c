/* SPDX-License-Identifier: Apache-2.0 */
#include "session/fate.h"

#include "net/retry.h"

enum { BUG_ATTEMPTS = 2, DELAY_MAX_MS = 3600000 };

PmFateKind pm_fate_of(const PmPipeline *pipeline, const PmEnding *ending)
{
    bool tries_left = ending->attempt <= pipeline->on_error.retries;
    PmFateKind again = ending->last ? PM_FATE_DEAD : PM_FATE_RETRY;
    switch (ending->status) {
    case PM_OK:
        return PM_FATE_ACK;
    case PM_REJECTED:
        return ending->inspected;
    case PM_BUG:
        return ending->attempt < BUG_ATTEMPTS ? again : PM_FATE_DEAD;
    case PM_TRANSIENT:
    case PM_BAD_CONFIG: /* a right or a bucket that is missing: the operator may be mending it */
        if (ending->unavailable && ending->stays) return ending->ends && !tries_left ? PM_FATE_RELEASE : PM_FATE_RETRY;
        return ending->redrives || tries_left ? again : PM_FATE_DEAD;
    case PM_BAD_INPUT:
    case PM_LIMIT:
        break;
    }
    return PM_FATE_DEAD;
}

bool pm_fate_worse(PmFateKind a, PmFateKind b)
{
    static const int weights[] = {
        [PM_FATE_ACK] = 0, [PM_FATE_QUARANTINE] = 1, [PM_FATE_DEAD] = 2, [PM_FATE_RETRY] = 3, [PM_FATE_RELEASE] = 4};
    return weights[a] > weights[b];
}

int64_t pm_pause_ms(int64_t first_ms, int64_t doublings, int64_t max_ms)
{
    int64_t pause = first_ms;
    for (int64_t i = 0; i < doublings && pause < max_ms; i++) pause *= 2;
    if (pause > max_ms) pause = max_ms;
    return pause / 2 + pm_retry_random((uint32_t)(pause / 2 + 1));
}

int64_t pm_fate_backoff_ms(const PmPipeline *pipeline, int attempt)
{
    return pm_pause_ms(pipeline->on_error.backoff, attempt - 1, DELAY_MAX_MS);
}
