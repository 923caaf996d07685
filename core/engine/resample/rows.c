/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/resample/rows.h"

extern const PmRowsOps pm_rows_base;

#if defined(__x86_64__)
extern const PmRowsOps pm_rows_avx2;

/* Asks the processor, and whether the system keeps the wide registers. */
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const PmRowsOps *const *pm_rows_all(void)
{
    static const PmRowsOps *const base[] = {&pm_rows_base, NULL};
#if defined(__x86_64__)
    static const PmRowsOps *const avx2[] = {&pm_rows_avx2, &pm_rows_base, NULL};
    if (has_avx2()) return avx2;
#endif
    return base;
}
