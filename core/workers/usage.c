/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

int64_t pm_usage_cpu_ms(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return -1;
    return used.tv_sec * INT64_C(1000) + used.tv_nsec / 1000000;
}

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

int64_t pm_usage_starved_ms(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = pid > 0 ? opendir(path) : NULL;
    int64_t sum = -1;
    const struct dirent *entry;
    for (int i = 0; threads != NULL && i < THREADS_MAX && (entry = readdir(threads)) != NULL; i++) {
        char file[384], text[128], *end = NULL;
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s/schedstat", path, entry->d_name);
        if (!read_text(file, text, sizeof text)) continue;
        /* nanoseconds on a processor, nanoseconds waiting for one, times (Documentation/scheduler/sched-stats.rst) */
        strtoull(text, &end, 10);
        if (end == text) continue;
        sum = (sum < 0 ? 0 : sum) + (int64_t)(strtoull(end, NULL, 10) / 1000000);
    }
    if (threads != NULL) closedir(threads);
    return sum;
}

bool pm_usage_is_held(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (pid <= 0 || !read_text(path, text, sizeof text)) return false;
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    return after_name != NULL && after_name[1] == ' ' && strchr("TtD", after_name[2]) != NULL;
}

int pm_usage_open_memory(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    return pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

int64_t pm_usage_mapped_bytes(int fd)
{
    char text[128];
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;
    if (n <= 0) return -1;
    text[n] = '\0';
    char *end = NULL;
    unsigned long long pages = strtoull(text, &end, 10);
    return end == text ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}
