/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/file_version.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

bool pm_file_version(int folder, const char *name, PmFileVersion *out)
{
    struct stat own, st;
    if (fstatat(folder, name, &own, AT_SYMLINK_NOFOLLOW) != 0) return false;
    st = own;
    if (S_ISLNK(own.st_mode) && fstatat(folder, name, &st, 0) != 0) return false;
    if (!S_ISREG(st.st_mode)) return false;
    *out = (PmFileVersion){
        .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .time = st.st_mtim, .name_inode = own.st_ino};
    return true;
}

bool pm_file_version_same(const PmFileVersion *a, const PmFileVersion *b)
{
    return a->inode == b->inode && a->device == b->device && a->size == b->size && a->name_inode == b->name_inode &&
           a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec;
}

int64_t pm_file_version_time_ms(const PmFileVersion *version)
{
    return version->time.tv_sec * INT64_C(1000) + version->time.tv_nsec / 1000000;
}

int64_t pm_file_version_age_ms(const PmFileVersion *version)
{
    int64_t age = pm_clock_wall_ms() - pm_file_version_time_ms(version);
    return age >= 0 ? age : -1;
}

bool pm_file_is_open_for_writing(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return false;
    bool granted = fcntl(fd, F_SETLEASE, F_RDLCK) == 0, written = !granted && errno == EAGAIN;
    if (granted) fcntl(fd, F_SETLEASE, F_UNLCK);
    close(fd);
    return written;
}
