/* SPDX-License-Identifier: Apache-2.0
 *
 * settle: keep: which version of which path is done, kept in a file so that a restart does not do everything again.
 * Hides a hash table on disk: memory stays the same however many files there are, and each is one read of 4 KiB.
 *
 * A record is written in one piece that no sector boundary cuts, so a kill at any moment loses at most the newest: that
 * file is then done again. What is done with another pipeline or other plugins (`digest`) counts for nothing. Files
 * that are gone are forgotten when the table would have to grow.
 */
#ifndef PM_CONNECTORS_FILE_SEEN_H
#define PM_CONNECTORS_FILE_SEEN_H

#include "base/error.h"
#include "connectors/file/file_version.h"

typedef struct PmSeen PmSeen;

enum { PM_SEEN_MAX = 4000000 };

/* Opens and locks the list, making it where needed. PM_BAD_CONFIG: it cannot be written there, or it is in use,
 * which *in_use (may be NULL) says. New; NULL and err set. */
PmSeen *pm_seen_open(const char *path, bool *in_use, PmError *err);
void pm_seen_close(PmSeen *seen); /* NULL is fine */

/* Before anything else: what was done for another digest is forgotten. */
PmStatus pm_seen_begin(PmSeen *seen, const char *digest, PmError *err);

/* Is this version of this path done? Also notes that the path is still there. */
bool pm_seen_has(PmSeen *seen, const char *key, const PmFileVersion *version);

/* It is done, and no other version of the path. False and err set: it will be done again after a restart. */
bool pm_seen_add(PmSeen *seen, const char *key, const PmFileVersion *version, PmError *err);

/* The table has grown: look at every file of the folder (pm_seen_has), then say so, and what is gone is forgotten. */
bool pm_seen_wants_scan(const PmSeen *seen);
void pm_seen_scanned(PmSeen *seen);

size_t pm_seen_count(const PmSeen *seen);

#endif
