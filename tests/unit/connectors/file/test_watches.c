/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"

#include <sys/inotify.h>

#include "connectors/file/watches.h"

typedef struct Scene {
    int inotify;
    PmWatches *watches;
    char *folder;
} Scene;

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    s->watches = pm_watches_new(s->inotify, IN_CREATE | IN_ONLYDIR, 3);
    s->folder = new_folder();
    *state = s;
    return s->inotify < 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
    pm_watches_free(s->watches);
    close(s->inotify);
    remove_folder(s->folder);
    free(s);
    return 0;
}

/* Ends the watches that the kernel has ended; returns the descriptor of the last. */
static int forget_gone(Scene *s)
{
    _Alignas(struct inotify_event) char buffer[4096];
    int last = -1;
    ssize_t n;
    while ((n = read(s->inotify, buffer, sizeof buffer)) > 0)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)p;
            if ((event->mask & IN_IGNORED) != 0) pm_watches_forget(s->watches, last = event->wd);
            p += sizeof *event + event->len;
        }
    return last;
}

static void make_and_watch(Scene *s, const char *name)
{
    assert_int_equal(mkdir(at(s->folder, name), 0777), 0);
    assert_true(pm_watches_add(s->watches, at(s->folder, name)));
}

/* Descriptors grow for ever; the limit is on what lives. */
static void test_folders_that_are_gone_make_room(void **state)
{
    Scene *s = *state;
    for (int i = 0; i < 100; i++) {
        make_and_watch(s, "a");
        assert_int_equal(pm_watches_count(s->watches), 1);
        assert_int_equal(rmdir(at(s->folder, "a")), 0);
        int wd = forget_gone(s);
        assert_int_equal(pm_watches_count(s->watches), 0);
        assert_null(pm_watches_path(s->watches, wd));
    }
}

static void test_the_limit(void **state)
{
    Scene *s = *state;
    make_and_watch(s, "a");
    make_and_watch(s, "b");
    make_and_watch(s, "c");
    assert_int_equal(mkdir(at(s->folder, "d"), 0777), 0);
    errno = 0;
    assert_false(pm_watches_add(s->watches, at(s->folder, "d")));
    assert_int_equal(errno, ENOSPC);
    assert_true(pm_watches_add(s->watches, at(s->folder, "a"))); /* one that is watched already */
    assert_int_equal(pm_watches_count(s->watches), 3);
    rmdir(at(s->folder, "a"));
    forget_gone(s);
    assert_true(pm_watches_add(s->watches, at(s->folder, "d")));
}

static void test_a_folder_that_moves(void **state)
{
    Scene *s = *state;
    make_and_watch(s, "a");
    make_and_watch(s, "a/x");
    make_and_watch(s, "ab");
    pm_watches_remove(s->watches, at(s->folder, "a"));
    assert_int_equal(pm_watches_count(s->watches), 1);
    /* The kernel's answer to that ends nothing else. */
    forget_gone(s);
    assert_int_equal(pm_watches_count(s->watches), 1);
    assert_int_equal(rename(at(s->folder, "ab"), at(s->folder, "b")), 0);
    assert_true(pm_watches_add(s->watches, at(s->folder, "b"))); /* the same folder: its path is the new one */
    assert_int_equal(pm_watches_count(s->watches), 1);
    for (int wd = 0; wd < 100; wd++)
        if (pm_watches_path(s->watches, wd) != NULL)
            assert_string_equal(pm_watches_path(s->watches, wd), at(s->folder, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folders_that_are_gone_make_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_moves, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
