/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks a folder without holding its listing in memory and without following a link to another folder.
 */
#ifndef PM_CONNECTORS_FILE_FOLDER_SCAN_H
#define PM_CONNECTORS_FILE_FOLDER_SCAN_H

#include <stdbool.h>
#include <sys/stat.h>

/* A folder, before what is in it: false skips it. key: its path below the root, "" for the root itself. */
typedef bool PmFolderScanEnter(void *data, const char *key, const struct stat *st);
/* A regular file or a link to anything. */
typedef void PmFolderScanFile(void *data, const char *key);

/* Walks `key` below `root`, in no order. Hidden files and folders (".x") are left out. False: a part of it could not be
 * read, which is logged. */
bool pm_folder_scan(const char *root, const char *key, PmFolderScanEnter *enter, PmFolderScanFile *file, void *data);

#endif
