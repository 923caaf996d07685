/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rendition in S3 carries in its metadata, so that duplicates and old events are told without a database.
 */
#ifndef PM_BROKER_STAMP_H
#define PM_BROKER_STAMP_H

#include "aws/s3.h"
#include "broker/store.h"

#define PM_STAMP_ETAG      "pixmill-src-etag"
#define PM_STAMP_SEQUENCER "pixmill-src-sequencer"
#define PM_STAMP_TIME      "pixmill-src-time" /* of the event, ms: decides only where a sequencer is missing */
#define PM_STAMP_DIGEST    "pixmill-digest"   /* of pipeline and plugins */

typedef enum PmStampVerdict {
    PM_STAMP_WRITE,   /* not ours, older, or made differently */
    PM_STAMP_CURRENT, /* the same source, the same digest */
    PM_STAMP_STALE    /* made of a newer version of the source */
} PmStampVerdict;

/* What to do about a rendition that exists. */
PmStampVerdict pm_stamp_judge(const PmS3Object *existing, const PmObject *source, const char *digest);

enum { PM_STAMPS = 4 };
/* The stamps of a new rendition; returns how many. `time` is a buffer of the caller's. */
size_t pm_stamp_make(const PmObject *source, const char *digest, char time[24], PmNameValue stamps[PM_STAMPS]);

#endif
