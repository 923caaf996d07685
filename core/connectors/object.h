/* SPDX-License-Identifier: Apache-2.0
 *
 * One source object, as a trigger names it: where it is and which version of it is meant.
 */
#ifndef PM_CONNECTORS_OBJECT_H
#define PM_CONNECTORS_OBJECT_H

#include "pipeline/facts.h"

typedef struct PmObject {
    char *bucket;     /* owned; NULL for files */
    char *key;        /* owned; the object's key, or the file's path below the trigger's folder */
    char *path;       /* owned; absolute path of the file, NULL for objects */
    char *version_id; /* owned; NULL: not pinned */
    char *etag;       /* owned; NULL: not known yet */
    char *sequencer;  /* owned; NULL: not known */
    int64_t size;     /* bytes; -1 unknown */
    int64_t time_ms;  /* of the event, wall clock; 0 unknown */
} PmObject;

void pm_object_finish(PmObject *object);
/* Deep copy; false when out of memory (then *to is empty). */
bool pm_object_copy(PmObject *to, const PmObject *from);

/* "s3://bucket/key" or the path, for messages; at most size bytes. */
void pm_object_label(const PmObject *object, char *out, size_t size);

/* Sets key, dir, name, stem, source_ext, bucket, etag, date parts. */
bool pm_object_facts(const PmObject *object, PmFacts *facts);

#endif
