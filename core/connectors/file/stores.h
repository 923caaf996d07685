/* SPDX-License-Identifier: Apache-2.0
 *
 * Files as sources and as renditions.
 */
#ifndef PM_CONNECTORS_FILE_STORES_H
#define PM_CONNECTORS_FILE_STORES_H

#include "base/helper.h"
#include "connectors/source.h"
#include "connectors/store.h"

/* Files by their path. pipeline: of it the trigger's folder is what a source depends on; NULL: the file's own folder.
 * New. */
PmSource *pm_source_file_new(PmHelper *helper, const PmPipeline *pipeline, PmError *err);

/* Files: written beside their place, synced, renamed over it. Renditions of objects are stamped with the source's
 * version, and none replaces one of a newer version; files of a folder come one version after the other anyway. `base`
 * is the absolute folder that relative keys start at (copied). confined: absolute keys are refused too (`apply --out`).
 * New. */
PmStore *pm_store_file_new(PmHelper *helper, const char *base, bool confined, PmError *err);

#endif
