/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks across sections: what only the kinds themselves can judge.
 */
#include "pipeline/read.h"

void pm_read_crossings(const PmReading *r)
{
    for (size_t i = 0; r->kinds[i] != NULL; i++)
        if (r->kinds[i]->check != NULL) r->kinds[i]->check(r->pipeline, r->errors);
}
