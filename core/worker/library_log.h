/* SPDX-License-Identifier: Apache-2.0
 *
 * Where warnings of libvips, GLib, Pango and the like go instead of stderr.
 */
#ifndef PM_WORKER_LIBRARY_LOG_H
#define PM_WORKER_LIBRARY_LOG_H

#include "base/ipc.h"

/* `level` is PM_LOG_ERROR .. PM_LOG_DEBUG; `text` is borrowed. May be called on libvips' threads. */
typedef void PmLibraryLog(void *data, int level, const char *text);

/* Sends GLib's log lines to `call` from now on; NULL: nowhere. Anything less than a warning is dropped. When GLib dies
 * for want of memory it is noted in `progress` (may be NULL). Both are borrowed until the next call. */
void pm_library_log_to(PmLibraryLog *call, void *data, PmProgress *progress);

#endif
