/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/stamp_s3.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define DIGEST    PM_STAMP_PREFIX "digest"
#define SOURCE    PM_STAMP_PREFIX "src"
#define ETAG      PM_STAMP_PREFIX "src-etag"
#define SEQUENCER PM_STAMP_PREFIX "src-sequencer"
#define TIME      PM_STAMP_PREFIX "src-time"

static const char *text_or_null(const PmS3Object *object, const char *name)
{
    const char *value = pm_s3_metadata(object, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void pm_stamp_s3_read(const PmS3Object *object, PmStamp *stamp)
{
    const char *time = pm_s3_metadata(object, TIME), *source = pm_s3_metadata(object, SOURCE);
    *stamp = (PmStamp){.digest = text_or_null(object, DIGEST),
                       .etag = text_or_null(object, ETAG),
                       .sequencer = text_or_null(object, SEQUENCER),
                       .time_ms = time != NULL ? strtoll(time, NULL, 10) : 0};
    pm_text_copy(stamp->source, sizeof stamp->source, source != NULL ? source : "");
}

size_t pm_stamp_s3_write(const PmStamp *stamp, char time[PM_STAMP_TIME_SIZE], PmNameValue pairs[PM_STAMP_PAIRS])
{
    size_t n = 0;
    pairs[n++] = (PmNameValue){DIGEST, stamp->digest};
    if (stamp->source[0] != '\0') pairs[n++] = (PmNameValue){SOURCE, stamp->source};
    if (stamp->etag != NULL) pairs[n++] = (PmNameValue){ETAG, stamp->etag};
    if (stamp->sequencer != NULL) pairs[n++] = (PmNameValue){SEQUENCER, stamp->sequencer};
    if (stamp->time_ms <= 0) return n;
    snprintf(time, PM_STAMP_TIME_SIZE, "%lld", (long long)stamp->time_ms);
    pairs[n++] = (PmNameValue){TIME, time};
    return n;
}

bool pm_stamp_s3_present(const PmS3Object *object)
{
    return pm_s3_metadata(object, DIGEST) != NULL;
}
