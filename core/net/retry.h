/* SPDX-License-Identifier: Apache-2.0
 *
 * When and whether to try again, in the numbers of AWS's "standard" retry mode. Pure but for the random jitter.
 * Source: "Retry behavior" (AWS SDKs and Tools Reference Guide).
 */
#ifndef PM_NET_RETRY_H
#define PM_NET_RETRY_H

#include "base/error.h"

/* Tokens shared by all calls to one endpoint: when most calls fail, retries stop adding to the load. */
typedef struct PmRetryBucket {
    int tokens;
} PmRetryBucket;

enum { PM_RETRY_TOKENS = 500, PM_RETRY_COST = 5, PM_RETRY_COST_TIMEOUT = 10, PM_RETRY_REFUND = 1 };

void pm_retry_bucket_init(PmRetryBucket *bucket);
/* Takes the price of one retry; false when the bucket has not enough. *paid is what the last retry cost. */
bool pm_retry_pay(PmRetryBucket *bucket, bool timed_out, int *paid);
/* After a success: gives back what the call's last retry cost, or one token when there was none. */
void pm_retry_refund(PmRetryBucket *bucket, int paid);

/* Milliseconds before attempt + 1: full jitter over min(2^(attempt-1), 20) seconds. attempt counts from 1. */
int64_t pm_retry_delay_ms(int attempt);

/* Uniform in 0 .. limit-1. */
uint32_t pm_retry_random(uint32_t limit);

#endif
