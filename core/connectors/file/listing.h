/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a command line: which there are, and which are left out and why. Hides walking folders. What lies below
 * the folder that renditions go to is never taken for a source, by the folder's identity, whatever its path looks like.
 */
#ifndef PM_CONNECTORS_FILE_LISTING_H
#define PM_CONNECTORS_FILE_LISTING_H

#include <sys/types.h>

#include "connectors/object.h"
#include "pipeline/pipeline.h"

typedef struct PmListed {
    PmObject object; /* key: the path below the folder given, or the file's name */
    dev_t device;    /* with `inode`: the file's identity */
    ino_t inode;
    char skipped[80]; /* why it is left out; "": it is not */
} PmListed;

typedef struct PmListing {
    PmListed *items; /* owned; in the order given, folders sorted by name */
    size_t count, room;
    size_t images; /* of these, those that are not skipped */
    char **roots;  /* owned: real paths of the folders read, but for those that hold the folder of the renditions */
    size_t root_count;
    char *out; /* owned: real path of the folder that renditions go to; NULL: none */
    size_t *by_identity;
} PmListing;

/* Each path once; a folder stands for all files in it that are images (by content, or by the name's ending) and is not
 * searched below `out_dir` (absolute, there already; NULL: none). What is named itself is always taken. PM_BAD_CONFIG:
 * nothing there, too many files, or a folder that is `out_dir` itself. Finish in either case. */
PmStatus pm_listing_make(PmListing *listing, const char *const *paths, size_t count, const char *out_dir,
                         const PmLimits *limits, PmError *err);
void pm_listing_finish(PmListing *listing);

/* Whether a file called this is an image by its ending: a damaged one fails and is not passed over. */
bool pm_listing_is_image_name(const char *name);

/* The listed file of this identity, or NULL. */
const PmListed *pm_listing_find(const PmListing *listing, dev_t device, ino_t inode);

/* The folder that was read and in which `location` (absolute, without links) lies, or NULL. */
const char *pm_listing_root(const PmListing *listing, const char *location);

#endif
