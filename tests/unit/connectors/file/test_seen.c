/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#include "connectors/file/seen.h"

typedef struct Scene {
    char *folder, path[4096];
    PmSeen *seen;
} Scene;

static PmFileVersion version(uint64_t n)
{
    return (PmFileVersion){.device = 1, .inode = n, .name_inode = n, .size = 100, .time = {.tv_sec = 1700000000}};
}

static const char *key_of(uint64_t n)
{
    static char key[64];
    snprintf(key, sizeof key, "photos/%llu.jpg", (unsigned long long)n);
    return key;
}

static void open_it(Scene *s, const char *digest)
{
    PmError err = {0};
    s->seen = pm_seen_open(s->path, NULL, &err);
    assert_string_equal(err.message, "");
    assert_non_null(s->seen);
    assert_int_equal(pm_seen_begin(s->seen, digest, &err), PM_OK);
}

static void open_again(Scene *s, const char *digest)
{
    pm_seen_close(s->seen);
    open_it(s, digest);
}

static bool has(Scene *s, uint64_t n)
{
    PmFileVersion v = version(n);
    return pm_seen_has(s->seen, key_of(n), &v);
}

static void add(Scene *s, uint64_t n)
{
    PmFileVersion v = version(n);
    PmError err = {0};
    assert_true(pm_seen_add(s->seen, key_of(n), &v, &err));
}

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->folder = new_folder();
    snprintf(s->path, sizeof s->path, "%s", at(s->folder, ".pixmill-p.seen"));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
    pm_seen_close(s->seen);
    remove_folder(s->folder);
    free(s);
    return 0;
}

static void test_path_and_version_count(void **state)
{
    Scene *s = *state;
    open_it(s, "d1");
    PmFileVersion v = version(1), bigger = v, later = v, other = v;
    bigger.size++;
    later.time.tv_nsec = 1;
    other.inode = other.name_inode = 2;
    assert_true(pm_seen_add(s->seen, "a.jpg.part", &v, NULL));
    assert_true(pm_seen_has(s->seen, "a.jpg.part", &v));
    assert_false(pm_seen_has(s->seen, "a.jpg", &v)); /* renamed: the same inode, another path */
    assert_false(pm_seen_has(s->seen, "a.jpg.part", &bigger));
    assert_false(pm_seen_has(s->seen, "a.jpg.part", &later));
    assert_false(pm_seen_has(s->seen, "a.jpg.part", &other));
    assert_true(pm_seen_add(s->seen, "a.jpg.part", &later, NULL));
    assert_false(pm_seen_has(s->seen, "a.jpg.part", &v)); /* the newest alone */
    assert_int_equal(pm_seen_count(s->seen), 1);
}

static void test_a_restart_forgets_nothing_but_another_pipeline_does(void **state)
{
    Scene *s = *state;
    open_it(s, "d1");
    for (uint64_t i = 0; i < 5000; i++) add(s, i);
    open_again(s, "d1");
    assert_int_equal(pm_seen_count(s->seen), 5000);
    for (uint64_t i = 0; i < 5000; i++) assert_true(has(s, i));
    assert_false(has(s, 5000));
    open_again(s, "d2");
    assert_int_equal(pm_seen_count(s->seen), 0);
    assert_false(has(s, 1));
}

/* 300,000 files: a table of many pages, and not a byte more of memory. */
static void test_memory_does_not_grow(void **state)
{
    Scene *s = *state;
    open_it(s, "d1");
    for (uint64_t i = 0; i < 1000; i++) add(s, i);
    size_t before = mallinfo2().uordblks;
    for (uint64_t i = 1000; i < 300000; i++) add(s, i);
    size_t after = mallinfo2().uordblks;
    assert_true(after <= before + 4096);
    assert_int_equal(pm_seen_count(s->seen), 300000);
    for (uint64_t i = 0; i < 300000; i += 77) assert_true(has(s, i));
}

static void test_what_is_gone_is_forgotten_when_it_grows(void **state)
{
    Scene *s = *state;
    struct stat st;
    open_it(s, "d1");
    /* Files come and go: there are never more than ten. */
    for (uint64_t i = 0; i < 200000; i++) {
        add(s, i);
        if (!pm_seen_wants_scan(s->seen)) continue;
        for (uint64_t k = i > 10 ? i - 10 : 0; k <= i; k++) assert_true(has(s, k));
        pm_seen_scanned(s->seen);
        assert_false(pm_seen_wants_scan(s->seen));
        assert_true(pm_seen_count(s->seen) < 500);
        for (uint64_t k = i > 10 ? i - 10 : 0; k <= i; k++) assert_true(has(s, k));
    }
    assert_int_equal(stat(s->path, &st), 0);
    assert_true(st.st_size < 1000000);
    open_again(s, "d1");
    assert_true(has(s, 199999));
    assert_false(has(s, 1));
}

/* Killed at any moment: what was noted before is still there, or at worst the last one is not. */
static void test_a_kill_loses_nothing(void **state)
{
    Scene *s = *state;
    open_it(s, "d1");
    pm_seen_close(s->seen);
    s->seen = NULL;
    uint64_t noted = 0;
    for (int round = 0; round < 20; round++) {
        int progress[2];
        assert_int_equal(pipe(progress), 0);
        pid_t pid = fork();
        if (pid == 0) {
            open_it(s, "d1");
            for (uint64_t i = noted;; i++) {
                add(s, i);
                if (write(progress[1], &i, sizeof i) != (ssize_t)sizeof i) _exit(1);
            }
        }
        close(progress[1]);
        uint64_t i = 0;
        for (int n = 0; n < 150 + round * 50; n++) assert_int_equal(read(progress[0], &i, sizeof i), sizeof i);
        kill(pid, SIGKILL);
        while (read(progress[0], &i, sizeof i) == (ssize_t)sizeof i) {
        }
        noted = i + 1;
        close(progress[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        open_it(s, "d1");
        for (uint64_t k = 0; k < noted; k++) assert_true(has(s, k));
        pm_seen_close(s->seen);
        s->seen = NULL;
    }
    assert_true(noted > 10000); /* it has grown meanwhile */
}

static void test_it_is_used_once_at_a_time(void **state)
{
    Scene *s = *state;
    PmError err = {0};
    bool in_use = false;
    open_it(s, "d1");
    for (uint64_t i = 0; i < 5000; i++) add(s, i); /* also after it has been replaced by a larger one */
    assert_null(pm_seen_open(s->path, &in_use, &err));
    assert_true(in_use);
    assert_int_equal(err.status, PM_BAD_CONFIG);
    assert_non_null(strstr(err.message, "is in use: does this pipeline run twice?"));
}

static void test_where_it_cannot_be_written(void **state)
{
    Scene *s = *state;
    PmError err = {0};
    assert_null(pm_seen_open(at(s->folder, "no/p.seen"), NULL, &err));
    assert_int_equal(err.status, PM_BAD_CONFIG);
    assert_string_equal(err.hint, "say where it may be written with trigger.directory.seen");
    assert_int_equal(mkfifo(s->path, 0666), 0);
    err = (PmError){0};
    assert_null(pm_seen_open(s->path, NULL, &err)); /* and does not wait for anybody to write to it */
    assert_int_equal(err.status, PM_BAD_CONFIG);
    unlink(s->path);
    assert_int_equal(symlink("/etc/hostname", s->path), 0);
    assert_null(pm_seen_open(s->path, NULL, NULL));
}

/* A file of somebody else's is replaced and never written to; a table that was cut is as good as its rest. */
static void test_what_is_no_list_of_ours(void **state)
{
    Scene *s = *state;
    write_text(at(s->folder, "precious"), "precious");
    assert_int_equal(link(at(s->folder, "precious"), s->path), 0);
    open_it(s, "d1");
    assert_string_equal(read_text(at(s->folder, "precious")), "precious");
    for (uint64_t i = 0; i < 3000; i++) add(s, i);
    assert_int_equal(truncate(s->path, 20000), 0);
    size_t left = 0;
    for (uint64_t i = 0; i < 3000; i++) left += has(s, i);
    assert_true(left > 0 && left < 3000);
    add(s, 3000);
    open_again(s, "d1");
    assert_true(has(s, 3000));
}

static void test_a_full_disk_is_an_error_and_no_more(void **state)
{
    Scene *s = *state;
    mount_tiny(s->folder, "size=100k,mode=777");
    open_it(s, "d1");
    PmError err = {0};
    uint64_t i = 0;
    for (; i < 100000 && err.status == PM_OK; i++) {
        PmFileVersion v = version(i);
        pm_seen_add(s->seen, key_of(i), &v, &err);
    }
    bool first = has(s, 0);
    pm_seen_close(s->seen);
    s->seen = NULL;
    umount2(s->folder, MNT_DETACH);
    assert_true(i > 1000 && i < 100000);
    assert_non_null(strstr(err.message, "cannot write the list of finished files"));
    assert_true(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_path_and_version_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_forgets_nothing_but_another_pipeline_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_does_not_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_gone_is_forgotten_when_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_kill_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_is_used_once_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_it_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_list_of_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_an_error_and_no_more, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
