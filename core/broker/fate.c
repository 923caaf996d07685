/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/fate.h"

#include "aws/retry.h"

enum { BUG_ATTEMPTS = 2, DELAY_MAX_MS = 3600000 };

PmFateKind pm_fate_of(const PmPipeline *pipeline, PmStatus status, PmFateKind inspected, int attempt, bool redrives)
{
    switch (status) {
    case PM_OK:
        return PM_FATE_ACK;
    case PM_REJECTED:
        return inspected;
    case PM_BUG:
        return attempt < BUG_ATTEMPTS ? PM_FATE_RETRY : PM_FATE_DEAD;
    case PM_TRANSIENT:
    case PM_BAD_CONFIG: /* a right or a bucket that is missing: the operator may be mending it */
        return redrives || attempt <= pipeline->on_error.retries ? PM_FATE_RETRY : PM_FATE_DEAD;
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

int64_t pm_fate_backoff_ms(const PmPipeline *pipeline, int attempt)
{
    int64_t delay = pipeline->on_error.backoff;
    for (int i = 1; i < attempt && delay < DELAY_MAX_MS; i++) delay *= 2;
    if (delay > DELAY_MAX_MS) delay = DELAY_MAX_MS;
    return delay / 2 + pm_retry_random((uint32_t)(delay / 2 + 1));
}
