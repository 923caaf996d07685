/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of one source object: what triggers answer with, what is counted, recorded and printed.
 */
#ifndef PM_CONNECTORS_RESULT_H
#define PM_CONNECTORS_RESULT_H

#include <jansson.h>

#include "connectors/store.h"
#include "connectors/trigger.h"

/* What became of one rendition, or of a source in quarantine. */
typedef struct PmOutputResult {
    const char *output;           /* the output's name, or "quarantine" */
    const char *matrix;           /* the output whose `for` made it, or NULL */
    const char *format;           /* NULL: quarantine, and then the next three are 0 */
    int32_t width, height, pages; /* px */
    int64_t size;                 /* bytes */
    bool source;                  /* the source itself is the result */
    PmStoreOutcome stored;
    const char *location; /* path or s3://bucket/key; NULL: the put could not start */
} PmOutputResult;

/* One finished object, for printing. Borrowed for the call. */
typedef struct PmJobResult {
    const PmObject *object;
    const char *event_id;    /* of the message, or the file's path */
    const PmError *error;    /* NULL: fine */
    PmFateKind fate;         /* of the object, before the event's other objects have their say */
    const char *skipped;     /* why nothing was made ("superseded"), or NULL */
    const char *unavailable; /* a source or store that failed ("s3://bucket", "file:/srv/out"): it is the world that is
                                broken, not the image; or NULL */
    const PmOutputResult *outputs;
    size_t output_count;
    const json_t *not_made;                              /* {output: reason} whose `when` did not match */
    const json_t *facts, *verdicts, *warnings, *timings; /* or NULL */
    int64_t source_size, ms;
    int attempt;
} PmJobResult;

#endif
