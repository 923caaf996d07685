/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "connectors/file/stores.h"
#include "connectors/store.h"

static atomic_uint fsync_takes_us;

/* In place of libc's: a disk that takes its time. */
int fsync(int fd)
{
    usleep(atomic_load(&fsync_takes_us));
    return (int)syscall(SYS_fsync, fd);
}

typedef struct Scene {
    PmLoop *loop;
    PmHelper *helper;
    PmStore *store;
    char *folder, *mounted;
    size_t done;
    PmStoreOutcome outcome;
    PmError err;
    char location[4096];
} Scene;

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->loop = pm_loop_new(NULL);
    s->helper = pm_helper_new(s->loop, NULL);
    s->folder = new_folder();
    s->store = pm_store_file_new(s->helper, s->folder, false, NULL);
    assert_non_null(s->store);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
    if (s->mounted != NULL) umount2(s->mounted, MNT_DETACH);
    free(s->mounted);
    s->store->ops->free(s->store);
    pm_helper_free(s->helper);
    pm_loop_free(s->loop);
    remove_folder(s->folder);
    free(s);
    return 0;
}

static void on_stored(void *data, const PmStored *stored)
{
    Scene *s = data;
    s->done++;
    s->outcome = stored->outcome;
    s->err = stored->err != NULL ? *stored->err : (PmError){0};
    snprintf(s->location, sizeof s->location, "%s", stored->location);
}

static PmStoreCall *begin(Scene *s, const char *key, const char *prefix, const void *bytes, size_t size)
{
    PmStorePut put = {.key = key, .key_prefix = prefix, .bytes = bytes, .size = size, .output = "a"};
    PmStoreCall *call = s->store->ops->put(s->store, &put, on_stored, s, NULL);
    assert_non_null(call);
    return call;
}

static PmStatus put(Scene *s, const char *key, const char *prefix, const char *text)
{
    begin(s, key, prefix, text, strlen(text));
    pm_loop_run(s->loop);
    assert_int_equal(s->outcome, s->err.status == PM_OK ? PM_STORED : PM_STORE_FAILED);
    return s->err.status;
}

static void mount_at(Scene *s, const char *name, const char *options)
{
    char *path = strdup(at(s->folder, name));
    assert_int_equal(mkdir(path, 0777), 0);
    s->mounted = path;
    mount_tiny(path, options);
}

static void test_a_file_is_written_and_replaced(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "out/x/a.txt", "out/", "first"), PM_OK);
    assert_string_equal(read_text(at(s->folder, "out/x/a.txt")), "first");
    assert_string_equal(s->location, at(s->folder, "out/x/a.txt"));
    assert_int_equal(put(s, "out/x/a.txt", "out/", "second"), PM_OK);
    assert_string_equal(read_text(at(s->folder, "out/x/a.txt")), "second");
}

/* `in the way` is only this path's affair; the operator's own part of it concerns every image. */
static void test_whose_fault_it_is(void **state)
{
    Scene *s = *state;
    write_text(at(s->folder, "file"), "x");
    assert_int_equal(mkdir(at(s->folder, "out"), 0777), 0);
    assert_int_equal(mkdir(at(s->folder, "out/folder"), 0777), 0);
    write_text(at(s->folder, "out/file"), "x");
    assert_int_equal(symlink("/tmp", at(s->folder, "out/link")), 0);
    char name[300];
    snprintf(name, sizeof name, "out/%0280d", 1);
    static const struct {
        const char *key, *prefix;
        PmStatus status;
    } cases[] = {
        {"file/x/a", "file/x/", PM_BAD_CONFIG}, {"file/a", "file/", PM_BAD_CONFIG},
        {"out/file/a", "out/", PM_BAD_INPUT},   {"out/link/a", "out/", PM_BAD_INPUT},
        {"out/../a", "out/", PM_BAD_INPUT},     {"out/folder", "out/", PM_BAD_INPUT},
        {"out/..", "out/", PM_BAD_INPUT},       {"out/a/", "out/", PM_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (put(s, cases[i].key, cases[i].prefix, "x") != cases[i].status)
            fail_msg("%s: %s: %s", cases[i].key, pm_status_name(s->err.status), s->err.message);
    assert_int_equal(put(s, name, "out/", "x"), PM_BAD_INPUT);
}

static void test_a_full_disk_is_not_the_images_fault(void **state)
{
    Scene *s = *state;
    mount_at(s, "out", "size=64k,mode=777");
    char *bytes = calloc(1, 200000);
    begin(s, "out/a.txt", "out/", bytes, 200000);
    pm_loop_run(s->loop);
    free(bytes);
    assert_int_equal(s->err.status, PM_TRANSIENT);
    assert_non_null(strstr(s->err.message, strerror(ENOSPC)));
    assert_false(is_there(at(s->folder, "out/a.txt")));
    assert_int_equal(put(s, "out/a.txt", "out/", "small"), PM_OK); /* nothing of the first is left */
}

static void test_no_inodes_are_not_the_images_fault(void **state)
{
    Scene *s = *state;
    mount_at(s, "out", "nr_inodes=2,mode=777");
    assert_int_equal(put(s, "out/a.txt", "out/", "x"), PM_OK);
    assert_int_equal(put(s, "out/b.txt", "out/", "x"), PM_TRANSIENT);
    assert_int_equal(put(s, "out/x/b.txt", "out/", "x"), PM_TRANSIENT);
}

static void test_a_read_only_disk_is_not_the_images_fault(void **state)
{
    Scene *s = *state;
    mount_at(s, "out", "mode=777");
    assert_int_equal(mount(NULL, s->mounted, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(put(s, "out/a.txt", "out/", "x"), PM_BAD_CONFIG);
    assert_int_equal(put(s, "out/x/a.txt", "out/x/", "x"), PM_BAD_CONFIG);
    assert_non_null(strstr(s->err.message, strerror(EROFS)));
    assert_int_equal(mount(NULL, s->mounted, NULL, MS_REMOUNT, NULL), 0);
    assert_int_equal(put(s, "out/x/a.txt", "out/x/", "x"), PM_OK);
}

static void test_no_descriptors_are_not_the_images_fault(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "out/a.txt", "out/", "x"), PM_OK);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    PmStatus status = put(s, "out/b.txt", "out/", "x");
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, PM_TRANSIENT);
}

static void on_tick(void *data)
{
    const Scene *s = data;
    assert_int_equal(s->done, 0); /* the disk is still at it, and the loop is not */
    atomic_store(&fsync_takes_us, 0);
}

static void test_a_slow_disk_does_not_stop_the_loop(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "out/a.txt", "out/", "x"), PM_OK);
    s->done = 0;
    atomic_store(&fsync_takes_us, 500000);
    begin(s, "out/b.txt", "out/", "x", 1);
    assert_non_null(pm_loop_after(s->loop, 1, on_tick, s));
    pm_loop_run(s->loop);
    assert_int_equal(s->done, 1);
    assert_int_equal(atomic_load(&fsync_takes_us), 0);
}

/* Its bytes are somebody else's from then on. */
static void test_a_put_that_is_cancelled_stores_nothing_wrong(void **state)
{
    Scene *s = *state;
    size_t size = 8 << 20;
    for (int i = 0; i < 20; i++) {
        char *bytes = malloc(size), key[32];
        memset(bytes, 'a', size);
        snprintf(key, sizeof key, "out/%d.txt", i);
        PmStoreCall *call = begin(s, key, "out/", bytes, size);
        usleep((useconds_t)(i * 300)); /* somewhere on its way */
        s->store->ops->cancel(s->store, call);
        memset(bytes, 'b', size);
        pm_loop_run(s->loop);
        free(bytes);
        assert_null(memchr(read_text(at(s->folder, key)), 'b', 65535));
        int fd = open(at(s->folder, key), O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        char last = 0;
        assert_int_equal(pread(fd, &last, 1, (off_t)size - 1), 1);
        assert_int_equal(last, 'a');
        close(fd);
    }
    assert_int_equal(s->done, 0);
}

static void test_confined_keys_stay_below_the_folder(void **state)
{
    Scene *s = *state;
    s->store->ops->free(s->store);
    s->store = pm_store_file_new(s->helper, s->folder, true, NULL);
    assert_int_equal(put(s, "/srv/a.txt", "/srv/", "x"), PM_OK);
    assert_int_equal(put(s, "../../b.txt", "", "x"), PM_OK);
    assert_true(is_there(at(s->folder, "srv/a.txt")) && is_there(at(s->folder, "b.txt")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_written_and_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whose_fault_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_not_the_images_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_inodes_are_not_the_images_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_read_only_disk_is_not_the_images_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_descriptors_are_not_the_images_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_disk_does_not_stop_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_put_that_is_cancelled_stores_nothing_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_confined_keys_stay_below_the_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
