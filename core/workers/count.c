/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/count.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

/* Ourselves, sources and renditions under way. */
#define OWN_BYTES (INT64_C(128) * 1024 * 1024)
/* Version 1 writes "no limit" as a number near 2^63. */
#define NO_LIMIT_BYTES (INT64_C(1) << 60)

enum { PATH_BYTES = 4096 };

static bool read_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    bool good = file != NULL && fgets(text, (int)size, file) != NULL;
    if (file != NULL) fclose(file);
    if (good) text[strcspn(text, "\n")] = '\0';
    return good;
}

/* The first number of a file; false: none, or a word such as "max". *rest: what follows. */
static bool read_number(const char *folder, const char *name, int64_t *value, int64_t *rest)
{
    char path[PATH_BYTES + 64], text[128], *end = text;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_line(path, text, sizeof text)) return false;
    *value = strtoll(text, &end, 10);
    if (end == text) return false;
    *rest = strtoll(end, NULL, 10);
    return true;
}

static void lower(int64_t *limit, int64_t value)
{
    if (value > 0 && (*limit == 0 || value < *limit)) *limit = value;
}

static void read_folder(const char *folder, PmWorkersRoom *room)
{
    int64_t value = 0, period = 0, none = 0;
    if (read_number(folder, "cpu.max", &value, &period) && period > 0)
        lower(&room->quota_percent, value * 100 / period > 0 ? value * 100 / period : 1);
    if (read_number(folder, "cpu.cfs_quota_us", &value, &none) && value > 0 &&
        read_number(folder, "cpu.cfs_period_us", &period, &none) && period > 0)
        lower(&room->quota_percent, value * 100 / period > 0 ? value * 100 / period : 1);
    if (read_number(folder, "memory.max", &value, &none)) lower(&room->memory_bytes, value);
    if (read_number(folder, "memory.limit_in_bytes", &value, &none) && value < NO_LIMIT_BYTES)
        lower(&room->memory_bytes, value);
}

/* The folder, and those above it up to `root` + `mount`. In a container our own path may not exist as it is told: the
 * mount itself is then the container's group. */
static void read_upwards(const char *root, const char *mount, const char *group, PmWorkersRoom *room)
{
    char folder[PATH_BYTES];
    int base = snprintf(folder, sizeof folder, "%s%s%s", root, mount[0] != '\0' ? "/" : "", mount);
    if (base < 0 || (size_t)base + strlen(group) >= sizeof folder || strstr(group, "..") != NULL) return;
    memcpy(folder + base, group, strlen(group) + 1);
    for (;;) {
        read_folder(folder, room);
        char *slash = strrchr(folder + base, '/');
        if (slash == NULL) return;
        *slash = '\0';
    }
}

static bool names_controller(const char *controllers, const char *wanted)
{
    size_t n = strlen(wanted);
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, wanted, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
    }
    return false;
}

void pm_workers_read_cgroup(const char *list, const char *root, PmWorkersRoom *room)
{
    char line[PATH_BYTES];
    FILE *file = fopen(list, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        /* "0::/a/b", or "4:cpu,cpuacct:/a/b" (cgroups(7)) */
        char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL || group[1] != '/') continue;
        *group++ = '\0';
        controllers++;
        if (controllers[0] == '\0' || names_controller(controllers, "cpu") || names_controller(controllers, "memory"))
            read_upwards(root, controllers, group, room);
    }
    if (file != NULL) fclose(file);
}

static int64_t count_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? n : 1;
}

size_t pm_workers_fit(const PmWorkersRoom *room, int64_t memory_per_worker, char *why, size_t why_size)
{
    int64_t n = room->processors > 0 ? room->processors : 1;
    why[0] = '\0';
    /* Rounded up: part of a processor is to be used as well. */
    int64_t quota = (room->quota_percent + 99) / 100;
    if (quota > 0 && quota < n) {
        n = quota;
        snprintf(why, why_size, "the control group may use %lld.%02lld processors",
                 (long long)room->quota_percent / 100, (long long)room->quota_percent % 100);
    }
    int64_t memory = room->memory_bytes - OWN_BYTES;
    int64_t fits = memory_per_worker > 0 && room->memory_bytes > 0 ? memory / memory_per_worker : n;
    if (fits < n) {
        char has[32], needs[32];
        n = fits > 0 ? fits : 1;
        pm_text_bytes(has, sizeof has, room->memory_bytes);
        pm_text_bytes(needs, sizeof needs, memory_per_worker);
        snprintf(why, why_size, "the control group may use %s of memory, and each worker %s (limits.memory)", has,
                 needs);
    }
    return n > PM_WORKERS_MAX ? PM_WORKERS_MAX : (size_t)n;
}

size_t pm_workers_count(int asked, const PmWorkerConfig *config, const PmLimits *limits)
{
    int64_t n = asked > 0 ? asked : config->count;
    if (n > 0) return n > PM_WORKERS_MAX ? PM_WORKERS_MAX : (size_t)n;
    char why[256], count[32];
    PmWorkersRoom room = {.processors = count_processors()};
    pm_workers_read_cgroup("/proc/self/cgroup", "/sys/fs/cgroup", &room);
    size_t fit = pm_workers_fit(&room, limits->memory, why, sizeof why);
    snprintf(count, sizeof count, "%zu", fit);
    if (why[0] != '\0') pm_log(PM_LOG_INFO, "workers.count", "workers", count, "msg", why, NULL);
    return fit;
}
