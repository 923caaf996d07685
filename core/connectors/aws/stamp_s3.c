/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/stamp_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define DIGEST PM_STAMP_PREFIX "digest"
/* of a rejected original, instead of DIGEST */
#define QUARANTINE_DIGEST PM_STAMP_PREFIX "quarantine-digest"
#define QUARANTINE_PLACE  PM_STAMP_PREFIX "quarantine-place"
#define SOURCE            PM_STAMP_PREFIX "src"
#define ETAG              PM_STAMP_PREFIX "src-etag"
#define SEQUENCER         PM_STAMP_PREFIX "src-sequencer"
#define TIME              PM_STAMP_PREFIX "src-time"

static const char *text_or_null(const PmS3Object *object, const char *name)
{
    const char *value = pm_s3_metadata(object, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void pm_stamp_s3_read(const PmS3Object *object, bool quarantined, PmStamp *stamp)
{
    const char *time = pm_s3_metadata(object, TIME), *source = pm_s3_metadata(object, SOURCE);
    *stamp = (PmStamp){.digest = text_or_null(object, quarantined ? QUARANTINE_DIGEST : DIGEST),
                       .etag = text_or_null(object, ETAG),
                       .sequencer = text_or_null(object, SEQUENCER),
                       .time_ms = time != NULL ? strtoll(time, NULL, 10) : 0};
    pm_text_copy(stamp->source, sizeof stamp->source, source != NULL ? source : "");
}

size_t pm_stamp_s3_write(const PmStamp *stamp, const char *place, char time[PM_STAMP_TIME_SIZE],
                         PmNameValue pairs[PM_STAMP_PAIRS])
{
    size_t n = 0;
    pairs[n++] = (PmNameValue){place != NULL ? QUARANTINE_DIGEST : DIGEST, stamp->digest};
    if (place != NULL) pairs[n++] = (PmNameValue){QUARANTINE_PLACE, place};
    if (stamp->source[0] != '\0') pairs[n++] = (PmNameValue){SOURCE, stamp->source};
    if (stamp->etag != NULL) pairs[n++] = (PmNameValue){ETAG, stamp->etag};
    if (stamp->sequencer != NULL) pairs[n++] = (PmNameValue){SEQUENCER, stamp->sequencer};
    if (stamp->time_ms <= 0) return n;
    snprintf(time, PM_STAMP_TIME_SIZE, "%lld", (long long)stamp->time_ms);
    pairs[n++] = (PmNameValue){TIME, time};
    return n;
}

bool pm_stamp_s3_is_ours(const PmS3Object *object, const PmObject *at)
{
    const char *place = pm_s3_metadata(object, QUARANTINE_PLACE);
    char name[PM_STAMP_SOURCE_SIZE];
    if (pm_s3_metadata(object, DIGEST) != NULL) return true;
    pm_stamp_name(at->bucket, at->key, name);
    return place != NULL && strcmp(place, name) == 0;
}
