/* SPDX-License-Identifier: Apache-2.0
 *
 * `notify.file`: a record becomes a file, complete or not there.
 */
#ifndef PM_CONNECTORS_FILE_NOTIFIER_FILE_H
#define PM_CONNECTORS_FILE_NOTIFIER_FILE_H

#include "base/helper.h"
#include "connectors/notifier.h"
#include "pipeline/pipeline.h"

/* pipeline->notify is of kind `file`. New. */
PmNotifier *pm_notifier_file_new(PmHelper *helper, const PmPipeline *pipeline, PmError *err);

#endif
