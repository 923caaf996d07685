/* SPDX-License-Identifier: Apache-2.0
 *
 * How an object in S3 carries a stamp: as user metadata.
 */
#ifndef PM_BROKER_STAMP_S3_H
#define PM_BROKER_STAMP_S3_H

#include "aws/s3.h"
#include "broker/stamp.h"

#define PM_STAMP_PREFIX "pixmill-" /* of all metadata that is pixmill's own */

enum { PM_STAMP_PAIRS = 5, PM_STAMP_TIME_SIZE = 24 };

/* The stamp of an object that a HEAD or GET found, whose strings it borrows. */
void pm_stamp_s3_read(const PmS3Object *object, PmStamp *stamp);

/* The metadata of a new object; returns how many pairs. `time` is a buffer of the caller's; all is borrowed. */
size_t pm_stamp_s3_write(const PmStamp *stamp, char time[PM_STAMP_TIME_SIZE], PmNameValue pairs[PM_STAMP_PAIRS]);

/* True for a rendition of pixmill's. */
bool pm_stamp_s3_present(const PmS3Object *object);

#endif
