/* SPDX-License-Identifier: Apache-2.0 */
#include "net/retry.h"

#include <sys/random.h>

void pm_retry_bucket_init(PmRetryBucket *bucket)
{
    bucket->tokens = PM_RETRY_TOKENS;
}

bool pm_retry_pay(PmRetryBucket *bucket, bool timed_out, int *paid)
{
    int cost = timed_out ? PM_RETRY_COST_TIMEOUT : PM_RETRY_COST;
    if (bucket->tokens < cost) return false;
    bucket->tokens -= cost;
    *paid = cost;
    return true;
}

void pm_retry_refund(PmRetryBucket *bucket, int paid)
{
    bucket->tokens += paid > 0 ? paid : PM_RETRY_REFUND;
    if (bucket->tokens > PM_RETRY_TOKENS) bucket->tokens = PM_RETRY_TOKENS;
}

uint32_t pm_retry_random(uint32_t limit)
{
    uint32_t value = 0;
    if (limit == 0 || getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) return 0;
    return (uint32_t)(((uint64_t)value * limit) >> 32);
}

int64_t pm_retry_delay_ms(int attempt)
{
    int64_t seconds = attempt < 1 ? 1 : attempt > 5 ? 20 : (int64_t)1 << (attempt - 1);
    if (seconds > 20) seconds = 20;
    return pm_retry_random((uint32_t)(seconds * 1000) + 1);
}
