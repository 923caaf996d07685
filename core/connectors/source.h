/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the bytes of an object come from. Hides what they are read from.
 */
#ifndef PM_CONNECTORS_SOURCE_H
#define PM_CONNECTORS_SOURCE_H

#include "base/helper.h"
#include "connectors/object.h"

typedef struct PmSource PmSource;
typedef struct PmSourceCall PmSourceCall;

typedef enum PmFetchOutcome {
    PM_FETCHED,
    PM_FETCH_GONE,  /* deleted or overwritten since the event: the job is skipped */
    PM_FETCH_FAILED /* see err */
} PmFetchOutcome;

typedef struct PmFetched {
    PmFetchOutcome outcome;
    int fd; /* sealed memfd, given away to the callback */
    int64_t size;
    const char *etag, *version_id; /* as delivered, or NULL; borrowed */
    const char *sha256;            /* of the bytes, in hex, when the source was asked to; NULL: unknown. Borrowed */
    int64_t modified_ms;           /* when this version was written, wall clock; 0 unknown */
    bool ours; /* written by pixmill, as a rendition or by the quarantine at this very place: no source */
    const PmError *err;
} PmFetched;

typedef void PmSourceDone(void *data, const PmFetched *fetched);

typedef struct PmSourceOps {
    /* `done` comes once, never from here. `object` outlives the call. Reads at most max bytes: more is PM_LIMIT, before
     * anything is read where the size is known. NULL and err set when it cannot start. */
    PmSourceCall *(*get)(PmSource *source, const PmObject *object, int64_t max, PmSourceDone *done, void *data,
                         PmError *err);
    void (*cancel)(PmSource *source, PmSourceCall *call);
    /* What reading the object depends on, for the circuit breaker and for people: "s3://bucket", "file:/srv/in". */
    void (*name)(const PmSource *source, const PmObject *object, char *out, size_t size);
    /* Whether the pipeline names what the object lies in. NULL: it does. What only an event names is the event's
     * mistake when it cannot be read. */
    bool (*names)(const PmSource *source, const PmObject *object);
    void (*free)(PmSource *source);
} PmSourceOps;

struct PmSource {
    const PmSourceOps *ops;
    bool sha256; /* what is read is digested on the way; set before the first get */
};

#endif
