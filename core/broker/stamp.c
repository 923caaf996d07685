/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/events.h"

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

PmStampVerdict pm_stamp_judge(const PmS3Object *existing, const PmObject *source, const char *digest)
{
    const char *etag = pm_s3_metadata(existing, PM_STAMP_ETAG),
               *sequencer = pm_s3_metadata(existing, PM_STAMP_SEQUENCER);
    const char *time = pm_s3_metadata(existing, PM_STAMP_TIME), *made_by = pm_s3_metadata(existing, PM_STAMP_DIGEST);
    if (made_by == NULL) return PM_STAMP_WRITE;
    if (same(etag, source->etag)) return same(made_by, digest) ? PM_STAMP_CURRENT : PM_STAMP_WRITE;
    if (sequencer != NULL && source->sequencer != NULL)
        return pm_sequencer_compare(sequencer, source->sequencer) > 0 ? PM_STAMP_STALE : PM_STAMP_WRITE;
    if (time != NULL && source->time_ms > 0)
        return strtoll(time, NULL, 10) > source->time_ms ? PM_STAMP_STALE : PM_STAMP_WRITE;
    return PM_STAMP_WRITE;
}

size_t pm_stamp_make(const PmObject *source, const char *digest, char time[24], PmNameValue stamps[PM_STAMPS])
{
    size_t n = 0;
    snprintf(time, 24, "%lld", (long long)source->time_ms);
    stamps[n++] = (PmNameValue){PM_STAMP_DIGEST, digest};
    if (source->etag != NULL) stamps[n++] = (PmNameValue){PM_STAMP_ETAG, source->etag};
    if (source->sequencer != NULL) stamps[n++] = (PmNameValue){PM_STAMP_SEQUENCER, source->sequencer};
    if (source->time_ms > 0) stamps[n++] = (PmNameValue){PM_STAMP_TIME, time};
    return n;
}
