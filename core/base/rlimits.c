/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rlimits.h"

#include <sys/resource.h>

void pm_rlimits_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
