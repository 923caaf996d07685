/* SPDX-License-Identifier: Apache-2.0
 *
 * Which source each rendition of this run was made of, so that two sources never write one file in turn, and nothing is
 * written over a source. Hides the table: its memory is bounded, what was written longest ago is forgotten.
 */
#ifndef PM_SESSION_CLAIMS_H
#define PM_SESSION_CLAIMS_H

#include "connectors/file/listing.h"
#include "connectors/object.h"

typedef struct PmClaims PmClaims;

/* `out_dir` and `listing`: of `apply`, borrowed; or NULL. New; NULL: out of memory. */
PmClaims *pm_claims_new(const PmPipeline *pipeline, const char *out_dir, const PmListing *listing);
void pm_claims_free(PmClaims *claims);

/* Before `output` of `source` is written to `key` of `place`. PM_BAD_INPUT when the rendition of another source, or
 * another output's, lies there, was put there in this run and is still there or under way; when a file given to `apply`
 * would be overwritten, or the rendition would lie in a folder that `apply` reads. *claim is for pm_claims_end. */
PmStatus pm_claims_take(PmClaims *claims, const PmPlace *place, const char *key, const PmObject *source,
                        const char *output, uint64_t *claim, PmError *err);

/* The write has ended, in whatever way. 0 is ignored, and so is a claim that was forgotten meanwhile. */
void pm_claims_end(PmClaims *claims, uint64_t claim);

#endif
