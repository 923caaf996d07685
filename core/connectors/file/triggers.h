/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that arrive in a folder, and files that are listed.
 */
#ifndef PM_CONNECTORS_FILE_TRIGGERS_H
#define PM_CONNECTORS_FILE_TRIGGERS_H

#include "connectors/file/listing.h"
#include "connectors/trigger.h"

/* Files of a folder. once: `drained` after what is there, whatever `watch` says. digest: of pipeline and plugins; read
 * when something is wanted for the first time. helper, pipeline and digest outlive it; its last jobs may end only with
 * the helper. PM_BAD_CONFIG: no such folder. The process ignores SIGIO, which the kernel sends to who holds a lease, as
 * this does for a moment. New. */
PmTrigger *pm_trigger_directory_new(PmLoop *loop, PmHelper *helper, const PmPipeline *pipeline, const char *digest,
                                    bool once, const PmTriggerSink *sink, PmError *err);

/* The files of the listing that are not skipped, each once; settling leaves them where they are. `settled` (may be
 * NULL) is called with each settlement. `listing` outlives it. New. */
typedef void PmListSettled(void *data, const PmEvent *event, const PmFate *fate);
PmTrigger *pm_trigger_list_new(PmLoop *loop, const PmListing *listing, const PmTriggerSink *sink,
                               PmListSettled *settled, void *data, PmError *err);

#endif
