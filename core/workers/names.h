/* SPDX-License-Identifier: Apache-2.0
 *
 * What names a job in log lines: the same words in every line about it, from any process, so that they can be found
 * together.
 */
#ifndef PM_WORKERS_NAMES_H
#define PM_WORKERS_NAMES_H

typedef struct PmJobNames {
    char source[1400];     /* "s3://bucket/key", or a file's path */
    char message_id[128];  /* "" for a file */
    char version_id[1100]; /* "" when the event names none, as the next two */
    char etag[160], sequencer[128];
} PmJobNames;

/* As pairs for pm_log(); what is not known is left out. `names` is a pointer; all empty: no job. */
#define PM_JOB_NAME_(text) ((text)[0] != '\0' ? (text) : NULL)
#define PM_JOB_NAMES(names)                                                                                 \
    "source", PM_JOB_NAME_((names)->source), "message_id", PM_JOB_NAME_((names)->message_id), "version_id", \
        PM_JOB_NAME_((names)->version_id), "etag", PM_JOB_NAME_((names)->etag), "sequencer",                \
        PM_JOB_NAME_((names)->sequencer)

#endif
