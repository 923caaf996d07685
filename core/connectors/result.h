/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of one source object: what triggers answer with, what is counted, recorded and printed.
 */
#ifndef PM_CONNECTORS_RESULT_H
#define PM_CONNECTORS_RESULT_H

#include <jansson.h>

#include "connectors/trigger.h"

/* One finished object, for whoever prints. Borrowed for the call. */
typedef struct PmJobResult {
    const PmObject *object;
    const char *event_id;    /* of the message, or the file's path */
    const PmError *error;    /* NULL: fine */
    PmFateKind fate;         /* of the object, before the event's other objects have their say */
    const char *skipped;     /* why nothing was made ("superseded"), or NULL */
    const char *unavailable; /* a source or store that failed ("s3://bucket", "file:/srv/out"): it is the world that is
                                broken, not the image; or NULL */
    const json_t
        *outputs; /* [{output, location, format, width, height, pages, size, stored: stored|current|stale}..] */
    const json_t *not_made;                              /* {output: reason} whose `when` did not match */
    const json_t *facts, *verdicts, *warnings, *timings; /* or NULL */
    int64_t source_size, ms;
    int attempt;
} PmJobResult;

#endif
