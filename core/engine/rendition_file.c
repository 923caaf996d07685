/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rendition_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vips/vips.h>

#include "base/ipc.h"

PmStatus pm_rendition_file_open(PmRenditionFile *file, int fd, int64_t max, PmError *err)
{
    *file = (PmRenditionFile){.fd = fd, .max = max > 0 ? max : INT64_MAX / 2};
    if (fd >= 0) return PM_OK;
    file->fd = pm_memfd_open("rendition", err);
    file->owned = file->fd >= 0;
    return file->owned ? PM_OK : PM_TRANSIENT;
}

/* TIFF writes its directory last and its offset first, and libtiff 4.7 leaves room for a directory that it writes
 * later: what was skipped reads as zeros, as in any file. */
static gint64 file_write(VipsTargetCustom *target, const void *data, gint64 length, PmRenditionFile *file)
{
    (void)target;
    if (length < 0 || length > file->max - file->at) {
        file->full = true;
        return -1;
    }
    for (gint64 done = 0; done < length;) {
        ssize_t n = pwrite(file->fd, (const char *)data + done, (size_t)(length - done), (off_t)file->at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            file->error = n < 0 ? errno : ENOSPC;
            if (file->error == EFBIG) file->full = true; /* the process' own limit */
            return -1;
        }
        done += n;
        file->at += n;
        if (file->at > file->size) file->size = file->at;
    }
    return length;
}

static gint64 file_read(VipsTargetCustom *target, void *data, gint64 length, PmRenditionFile *file)
{
    (void)target;
    ssize_t n = -1;
    if (length < 0) return -1;
    do n = pread(file->fd, data, (size_t)length, (off_t)file->at);
    while (n < 0 && errno == EINTR);
    if (n > 0) file->at += n;
    return n;
}

static gint64 file_seek(VipsTargetCustom *target, gint64 offset, int whence, PmRenditionFile *file)
{
    (void)target;
    gint64 at = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file->at : file->size;
    if (__builtin_add_overflow(at, offset, &at) || at < 0 || at > file->max) return -1;
    file->at = at;
    return at;
}

VipsTarget *pm_rendition_file_target(PmRenditionFile *file)
{
    VipsTargetCustom *target = vips_target_custom_new();
    g_signal_connect(target, "write", G_CALLBACK(file_write), file);
    g_signal_connect(target, "read", G_CALLBACK(file_read), file);
    g_signal_connect(target, "seek", G_CALLBACK(file_seek), file);
    return VIPS_TARGET(target);
}

PmStatus pm_rendition_file_map(PmRenditionFile *file, PmError *err)
{
    if (file->size == 0 || file->mapped != NULL) return PM_OK;
    /* Private: the broker could not seal a file that is mapped shared. */
    void *bytes = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (bytes == MAP_FAILED)
        return pm_error_set(err, PM_LIMIT, "no room within limits.memory to look at the %lld bytes that were written",
                            (long long)file->size);
    file->mapped = bytes;
    return PM_OK;
}

void pm_rendition_file_unmap(PmRenditionFile *file)
{
    if (file->mapped != NULL) munmap(file->mapped, (size_t)file->size);
    file->mapped = NULL;
}

void pm_rendition_file_close(PmRenditionFile *file)
{
    pm_rendition_file_unmap(file);
    if (file->owned) close(file->fd);
    *file = (PmRenditionFile){0};
}
