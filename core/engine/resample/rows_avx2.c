/* SPDX-License-Identifier: Apache-2.0
 *
 * For processors with AVX2 and FMA. core/CMakeLists.txt compiles this file for them, and rows.c asks the processor
 * before it names the table, so nothing here may be called from anywhere else.
 */
#if defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define NAME  pm_rows_avx2
#define TITLE "avx2"
#include "engine/resample/rows_body.h"
#else
typedef int PmRowsNotBuilt; /* a file must not be empty */
#endif
