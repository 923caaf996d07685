/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes along with the body of a request: its SHA-256 for the signature, a checksum for the store. Of large bodies
 * they are computed on the helper thread, so that the loop goes on meanwhile. Hides libcrypto, the thread, and how a
 * computation ends early.
 */
#ifndef PM_AWS_BODY_DIGESTS_H
#define PM_AWS_BODY_DIGESTS_H

#include "base/helper.h"

typedef enum PmBodyChecksum { PM_BODY_NO_CHECKSUM = 0, PM_BODY_CRC32, PM_BODY_MD5 } PmBodyChecksum;

typedef struct PmBodyDigests {
    bool wants_sha256;
    PmBodyChecksum wants;
    /* filled in: */
    char sha256[65];   /* hex */
    char checksum[32]; /* base64 */
    bool failed;       /* libcrypto refuses: MD5 where only FIPS is allowed */
} PmBodyDigests;

/* Now, on this thread. */
void pm_body_digests_compute(PmBodyDigests *digests, const void *bytes, size_t size);

typedef struct PmBodyJob PmBodyJob;
/* digests NULL: the helper was freed before. */
typedef void PmBodyDone(void *data, const PmBodyDigests *digests);

/* On the helper's thread; `done` comes once, from the loop or from pm_helper_free, unless cancelled. The bytes are
 * borrowed until then. NULL: it cannot be queued; nothing was begun. */
PmBodyJob *pm_body_digests_start(PmHelper *helper, const PmBodyDigests *wanted, const void *bytes, size_t size,
                                 PmBodyDone *done, void *data);
/* The bytes are not read after this returns. Waits for the thread to notice: as long as it takes for a megabyte. NULL
 * is fine.
 */
void pm_body_digests_cancel(PmBodyJob *job);

#endif
