/* SPDX-License-Identifier: Apache-2.0
 *
 * What a stored rendition says of its origin, so that duplicates and old events are recognised without a database, and
 * what follows from it. Pure: every store keeps a stamp in its own way (object metadata, extended attributes).
 *
 * Versions of one source key are ordered by their events' sequencers. Sequencers of different keys cannot be compared,
 * and some events have none: then the events' times decide.
 */
#ifndef PM_CONNECTORS_STAMP_H
#define PM_CONNECTORS_STAMP_H

#include "connectors/object.h"

enum { PM_STAMP_SOURCE_SIZE = 33 };

/* Strings are borrowed; NULL, "" and 0 mean unknown. */
typedef struct PmStamp {
    const char *digest;                /* of pipeline and plugins; NULL: the rendition is not pixmill's */
    const char *etag;                  /* of the source's version */
    const char *sequencer;             /* of the event */
    int64_t time_ms;                   /* of the event, wall clock */
    char source[PM_STAMP_SOURCE_SIZE]; /* which object or file: a digest of its name. Renditions are often public, and
                                          their stamps with them, while the names of originals may be private */
} PmStamp;

typedef enum PmStampVerdict {
    PM_STAMP_WRITE,   /* not pixmill's, older, or made differently. Also when the bytes would be the same and only the
                         stamp is older: otherwise an event from between the two could still replace them */
    PM_STAMP_CURRENT, /* the same version of the same source, the same digest, and no older stamp */
    PM_STAMP_STALE    /* made of a newer version, or of another source that is newer */
} PmStampVerdict;

/* What stands for "bucket/key", or for a path (bucket NULL), in a stamp; "" without memory. */
void pm_stamp_name(const char *bucket, const char *key, char name[PM_STAMP_SOURCE_SIZE]);

/* The stamp of a rendition of `source`, whose strings it borrows. */
void pm_stamp_of(const PmObject *source, const char *digest, PmStamp *stamp);

/* What to do about a rendition that exists. */
PmStampVerdict pm_stamp_judge(const PmStamp *existing, const PmStamp *ours);

/* After PM_STAMP_WRITE: takes from the existing stamp what ours lacks, so that a stamp never goes back. An event
 * without a sequencer must not make a rendition forget the one it has. */
void pm_stamp_carry(const PmStamp *existing, PmStamp *ours);

#endif
