/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BUILD, GENERATION, RELOADED, CPU, MEMORY, OPEN_FDS, MAX_FDS, START, FAMILIES };

static const PmMetricFamily families[FAMILIES] = {
    [BUILD] = {"pixmill_build_info", PM_GAUGE, {"version", "libvips", "abi"}, "The program; its value is 1."},
    [GENERATION] = {"pixmill_config_generation", PM_GAUGE, {"pipeline"}, "Which reading of the file runs."},
    [RELOADED] = {"pixmill_config_last_reload_successful",
                  PM_GAUGE,
                  {"pipeline"},
                  "0: the file was read anew and could not be used, so that what ran goes on. Else 1."},
    [CPU] = {"process_cpu_seconds", PM_COUNTER, {NULL}, "Processor time of the broker."},
    [MEMORY] = {"process_resident_memory_bytes", PM_GAUGE, {NULL}, "Memory of the broker that is resident."},
    [OPEN_FDS] = {"process_open_fds", PM_GAUGE, {NULL}, "Open file descriptors."},
    [MAX_FDS] = {"process_max_fds", PM_GAUGE, {NULL}, "How many file descriptors may be open."},
    [START] = {"process_start_time_seconds", PM_GAUGE, {NULL}, "When the broker began, since 1970."},
};

struct PmProcessMetrics {
    PmMetricSet *set;
};

static void put(const PmProcessMetrics *metrics, size_t family, double value)
{
    pm_metric_put(pm_metric_series(metrics->set, family, (const char *const[]){NULL}), value);
}

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* The first line of a file of /proc; "" when it cannot be read. */
static void read_line(const char *path, char *out, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(out, size, file) == NULL) out[0] = '\0';
    if (file != NULL) fclose(file);
}

static double resident_bytes(void)
{
    char line[200];
    read_line("/proc/self/statm", line, sizeof line);
    const char *space = strchr(line, ' ');
    return space != NULL ? strtod(space, NULL) * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double count = 0;
    while (dir != NULL && readdir(dir) != NULL) count++;
    if (dir != NULL) closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and our own */
}

/* proc(5): field 22 of stat is when the process began, in ticks since the machine did. The name before it, in
 * parentheses, may hold anything. */
static double start_time(void)
{
    char line[1024];
    struct timespec now, up;
    read_line("/proc/self/stat", line, sizeof line);
    char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    if (at == NULL) return 0;
    double began = strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
    return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 + began;
}

PmProcessMetrics *pm_process_metrics_new(void)
{
    PmProcessMetrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) return NULL;
    metrics->set = pm_metric_set_new(families, FAMILIES);
    if (metrics->set != NULL) {
        put(metrics, START, start_time()); /* once: the clock may be set meanwhile */
        return metrics;
    }
    free(metrics);
    return NULL;
}

void pm_process_metrics_free(PmProcessMetrics *metrics)
{
    if (metrics == NULL) return;
    pm_metric_set_free(metrics->set);
    free(metrics);
}

void pm_process_metrics_put_config(PmProcessMetrics *metrics, const char *pipeline, int64_t generation, bool reloaded)
{
    const char *const labels[] = {pipeline != NULL ? pipeline : ""};
    pm_metric_put(pm_metric_series(metrics->set, GENERATION, labels), (double)generation);
    pm_metric_put(pm_metric_series(metrics->set, RELOADED, labels), reloaded ? 1 : 0);
}

const PmMetricSet *pm_process_metrics(PmProcessMetrics *metrics, const char *vips)
{
    struct rusage usage;
    struct rlimit limit;
    char abi[32];
    snprintf(abi, sizeof abi, "%d.%d", PM_ABI_MAJOR, PM_ABI_MINOR);
    if (vips != NULL)
        pm_metric_put(pm_metric_series(metrics->set, BUILD, (const char *const[]){PIXMILL_VERSION, vips, abi}), 1);
    if (getrusage(RUSAGE_SELF, &usage) == 0) put(metrics, CPU, seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
    put(metrics, MEMORY, resident_bytes());
    put(metrics, OPEN_FDS, open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) put(metrics, MAX_FDS, (double)limit.rlim_cur);
    return metrics->set;
}
