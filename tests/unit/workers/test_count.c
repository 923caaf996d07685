/* SPDX-License-Identifier: Apache-2.0
 *
 * How many workers fit, with control groups as files in a folder.
 */
#include "workers/count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)

static char root[] = "/tmp/pixmill-cgroup-XXXXXX";

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/pixmill-cgroup-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

/* A file below the root, with its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const paths[] = {"list",
                                        "cpu.max",
                                        "memory.max",
                                        "a/cpu.max",
                                        "a/memory.max",
                                        "a/b/cpu.max",
                                        "a/b/memory.max",
                                        "cpu,cpuacct/docker/x/cpu.cfs_quota_us",
                                        "cpu,cpuacct/docker/x/cpu.cfs_period_us",
                                        "memory/memory.limit_in_bytes",
                                        "a/b",
                                        "a",
                                        "cpu,cpuacct/docker/x",
                                        "cpu,cpuacct/docker",
                                        "cpu,cpuacct",
                                        "memory"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char full[512];
        snprintf(full, sizeof full, "%s/%s", root, paths[i]);
        remove(full);
    }
    return rmdir(root);
}

static PmWorkersRoom read_room(const char *list)
{
    char path[512];
    PmWorkersRoom room = {.processors = 8};
    put("list", list);
    snprintf(path, sizeof path, "%s/list", root);
    pm_workers_read_cgroup(path, root, &room);
    return room;
}

static void the_tightest_group_above_us_counts(void **state)
{
    (void)state;
    put("a/cpu.max", "150000 100000\n");
    put("a/memory.max", "max\n");
    put("a/b/cpu.max", "max 100000\n");
    put("a/b/memory.max", "1073741824\n");
    PmWorkersRoom room = read_room("0::/a/b\n");
    assert_int_equal(room.quota_percent, 150);
    assert_int_equal(room.memory_bytes, 1024 * MIB);
}

/* A container sees its own group as the root of the mount, or the host's path that is not there. */
static void the_mount_is_the_containers_group(void **state)
{
    (void)state;
    put("cpu.max", "25000 100000\n");
    assert_int_equal(read_room("0::/\n").quota_percent, 25);
    assert_int_equal(read_room("0::/kubepods/pod7/x\n").quota_percent, 25);
    assert_int_equal(read_room("0::/../x\n").quota_percent, 0); /* outside of what we see */
}

static void version_one_is_read_too(void **state)
{
    (void)state;
    put("cpu,cpuacct/docker/x/cpu.cfs_quota_us", "250000\n");
    put("cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    PmWorkersRoom room = read_room("5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n3:cpuset:/\nrubbish\n0::/\n");
    assert_int_equal(room.quota_percent, 250);
    assert_int_equal(room.memory_bytes, 0); /* how version 1 says that there is no limit */
}

static void without_groups_there_is_no_limit(void **state)
{
    (void)state;
    put("cpu.max", "rubbish\n");
    put("memory.max", "");
    PmWorkersRoom room = read_room("0::/\n");
    assert_int_equal(room.quota_percent, 0);
    assert_int_equal(room.memory_bytes, 0);
    room = (PmWorkersRoom){0};
    pm_workers_read_cgroup("/nonexistent", root, &room);
    assert_int_equal(room.quota_percent, 0);
}

static void as_many_fit_as_processors_and_memory_allow(void **state)
{
    (void)state;
    static const struct {
        PmWorkersRoom room;
        int64_t memory;
        size_t expected;
        const char *why; /* begins with; "" for none */
    } rows[] = {
        {{8, 0, 0}, 512 * MIB, 8, ""},
        {{8, 25, 0}, 512 * MIB, 1, "the control group may use 0.25 processors"},
        {{8, 150, 0}, 512 * MIB, 2, "the control group may use 1.50 processors"},
        {{8, 1600, 0}, 512 * MIB, 8, ""},
        {{8, 0, 1024 * MIB}, 512 * MIB, 1, "the control group may use 1 GiB of memory, and each worker 512 MiB"},
        {{8, 0, 4096 * MIB}, 512 * MIB, 7, "the control group may use 4 GiB of memory"},
        {{8, 400, 4096 * MIB}, 512 * MIB, 4, "the control group may use 4.00 processors"},
        {{8, 0, 64 * MIB}, 512 * MIB, 1, "the control group may use 64 MiB of memory"},
        {{8, 0, 64 * MIB}, 0, 8, ""}, /* no limit for a worker: nothing to divide by */
        {{5000, 0, 0}, 0, PM_WORKERS_MAX, ""},
        {{0, 0, 0}, 0, 1, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        assert_int_equal(pm_workers_fit(&rows[i].room, rows[i].memory, why, sizeof why), rows[i].expected);
        if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0 || (rows[i].why[0] == '\0') != (why[0] == '\0'))
            fail_msg("row %zu: \"%s\"", i, why);
    }
}

static void what_was_asked_for_counts(void **state)
{
    (void)state;
    PmWorkerConfig config = {.count = 5};
    PmLimits limits = {.memory = 512 * MIB};
    assert_int_equal(pm_workers_count(3, &config, &limits), 3);
    assert_int_equal(pm_workers_count(0, &config, &limits), 5);
    config.count = 0;
    assert_in_range(pm_workers_count(0, &config, &limits), 1, PM_WORKERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_tightest_group_above_us_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_mount_is_the_containers_group, setup, teardown),
        cmocka_unit_test_setup_teardown(version_one_is_read_too, setup, teardown),
        cmocka_unit_test_setup_teardown(without_groups_there_is_no_limit, setup, teardown),
        cmocka_unit_test(as_many_fit_as_processors_and_memory_allow),
        cmocka_unit_test(what_was_asked_for_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
