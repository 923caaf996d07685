/* SPDX-License-Identifier: Apache-2.0
 *
 * Which source each rendition of this run was made of, so that two sources never write one file in turn, and nothing is
 * written over a source. Hides the table: its memory is bounded, what was written longest ago is forgotten.
 */
#ifndef PM_SESSION_CLAIMS_H
#define PM_SESSION_CLAIMS_H

#include "connectors/trigger.h"

typedef struct PmClaims PmClaims;

/* `trigger` has a say in where its sources are; borrowed, or NULL. New; NULL: out of memory. */
PmClaims *pm_claims_new(PmTrigger *trigger);
void pm_claims_free(PmClaims *claims);

/* Before `output` of `source` is written to that location, as its store tells it. PM_BAD_INPUT when the rendition of
 * another source, or another output's, was put there in this run and is still there or under way, or when the trigger
 * guards the location. *claim is for pm_claims_end. */
PmStatus pm_claims_take(PmClaims *claims, const char *location, const PmObject *source, const char *output,
                        uint64_t *claim, PmError *err);

/* The write has ended, in whatever way. 0 is ignored, and so is a claim that was forgotten meanwhile. */
void pm_claims_end(PmClaims *claims, uint64_t claim);

#endif
