/* SPDX-License-Identifier: Apache-2.0
 *
 * Who could change a plugin. A user who may write to it, to its folder, or to a folder above controls the worker: so
 * that must be root or the user alone.
 */
#ifndef PM_ENGINE_TRUST_H
#define PM_ENGINE_TRUST_H

#include <sys/stat.h>

#include "base/error.h"

/* `what`: "file" or "folder". PM_OK, or PM_BAD_CONFIG with what was found and what to do. A group may write when it is
 * the owner's own (its number is the user's). */
PmStatus pm_trust_check(const char *path, const struct stat *st, const char *what, PmError *err);

/* Every folder above `path` (absolute), links resolved. A sticky one such as /tmp may be everybody's: there, nobody
 * replaces what is somebody else's. */
PmStatus pm_trust_check_above(const char *path, PmError *err);

#endif
