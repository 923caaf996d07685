/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder trigger without workers: what it hands over, when, and what becomes of it.
 */
#include "connectors/file/folders.h"
#include "pipelines.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/clock.h"
#include "connectors/file/triggers.h"
#include "connectors/trigger.h"

enum { PATIENCE_MS = 30000, HELD_MAX = 4096 };

typedef struct Scene {
    PmLoop *loop;
    PmHelper *helper;
    PmPipeline *pipeline;
    PmTrigger *trigger;
    char *folder;
    PmEvent *held[HELD_MAX]; /* handed over and not settled */
    size_t held_count, seen, drained, settled, refused;
    char order[400];    /* keys as they came, with their attempts */
    const PmFate *fate; /* what is answered at once; NULL: nothing */
    size_t until;
    bool ends_when_dry;
    void (*on_event)(struct Scene *s, PmEvent *event);
    PmError failed;
} Scene;

static const PmError hopeless = {.status = PM_BAD_INPUT, .message = "is hopeless"};
static const PmFate ack = {.kind = PM_FATE_ACK}, dead = {.kind = PM_FATE_DEAD, .reason = &hopeless},
                    retry = {.kind = PM_FATE_RETRY, .delay_ms = 1}, release = {.kind = PM_FATE_RELEASE};

static void on_settled(void *data, const PmError *err)
{
    Scene *s = data;
    s->settled++;
    if (err != NULL) s->refused++;
    if (s->until > 0 && s->settled >= s->until) pm_loop_stop(s->loop);
}

static void answer(Scene *s, PmEvent *event, const PmFate *fate)
{
    s->trigger->ops->settle(s->trigger, event, fate, on_settled, s);
}

static void on_event(void *data, PmEvent *event)
{
    Scene *s = data;
    size_t n = strlen(s->order);
    s->seen++;
    if (n < sizeof s->order - 40) snprintf(s->order + n, sizeof s->order - n, "%s:%d ", event->id, event->attempt);
    if (s->on_event != NULL) s->on_event(s, event);
    if (s->fate != NULL) {
        answer(s, event, s->fate);
        s->trigger->ops->want(s->trigger, 16);
        return;
    }
    assert_true(s->held_count < HELD_MAX);
    s->held[s->held_count++] = event;
    if (s->until > 0 && s->held_count >= s->until) pm_loop_stop(s->loop);
}

static void on_drained(void *data)
{
    Scene *s = data;
    s->drained++;
    if (s->ends_when_dry) pm_loop_stop(s->loop);
}

static void on_failed(void *data, const PmError *err)
{
    ((Scene *)data)->failed = *err;
}

static void on_patience(void *data)
{
    fail_msg("not within %d ms: %s", (int)PATIENCE_MS, ((Scene *)data)->order);
}

static void run_loop(Scene *s)
{
    PmTimer *patience = pm_loop_after(s->loop, PATIENCE_MS, on_patience, s);
    pm_loop_run(s->loop);
    pm_loop_cancel(patience);
    s->until = 0;
}

static void open_trigger(Scene *s, const char *settings, bool once)
{
    char text[1000];
    snprintf(text, sizeof text,
             "version: 1\nname: p\ntrigger: { directory: { path: in%s } }\noutputs: { a: { to: { file: { path: "
             "\"out/{name}\" } } } }\n",
             settings);
    PmTriggerSink sink = {.data = s, .event = on_event, .drained = on_drained, .failed = on_failed};
    PmError err = {0};
    s->pipeline = read_pipeline(s->folder, text);
    s->trigger = pm_trigger_directory_new(s->loop, s->helper, s->pipeline, "digest", once, &sink, &err);
    assert_string_equal(err.message, "");
    s->ends_when_dry = once;
    s->trigger->ops->want(s->trigger, 16);
}

static void close_trigger(Scene *s)
{
    if (s->trigger != NULL) s->trigger->ops->free(s->trigger);
    pm_pipeline_free(s->pipeline);
    s->trigger = NULL;
    s->pipeline = NULL;
    s->held_count = 0;
}

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->loop = pm_loop_new(NULL);
    s->helper = pm_helper_new(s->loop, NULL);
    s->folder = new_folder();
    *state = s;
    return mkdir(at(s->folder, "in"), 0777);
}

static int teardown(void **state)
{
    Scene *s = *state;
    close_trigger(s);
    pm_helper_free(s->helper);
    pm_loop_free(s->loop);
    remove_folder(s->folder);
    free(s);
    return 0;
}

/* Written a minute ago. */
static void make_old(const char *path)
{
    struct timespec times[2] = {{.tv_sec = pm_clock_wall_ms() / 1000 - 60}, {.tv_sec = pm_clock_wall_ms() / 1000 - 60}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void put(Scene *s, const char *name, const char *text)
{
    write_text(at(s->folder, name), text);
    make_old(at(s->folder, name));
}

/* --- settling of files --- */

static void test_old_files_come_at_once_in_order(void **state)
{
    Scene *s = *state;
    put(s, "in/b.jpg", "b");
    put(s, "in/a.jpg", "a");
    put(s, "in/.hidden", "h");
    put(s, "in/c.jpg.reason.json", "r");
    s->fate = &ack;
    int64_t started = pm_clock_mono_ms();
    open_trigger(s, "", true);
    run_loop(s);
    assert_true(pm_clock_mono_ms() - started < 900);
    assert_string_equal(s->order, "a.jpg:1 b.jpg:1 ");
    assert_true(is_there(at(s->folder, "in/done/a.jpg")) && is_there(at(s->folder, "in/done/b.jpg")));
}

static void write_rest(void *data)
{
    Scene *s = data;
    assert_int_equal(s->seen, 0);
    int fd = open(at(s->folder, "in/a.jpg"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "rest", 4), 4);
    close(fd);
}

static void expect_whole(Scene *s, PmEvent *event)
{
    assert_string_equal(read_text(at(s->folder, "in/a.jpg")), "half rest");
    assert_int_equal(event->objects[0].size, 9);
}

/* Found by a scan half written, by one who opens it for each part: NFS writes so. */
static void test_a_file_that_still_grows_waits(void **state)
{
    Scene *s = *state;
    write_text(at(s->folder, "in/a.jpg"), "half ");
    s->fate = &ack;
    s->on_event = expect_whole;
    open_trigger(s, "", true);
    assert_non_null(pm_loop_after(s->loop, 700, write_rest, s));
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 ");
}

typedef struct Writer {
    Scene *s;
    int fd;
} Writer;

static void finish_writing(void *data)
{
    Writer *w = data;
    assert_int_equal(w->s->seen, 0);
    assert_int_equal(write(w->fd, "rest", 4), 4);
    close(w->fd);
}

/* It is old enough, but somebody has it open for writing. */
static void test_a_file_that_is_open_waits(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "half ");
    Writer writer = {s, open(at(s->folder, "in/a.jpg"), O_WRONLY | O_APPEND | O_CLOEXEC)};
    s->fate = &ack;
    s->on_event = expect_whole;
    s->until = 1;
    open_trigger(s, "", false);
    assert_non_null(pm_loop_after(s->loop, 500, finish_writing, &writer));
    run_loop(s);
}

/* The folder is new, and the file in it was being written when it was found. */
static void test_new_folders_hold_files_being_written_too(void **state)
{
    Scene *s = *state;
    s->fate = &ack;
    s->until = 1;
    open_trigger(s, ", recursive: true", false);
    assert_int_equal(mkdir(at(s->folder, "in/new"), 0777), 0);
    Writer writer = {s, open(at(s->folder, "in/new/a.jpg"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)};
    assert_int_equal(write(writer.fd, "half ", 5), 5);
    make_old(at(s->folder, "in/new/a.jpg"));
    assert_non_null(pm_loop_after(s->loop, 400, finish_writing, &writer));
    run_loop(s);
    assert_string_equal(s->order, "new/a.jpg:1 ");
    assert_string_equal(read_text(at(s->folder, "in/done/new/a.jpg")), "half rest");
}

static void close_later(void *data)
{
    Scene *s = data;
    write_text(at(s->folder, "in/a.jpg"), "a"); /* opened, written, closed */
    write_text(at(s->folder, "b.tmp"), "b");
    rename(at(s->folder, "b.tmp"), at(s->folder, "in/b.jpg"));
}

/* No moment to wait for when inotify says that it was closed or moved here. */
static void test_what_inotify_tells_comes_at_once(void **state)
{
    Scene *s = *state;
    s->until = 2;
    open_trigger(s, "", false);
    assert_non_null(pm_loop_after(s->loop, 50, close_later, s));
    int64_t started = pm_clock_mono_ms();
    run_loop(s);
    assert_true(pm_clock_mono_ms() - started < 900);
}

static void link_it(void *data)
{
    Scene *s = data;
    assert_int_equal(link(at(s->folder, "original"), at(s->folder, "in/hard.jpg")), 0);
    assert_int_equal(symlink(at(s->folder, "original"), at(s->folder, "in/soft.jpg")), 0);
}

static void test_links_are_noticed(void **state)
{
    Scene *s = *state;
    put(s, "original", "o");
    s->until = 2;
    open_trigger(s, "", false);
    assert_non_null(pm_loop_after(s->loop, 50, link_it, s));
    run_loop(s);
    assert_int_equal(s->seen, 2);
}

/* --once cannot wait for ever for one who never closes. */
static void test_once_leaves_what_stays_open(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "a");
    put(s, "in/open.jpg", "o");
    int fd = open(at(s->folder, "in/open.jpg"), O_WRONLY | O_CLOEXEC);
    s->fate = &ack;
    open_trigger(s, "", true);
    run_loop(s);
    close(fd);
    assert_string_equal(s->order, "a.jpg:1 ");
    assert_true(is_there(at(s->folder, "in/open.jpg")));
}

/* --- what becomes of them --- */

static void rewrite(Scene *s, PmEvent *event)
{
    (void)event;
    if (s->seen == 1) put(s, "in/a.jpg", "mended now");
}

static void test_a_change_while_it_was_at_work_brings_it_again(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "broken");
    s->fate = &dead;
    s->on_event = rewrite;
    open_trigger(s, "", true);
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 a.jpg:1 ");
    assert_string_equal(read_text(at(s->folder, "in/failed/a.jpg")), "mended now");
}

static void ack_third(Scene *s, PmEvent *event)
{
    (void)event;
    if (s->seen == 3) s->fate = &ack;
}

static void test_retries(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "a");
    s->fate = &retry;
    s->on_event = ack_third;
    open_trigger(s, "", true);
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 a.jpg:2 a.jpg:3 ");
    assert_true(is_there(at(s->folder, "in/done/a.jpg")));
}

/* Given back while we go on: it is not lost until the next start. */
static void test_what_is_released_comes_again(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "a");
    s->fate = &release;
    s->on_event = ack_third;
    s->until = 3;
    open_trigger(s, "", false);
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 a.jpg:1 a.jpg:1 ");
}

static void test_what_is_released_by_once_stays_for_the_next_run(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "a");
    s->fate = &release;
    open_trigger(s, "", true);
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 ");
    assert_true(is_there(at(s->folder, "in/a.jpg")));
}

static void test_only_as_many_as_are_wanted(void **state)
{
    Scene *s = *state;
    char name[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "in/%02d.jpg", i);
        put(s, name, "x");
    }
    s->until = 16;
    open_trigger(s, "", false);
    run_loop(s);
    assert_int_equal(s->held_count, 16);
    for (size_t i = 0; i < 16; i++) answer(s, s->held[i], &retry); /* due in 1 ms, and not wanted */
    s->held_count = 0;
    assert_non_null(pm_loop_after(s->loop, 300, (PmTimerCallback *)pm_loop_stop, s->loop));
    run_loop(s);
    assert_int_equal(s->held_count, 0);
    s->trigger->ops->want(s->trigger, 3);
    s->until = 3;
    run_loop(s);
    assert_int_equal(s->held_count, 3);
}

static void make_room(void *data)
{
    char *far = data;
    assert_int_equal(mount(NULL, far, NULL, MS_REMOUNT, "nr_inodes=100"), 0);
}

/* The folder's trouble is none of the file's: it waits, milled as it is, until it can be set aside. */
static void test_a_full_disk_keeps_files_where_they_are(void **state)
{
    Scene *s = *state;
    char *far = strdup(at(s->folder, "far"));
    assert_int_equal(mkdir(far, 0777), 0);
    mount_tiny(far, "nr_inodes=1,mode=777");
    put(s, "in/a.jpg", "a");
    s->fate = &dead;
    s->until = 1;
    open_trigger(s, ", failed: far", false);
    assert_non_null(pm_loop_after(s->loop, 500, make_room, far));
    run_loop(s);
    bool moved = is_there(at(s->folder, "far/a.jpg")), reason = is_there(at(s->folder, "far/a.jpg.reason.json"));
    assert_int_equal(umount2(far, MNT_DETACH), 0);
    free(far);
    assert_true(moved && reason);
    assert_string_equal(s->order, "a.jpg:1 "); /* it was not milled again */
    assert_int_equal(s->refused, 0);
}

static void stop_it(void *data)
{
    Scene *s = data;
    assert_int_equal(s->settled, 0);
    s->trigger->ops->stop(s->trigger);
    pm_loop_stop(s->loop);
}

static void test_stopping_does_not_wait_for_a_full_disk(void **state)
{
    Scene *s = *state;
    char *far = strdup(at(s->folder, "far"));
    assert_int_equal(mkdir(far, 0777), 0);
    mount_tiny(far, "nr_inodes=1,mode=777");
    put(s, "in/a.jpg", "a");
    s->fate = &dead;
    open_trigger(s, ", failed: far", false);
    assert_non_null(pm_loop_after(s->loop, 400, stop_it, s));
    run_loop(s);
    assert_int_equal(umount2(far, MNT_DETACH), 0);
    free(far);
    assert_int_equal(s->settled, 1);
    assert_int_equal(s->refused, 1);
    assert_true(is_there(at(s->folder, "in/a.jpg")));
}

/* A link in the way of one file concerns that file alone, and only once. */
static void test_a_file_that_cannot_be_moved_is_given_up(void **state)
{
    Scene *s = *state;
    mkdir(at(s->folder, "in/x"), 0777);
    mkdir(at(s->folder, "in/done"), 0777);
    assert_int_equal(symlink("/tmp", at(s->folder, "in/done/x")), 0);
    put(s, "in/x/a.jpg", "a");
    put(s, "in/b.jpg", "b");
    s->fate = &ack;
    open_trigger(s, ", recursive: true", true);
    run_loop(s);
    assert_int_equal(s->seen, 2);
    assert_int_equal(s->refused, 1);
    assert_true(is_there(at(s->folder, "in/x/a.jpg")) && is_there(at(s->folder, "in/done/b.jpg")));
}

/* --- settle: keep --- */

static void test_keep_lasts_over_restarts(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg", "a");
    put(s, "in/b.jpg.part", "b");
    s->fate = &ack;
    open_trigger(s, ", settle: keep", true);
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 b.jpg.part:1 ");
    close_trigger(s);
    /* Renamed when it was complete: another file, though it has the same inode, size and time. */
    assert_int_equal(rename(at(s->folder, "in/b.jpg.part"), at(s->folder, "in/b.jpg")), 0);
    put(s, "in/c.jpg", "c");
    s->order[0] = '\0';
    open_trigger(s, ", settle: keep", true);
    run_loop(s);
    assert_string_equal(s->order, "b.jpg:1 c.jpg:1 ");
}

static void rename_it(void *data)
{
    Scene *s = data;
    assert_int_equal(rename(at(s->folder, "in/a.jpg.part"), at(s->folder, "in/a.jpg")), 0);
}

static void test_keep_sees_a_file_that_is_renamed(void **state)
{
    Scene *s = *state;
    put(s, "in/a.jpg.part", "a");
    s->fate = &ack;
    s->until = 2;
    open_trigger(s, ", settle: keep", false);
    assert_non_null(pm_loop_after(s->loop, 300, rename_it, s));
    run_loop(s);
    assert_string_equal(s->order, "a.jpg.part:1 a.jpg:1 ");
}

/* --- many --- */

static void many(Scene *s, size_t count, double *cpu_s)
{
    char name[40];
    struct rusage before, after;
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "in/%06zu.jpg", i);
        int fd = openat(AT_FDCWD, at(s->folder, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        assert_true(fd >= 0);
        close(fd);
        make_old(at(s->folder, name));
    }
    s->seen = 0;
    s->fate = &ack;
    getrusage(RUSAGE_SELF, &before);
    open_trigger(s, ", settle: keep", true);
    run_loop(s);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(s->seen, count);
    struct timeval user, system;
    timersub(&after.ru_utime, &before.ru_utime, &user);
    timersub(&after.ru_stime, &before.ru_stime, &system);
    *cpu_s = (double)(user.tv_sec + system.tv_sec) + (double)(user.tv_usec + system.tv_usec) / 1e6;
    close_trigger(s);
}

/* More than are kept in memory at a time: each comes once, and the work does not grow with the square. */
static void test_fifty_thousand_files(void **state)
{
    Scene *s = *state;
    double cpu = 0;
    many(s, 50000, &cpu);
    print_message("50,000 files: %.2f s of processor time\n", cpu);
    assert_true(cpu < 15); /* it was 47 s */
}

static void remove_and_put(void *data)
{
    Scene *s = data;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(mkdir(at(s->folder, "in/x"), 0777), 0);
        assert_int_equal(rmdir(at(s->folder, "in/x")), 0);
    }
    assert_int_equal(mkdir(at(s->folder, "in/last"), 0777), 0);
    put(s, "in/last/a.jpg", "a");
}

static void test_folders_come_and_go(void **state)
{
    Scene *s = *state;
    s->until = 1;
    open_trigger(s, ", recursive: true", false);
    assert_non_null(pm_loop_after(s->loop, 50, remove_and_put, s));
    run_loop(s);
    assert_string_equal(s->order, "last/a.jpg:1 ");
}

static void move_folder(void *data)
{
    Scene *s = data;
    assert_int_equal(rename(at(s->folder, "in/x"), at(s->folder, "in/y")), 0);
    put(s, "in/y/b.jpg", "b");
}

static void test_a_folder_that_is_renamed(void **state)
{
    Scene *s = *state;
    assert_int_equal(mkdir(at(s->folder, "in/x"), 0777), 0);
    s->until = 1;
    open_trigger(s, ", recursive: true", false);
    assert_non_null(pm_loop_after(s->loop, 50, move_folder, s));
    run_loop(s);
    assert_string_equal(s->order, "y/b.jpg:1 ");
}

static void replace_root(void *data)
{
    Scene *s = data;
    assert_int_equal(rename(at(s->folder, "in"), at(s->folder, "old")), 0);
    assert_int_equal(mkdir(at(s->folder, "in"), 0777), 0);
    put(s, "in/a.jpg", "a");
}

/* Deployments replace folders. */
static void test_the_folder_itself_is_replaced(void **state)
{
    Scene *s = *state;
    s->until = 1;
    open_trigger(s, "", false);
    assert_non_null(pm_loop_after(s->loop, 50, replace_root, s));
    run_loop(s);
    assert_string_equal(s->order, "a.jpg:1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_old_files_come_at_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_still_grows_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_open_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_folders_hold_files_being_written_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_inotify_tells_comes_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once_leaves_what_stays_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_change_while_it_was_at_work_brings_it_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_released_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_released_by_once_stays_for_the_next_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_as_many_as_are_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_keeps_files_where_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopping_does_not_wait_for_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_moved_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_lasts_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_sees_a_file_that_is_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fifty_thousand_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_folder_itself_is_replaced, setup, teardown),
    };
    signal(SIGIO, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
