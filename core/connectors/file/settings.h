/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline file can say of folders and files.
 */
#ifndef PM_CONNECTORS_FILE_SETTINGS_H
#define PM_CONNECTORS_FILE_SETTINGS_H

#include "pipeline/pipeline.h"

typedef enum PmSettle { PM_SETTLE_MOVE, PM_SETTLE_KEEP } PmSettle;

/* `trigger.directory` */
typedef struct PmDirectoryTrigger {
    const char *path;          /* as written; resolve with pm_pipeline_path */
    bool watch;                /* after what is there, wait for more */
    int32_t settle;            /* PmSettle */
    const char *done, *failed; /* folders for settle: move; default <path>/done and <path>/failed */
    bool recursive;
    const char *seen;    /* settle: keep: the list of finished files; default <path>/.pixmill-<name>.seen */
    const char *pattern; /* glob over the path relative to `path`, or NULL */
} PmDirectoryTrigger;

/* `to.file`, `quarantine.file`, `notify.file` */
typedef struct PmFilePlace {
    const char *path;
} PmFilePlace;

extern const PmKind pm_kind_directory, pm_kind_file;

#endif
