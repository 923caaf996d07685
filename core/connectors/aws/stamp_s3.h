/* SPDX-License-Identifier: Apache-2.0
 *
 * How an object in S3 carries a stamp: as user metadata.
 *
 * A rejected original in the quarantine is not a rendition and its stamp is not one's: an operator who copies it back
 * after review, metadata and all, wants it processed. It carries a mark of its own, which names the place it was put
 * to. As a source it is skipped at that very place only, so that two pipelines whose quarantines feed each other come
 * to an end, while a copy that somebody has made is a new original.
 */
#ifndef PM_CONNECTORS_AWS_STAMP_S3_H
#define PM_CONNECTORS_AWS_STAMP_S3_H

#include "aws/s3.h"
#include "connectors/stamp.h"

#define PM_STAMP_PREFIX "pixmill-" /* of all metadata that is pixmill's own */

enum { PM_STAMP_PAIRS = 6, PM_STAMP_TIME_SIZE = 24 };

/* The stamp of an object that a HEAD or GET found, whose strings it borrows: that of a rendition, or (quarantined) of a
 * rejected original. */
void pm_stamp_s3_read(const PmS3Object *object, bool quarantined, PmStamp *stamp);

/* The metadata of a new object; returns how many pairs. `place` is the place's name (pm_stamp_name) of a rejected
 * original, NULL for a rendition; `time` a buffer of the caller's; all is borrowed. */
size_t pm_stamp_s3_write(const PmStamp *stamp, const char *place, char time[PM_STAMP_TIME_SIZE],
                         PmNameValue pairs[PM_STAMP_PAIRS]);

/* True for what pixmill wrote itself to where it lies: no source. */
bool pm_stamp_s3_is_ours(const PmS3Object *object, const PmObject *at);

#endif
