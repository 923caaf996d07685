/* SPDX-License-Identifier: Apache-2.0
 *
 * Time: a monotonic clock for durations and deadlines, the wall clock for dates.
 */
#ifndef PM_BASE_CLOCK_H
#define PM_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for durations and deadlines, the same in all processes of a host. */
int64_t pm_clock_mono_ms(void);
int64_t pm_clock_mono_us(void); /* microseconds of it */

/* Milliseconds since 1970-01-01 UTC. */
int64_t pm_clock_wall_ms(void);

/* "2026-11-23T06:17:22.042Z" into out[25]. */
void pm_clock_iso8601(int64_t wall_ms, char out[25]);

#endif
