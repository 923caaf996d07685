/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of versions in a folder: renditions of objects, with extended attributes and without.
 */
#include "failing.h"

#include "connectors/file/folders.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "connectors/file/stamp_file.h"
#include "connectors/file/stores.h"
#include "connectors/store.h"

static bool no_attributes, no_locks;
static void (*at_flock)(void);

/* In place of libc's. */
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    if (no_attributes) return errno = ENOTSUP, -1;
    return (int)syscall(SYS_fsetxattr, fd, name, value, size, flags);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
    if (no_attributes) return errno = ENOTSUP, -1;
    return syscall(SYS_fgetxattr, fd, name, value, size);
}

int flock(int fd, int operation)
{
    void (*hook)(void) = at_flock;
    at_flock = NULL;
    if (hook != NULL) hook();
    if (no_locks) return errno = ENOLCK, -1;
    return (int)syscall(SYS_flock, fd, operation);
}

typedef struct Scene {
    PmLoop *loop;
    PmHelper *helper;
    PmStore *store;
    char *folder;
    PmStoreOutcome outcome;
    PmError err;
} Scene;

static Scene *scene;

static int setup(void **state)
{
    Scene *s = scene = calloc(1, sizeof *s);
    s->loop = pm_loop_new(NULL);
    s->helper = pm_helper_new(s->loop, NULL);
    s->folder = new_folder();
    s->store = pm_store_file_new(s->helper, s->folder, false, NULL);
    no_attributes = no_locks = false;
    at_flock = NULL;
    *state = s;
    return 0;
}

static int setup_without_attributes(void **state)
{
    setup(state);
    no_attributes = true;
    return 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
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
    s->outcome = stored->outcome;
    s->err = stored->err != NULL ? *stored->err : (PmError){0};
}

typedef struct Version {
    const char *etag, *sequencer;
    int64_t time_ms;
    const char *digest;
} Version;

static PmStoreOutcome put_key(Scene *s, const char *key, Version v, bool record)
{
    char bucket[] = "uploads", name[] = "in/a.jpg", text[64];
    PmObject object = {.bucket = bucket,
                       .key = name,
                       .etag = (char *)v.etag,
                       .sequencer = (char *)v.sequencer,
                       .time_ms = v.time_ms,
                       .size = -1};
    snprintf(text, sizeof text, "%s/%s/%s", v.etag, v.sequencer != NULL ? v.sequencer : "", v.digest);
    PmStorePut put = {.key = key,
                      .key_prefix = "out/",
                      .bytes = text,
                      .size = strlen(text),
                      .output = "a",
                      .record = record,
                      .source = &object,
                      .digest = v.digest};
    assert_non_null(s->store->ops->put(s->store, &put, on_stored, s, NULL));
    pm_loop_run(s->loop);
    return s->outcome;
}

static PmStoreOutcome put(Scene *s, const char *etag, const char *sequencer)
{
    return put_key(s, "out/a.jpg", (Version){etag, sequencer, 1000, "d1"}, false);
}

static const char *stored(Scene *s)
{
    return read_text(at(s->folder, "out/a.jpg"));
}

static void test_an_older_version_never_replaces_a_newer_one(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "B", "02"), PM_STORED);
    assert_int_equal(put(s, "A", "01"), PM_STORE_STALE);
    assert_string_equal(stored(s), "B/02/d1");
    assert_int_equal(put(s, "B", "02"), PM_STORE_CURRENT);
    assert_int_equal(put(s, "C", "03"), PM_STORED);
    assert_string_equal(stored(s), "C/03/d1");
}

/* Uploads A, B, A: the late B must not win, though the last A has the bytes of the first. */
static void test_back_and_forth(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    assert_int_equal(put(s, "A", "03"), PM_STORED);
    assert_int_equal(put(s, "B", "02"), PM_STORE_STALE);
    assert_string_equal(stored(s), "A/03/d1");
}

static void test_times_where_there_is_no_sequencer(void **state)
{
    Scene *s = *state;
    Version newer = {"B", NULL, 2000, "d1"}, older = {"A", NULL, 1000, "d1"}, again = {"B", NULL, 2000, "d2"};
    assert_int_equal(put_key(s, "out/a.jpg", newer, false), PM_STORED);
    assert_int_equal(put_key(s, "out/a.jpg", older, false), PM_STORE_STALE);
    assert_int_equal(put_key(s, "out/a.jpg", again, false), PM_STORED); /* another pipeline */
    assert_string_equal(stored(s), "B//d2");
}

static void test_files_of_others_are_replaced(void **state)
{
    Scene *s = *state;
    mkdir(at(s->folder, "out"), 0777);
    write_text(at(s->folder, "out/a.jpg"), "somebody's");
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    assert_string_equal(stored(s), "A/01/d1");
    /* Put there after us: what we knew of our own file says nothing of it. */
    write_text(at(s->folder, "x"), "somebody's");
    rename(at(s->folder, "x"), at(s->folder, "out/a.jpg"));
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    assert_string_equal(stored(s), "A/01/d1");
    unlink(at(s->folder, "out/a.jpg"));
    assert_int_equal(put(s, "A", "01"), PM_STORED); /* deleted: made again */
}

static void test_records_are_not_stamped(void **state)
{
    Scene *s = *state;
    assert_int_equal(put_key(s, "out/a.jpg", (Version){"B", "02", 1, "d1"}, true), PM_STORED);
    assert_int_equal(put_key(s, "out/a.jpg", (Version){"A", "01", 1, "d1"}, true), PM_STORED);
    assert_string_equal(stored(s), "A/01/d1");
}

static void test_a_name_of_full_length(void **state)
{
    Scene *s = *state;
    char key[270] = "out/";
    memset(key + 4, 'n', 255);
    assert_int_equal(put_key(s, key, (Version){"B", "02", 1, "d1"}, false), PM_STORED);
    assert_int_equal(put_key(s, key, (Version){"A", "01", 1, "d1"}, false), PM_STORE_STALE);
}

/* Another process writes between our look and our lock. */
static void newer_one(void)
{
    char *names[] = {strdup(at(scene->folder, "out")), strdup(at(scene->folder, "out/a.jpg"))};
    int folder = open(names[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = open(at(scene->folder, "other"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_int_equal(write(fd, "theirs", 6), 6);
    PmStamp stamp = {.digest = "d1", .etag = "C", .sequencer = "03", .time_ms = 1000};
    /* tmpfs of older kernels has no attributes either. */
    assert_true((!no_attributes && pm_stamp_file_write(fd, folder, "a.jpg", &stamp, true, NULL)) ||
                pm_stamp_file_write(fd, folder, "a.jpg", &stamp, false, NULL));
    assert_int_equal(rename(at(scene->folder, "other"), names[1]), 0);
    close(fd);
    close(folder);
    free(names[0]);
    free(names[1]);
}

static void test_another_process_at_the_same_moment(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    at_flock = newer_one;
    assert_int_equal(put(s, "B", "02"), PM_STORE_STALE);
    assert_string_equal(stored(s), "theirs");
}

static void test_a_folder_that_stays_locked(void **state)
{
    Scene *s = *state;
    mkdir(at(s->folder, "out"), 0777);
    int fd = open(at(s->folder, "out"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(put(s, "A", "01"), PM_STORE_FAILED);
    assert_int_equal(s->err.status, PM_TRANSIENT);
    assert_string_equal(s->err.message, "another process has held the lock of the folder for seconds");
    close(fd);
    assert_int_equal(put(s, "A", "01"), PM_STORED);
}

static void test_a_file_system_without_locks_is_refused(void **state)
{
    Scene *s = *state;
    no_locks = true;
    assert_int_equal(put(s, "A", "01"), PM_STORE_FAILED);
    assert_int_equal(s->err.status, PM_BAD_CONFIG);
    assert_non_null(strstr(s->err.message, "the file system has no locks"));
    assert_false(is_there(at(s->folder, "out/a.jpg")));
}

/* Killed after the hidden file and before the rendition: it comes again, and is not taken for done. */
static void test_a_kill_between_the_stamp_and_the_file(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    int folder = open(at(s->folder, "out"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    char name[] = "in/a.jpg", bucket[] = "uploads";
    PmObject object = {.bucket = bucket, .key = name, .etag = (char *)"C", .sequencer = (char *)"03", .time_ms = 1000};
    PmStamp stamp;
    pm_stamp_of(&object, "d1", &stamp);
    assert_true(pm_stamp_file_write(fd, folder, "a.jpg", &stamp, false, NULL));
    close(fd);
    close(folder);
    assert_int_equal(put(s, "B", "02"), PM_STORE_STALE); /* the newer one is on its way */
    assert_int_equal(put(s, "C", "03"), PM_STORED);
    assert_string_equal(stored(s), "C/03/d1");
    assert_int_equal(put(s, "C", "03"), PM_STORE_CURRENT);
}

static void test_hostile_things_beside_it(void **state)
{
    Scene *s = *state;
    assert_int_equal(put(s, "A", "01"), PM_STORED);
    char hidden[100], path[4300], hash[PM_STAMP_SOURCE_SIZE];
    pm_stamp_name(NULL, "a.jpg", hash);
    snprintf(hidden, sizeof hidden, "out/.pixmill-%s.stamp", hash);
    snprintf(path, sizeof path, "%s", at(s->folder, hidden));
    assert_true(is_there(path));
    unlink(path);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(put(s, "A", "01"), PM_STORED); /* unknown, so written again; nothing hangs */
    assert_int_equal(put(s, "A", "01"), PM_STORE_CURRENT);
    write_text(path, "{\"digest\": 1, \"time_ms\": \"x\", \"source\": \"much longer than it can be, so it is not one "
                     "that we wrote\"}");
    assert_int_equal(put(s, "A", "01"), PM_STORED);
}

/* A stamp that memory was short for is neither cut nor taken for none: a newer version would be replaced. */
static void test_a_stamp_is_read_whole_or_not_at_all(void **state)
{
    Scene *s = *state;
    enum { RUNS_MAX = 200 };
    size_t n = 0;
    bool short_once = false;
    assert_int_equal(put(s, "A", "02"), PM_STORED);
    int folder = open(at(s->folder, "out"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    PmStampFile whole, found;
    pm_stamp_file_read(folder, "a.jpg", &whole);
    assert_string_equal(whole.stamp.sequencer, "02");
    for (bool failed = true; failed && ++n < RUNS_MAX;) {
        failing_nth(n);
        pm_stamp_file_read(folder, "a.jpg", &found);
        failed = failing_stop();
        short_once = short_once || found.no_memory;
        if (!found.no_memory) assert_true(pm_stamp_file_same(&found, &whole));
        pm_stamp_file_finish(&found);
    }
    assert_in_range(n, 5, RUNS_MAX - 1);
    assert_true(short_once);
    pm_stamp_file_finish(&whole);
    close(folder);
}

#define BOTH(test)                                                                             \
    cmocka_unit_test_setup_teardown(test, setup, teardown),                                    \
    {                                                                                          \
#test " (without extended attributes)", test, setup_without_attributes, teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_an_older_version_never_replaces_a_newer_one),
        BOTH(test_back_and_forth),
        BOTH(test_times_where_there_is_no_sequencer),
        BOTH(test_files_of_others_are_replaced),
        BOTH(test_records_are_not_stamped),
        BOTH(test_a_name_of_full_length),
        BOTH(test_another_process_at_the_same_moment),
        BOTH(test_a_stamp_is_read_whole_or_not_at_all),
        cmocka_unit_test_setup_teardown(test_a_folder_that_stays_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_system_without_locks_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_kill_between_the_stamp_and_the_file, setup_without_attributes, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_things_beside_it, setup_without_attributes, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
