/* SPDX-License-Identifier: Apache-2.0
 *
 * MD5 and SHA-256 of bytes as they arrive, so that no large object is read once more on the event loop. Hides
 * libcrypto, and that there may be no MD5 (FIPS mode).
 */
#ifndef PM_CONNECTORS_DIGESTS_H
#define PM_CONNECTORS_DIGESTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct PmDigests PmDigests;

/* New; NULL: out of memory. */
PmDigests *pm_digests_new(bool md5, bool sha256);
void pm_digests_free(PmDigests *digests); /* NULL is fine */

/* Forgets what was added. */
void pm_digests_restart(PmDigests *digests);
void pm_digests_add(PmDigests *digests, const void *bytes, size_t size);

/* Of all that was added: in hex; NULL when it was not asked for or cannot be had. Borrowed until the next call. Nothing
 * can be added afterwards but after a restart. */
const char *pm_digests_md5(PmDigests *digests);
const char *pm_digests_sha256(PmDigests *digests);

#endif
