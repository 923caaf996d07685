/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory file that an encoder writes a rendition into, as a target of libvips with a maximum. Hides who made the
 * file, and that what is written there takes none of the address space that decoder and encoder need.
 */
#ifndef PM_ENGINE_RENDITION_FILE_H
#define PM_ENGINE_RENDITION_FILE_H

#include <pixmill/plugin.h>

#include "base/error.h"

typedef struct PmRenditionFile {
    int fd;
    bool owned;
    int64_t at, size, max; /* bytes */
    bool full;             /* a write was refused: it went beyond the maximum */
    int error;             /* errno of a write that failed, or 0 */
    void *mapped;          /* NULL: pm_rendition_file_map was not called, or there is nothing */
} PmRenditionFile;

/* `fd` is an empty memory file, borrowed; or -1 to make one. `max` <= 0: no maximum. PM_TRANSIENT. */
PmStatus pm_rendition_file_open(PmRenditionFile *file, int fd, int64_t max, PmError *err);

/* New. Written, read and sought in by encoders, on any one thread at a time. Borrows `file`. */
VipsTarget *pm_rendition_file_target(PmRenditionFile *file);

/* Maps what was written for reading: file->mapped, until pm_rendition_file_unmap or _close. PM_LIMIT: there is no room.
 */
PmStatus pm_rendition_file_map(PmRenditionFile *file, PmError *err);

/* Ends the mapping: the file can be sealed from now on without the kernel finding its pages in use. */
void pm_rendition_file_unmap(PmRenditionFile *file);

/* A zeroed one is fine. */
void pm_rendition_file_close(PmRenditionFile *file);

#endif
