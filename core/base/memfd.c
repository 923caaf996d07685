/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/ipc.h"

enum { FIXED = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

int pm_memfd_open(const char *name, PmError *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) pm_error_set(err, PM_TRANSIENT, "no memory file: %s", strerror(errno));
    return fd;
}

PmStatus pm_memfd_seal(int fd, PmError *err)
{
    if (lseek(fd, 0, SEEK_SET) == 0 && fcntl(fd, F_ADD_SEALS, FIXED | F_SEAL_SEAL) == 0) return PM_OK;
    return pm_error_set(err, PM_BUG, "a memory file cannot be sealed: %s", strerror(errno));
}

PmStatus pm_memfd_write(int fd, const void *bytes, size_t size, PmError *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, size - done, (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return pm_error_set(err, PM_TRANSIENT, "%zu bytes do not fit into a memory file: %s", size,
                                strerror(errno));
        done += (size_t)n;
    }
    return PM_OK;
}

int pm_memfd_new(const char *name, const void *bytes, size_t size, PmError *err)
{
    int fd = pm_memfd_open(name, err);
    if (fd < 0) return -1;
    if (pm_memfd_write(fd, bytes, size, err) == PM_OK && pm_memfd_seal(fd, err) == PM_OK) return fd;
    close(fd);
    return -1;
}

PmStatus pm_memfd_map(int fd, size_t max, PmMapping *out, PmError *err)
{
    *out = (PmMapping){0};
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & FIXED) != FIXED)
        return pm_error_set(err, PM_BUG, "the bytes are not in a sealed memory file");
    /* A sealed file on huge pages could still fault on reading when the host has none left. */
    struct statfs fs;
    struct stat info;
    if (fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC || fstat(fd, &info) != 0 || info.st_size < 0)
        return pm_error_set(err, PM_BUG, "the bytes are not in an ordinary memory file");
    if ((uintmax_t)info.st_size > max)
        return pm_error_set(err, PM_LIMIT, "%jd bytes are above the limit of %zu", (intmax_t)info.st_size, max);
    if (info.st_size == 0) return PM_OK;
    /* MAP_PRIVATE: kernels before 6.7 refuse a shared mapping of a write-sealed file, even read-only. */
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return pm_error_set(err, PM_LIMIT, "%jd bytes cannot be mapped: %s", (intmax_t)info.st_size, strerror(errno));
    *out = (PmMapping){bytes, (size_t)info.st_size};
    return PM_OK;
}

PmStatus pm_memfd_take(int fd, size_t size, PmMapping *out, PmError *err)
{
    *out = (PmMapping){0};
    /* The kernel refuses F_SEAL_WRITE while anyone has the file mapped for writing, and a write under way ends first:
     * what is there when this succeeds, stays. */
    struct stat info;
    if (pm_memfd_seal(fd, err) != PM_OK) return PM_BUG;
    if (fstat(fd, &info) != 0 || (uintmax_t)info.st_size != size)
        return pm_error_set(err, PM_BUG, "%zu bytes promised, %jd are there", size, (intmax_t)info.st_size);
    return pm_memfd_map(fd, size, out, err);
}

void pm_memfd_unmap(PmMapping *mapping)
{
    if (mapping == NULL) return;
    if (mapping->bytes != NULL) munmap((void *)mapping->bytes, mapping->size);
    *mapping = (PmMapping){0};
}
