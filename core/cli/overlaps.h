/* SPDX-License-Identifier: Apache-2.0
 *
 * What `apply` would write, before it writes anything: renditions of two images, or of two outputs, in one file, and
 * renditions in a folder that is read. What a key says only after an image has been worked on (a checksum, a step's
 * fact) is left to claims.h.
 */
#ifndef PM_CLI_OVERLAPS_H
#define PM_CLI_OVERLAPS_H

#include "connectors/file/listing.h"
#include "workers/pool.h"

/* Adds an error for each overlap to `errors`. Plans images whose names alone do not tell, through one worker.
 * `outputs`: the wanted ones, NULL-terminated, or NULL for all. PM_OK: it could be told, whatever the answer. */
PmStatus pm_overlaps_find(const PmPipeline *pipeline, const char *text, size_t size, const PmPoolOptions *pool,
                          const PmListing *listing, const char *const *outputs, PmErrorList *errors, PmError *err);

#endif
