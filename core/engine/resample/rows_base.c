/* SPDX-License-Identifier: Apache-2.0
 *
 * For every processor that this is built for: SSE2 on x86-64, NEON on aarch64.
 */
#define LANES 4
#define NAME  pm_rows_base
#define TITLE "base"
#include "engine/resample/rows_body.h"
