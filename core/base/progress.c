/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ipc.h"

static PmProgress *map(int fd)
{
    void *page = mmap(NULL, sizeof(PmProgress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

int pm_progress_new(PmProgress **out, PmError *err)
{
    *out = NULL;
    int fd = pm_memfd_open("pixmill-progress", err);
    if (fd < 0) return -1;
    /* It stays writable, but no end can make the other fault by shrinking it. */
    if (ftruncate(fd, sizeof(PmProgress)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 || (*out = map(fd)) == NULL) {
        pm_error_set(err, PM_TRANSIENT, "no progress page: %s", strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

PmProgress *pm_progress_map(int fd)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return NULL;
    if (fstat(fd, &info) != 0 || info.st_size != (off_t)sizeof(PmProgress)) return NULL;
    return map(fd);
}

void pm_progress_unmap(PmProgress *progress)
{
    if (progress != NULL) munmap(progress, sizeof *progress);
}

static void end_text(char *text, size_t size)
{
    text[size - 1] = '\0';
}

PmProgress pm_progress_read(const PmProgress *progress)
{
    PmProgress copy;
    memcpy(&copy, progress, sizeof copy);
    end_text(copy.plugin, sizeof copy.plugin);
    end_text(copy.step, sizeof copy.step);
    end_text(copy.fault_plugin, sizeof copy.fault_plugin);
    end_text(copy.refused_call, sizeof copy.refused_call);
    return copy;
}
