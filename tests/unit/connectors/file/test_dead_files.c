/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"
#include "pipelines.h"

#include "connectors/file/dead_files.h"

typedef struct Scene {
    char *folder;
    PmPipeline *pipeline;
    char seen[1000];
    size_t count, left;
    PmError err;
    void (*on_seen)(struct Scene *s);
} Scene;

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->folder = new_folder();
    assert_int_equal(mkdir(at(s->folder, "in"), 0777), 0);
    s->pipeline = read_pipeline(s->folder, "version: 1\ntrigger: { directory: { path: in } }\noutputs: { a: { to: { "
                                           "file: { path: \"out/{name}\" } } } }\n");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
    pm_pipeline_free(s->pipeline);
    remove_folder(s->folder);
    free(s);
    return 0;
}

static void on_seen(void *data, const PmDeadLetter *letter)
{
    Scene *s = data;
    size_t n = strlen(s->seen);
    s->count++;
    if (n + 100 < sizeof s->seen) snprintf(s->seen + n, sizeof s->seen - n, "%s=%s ", letter->id, letter->reason);
    if (s->on_seen != NULL) s->on_seen(s);
}

static void bury(Scene *s, const char *name, const char *more)
{
    char path[4200], text[400];
    mkdir(at(s->folder, "in/failed"), 0777);
    snprintf(path, sizeof path, "%s/in/failed/%s", s->folder, name);
    write_text(path, name);
    snprintf(path, sizeof path, "%s/in/failed/%s.reason.json", s->folder, name);
    snprintf(text, sizeof text, "{\"status\": \"bad_input\", \"attempts\": 1%s}", more);
    write_text(path, text);
}

static size_t list(Scene *s, size_t max)
{
    s->count = 0;
    s->seen[0] = '\0';
    assert_int_equal(pm_dead_files_list(s->pipeline, max, on_seen, s, &s->err), PM_OK);
    return s->count;
}

static size_t redrive(Scene *s, const char *reason, size_t max)
{
    s->count = 0;
    s->seen[0] = '\0';
    s->err = (PmError){0};
    pm_dead_files_redrive(s->pipeline, reason, max, on_seen, s, &s->left, &s->err);
    return s->count;
}

static void test_back_to_its_name(void **state)
{
    Scene *s = *state;
    assert_int_equal(list(s, 10), 0); /* no such folder yet */
    bury(s, "a-1.jpg", ", \"key\": \"x/a.jpg\"");
    assert_int_equal(redrive(s, NULL, 10), 1);
    assert_string_equal(read_text(at(s->folder, "in/x/a.jpg")), "a-1.jpg");
    assert_false(is_there(at(s->folder, "in/failed/a-1.jpg")));
    assert_false(is_there(at(s->folder, "in/failed/a-1.jpg.reason.json")));
    bury(s, "b.jpg", ", \"key\": \"x/a.jpg\""); /* somebody else has it meanwhile */
    assert_int_equal(redrive(s, NULL, 10), 1);
    assert_string_equal(read_text(at(s->folder, "in/x/a-1.jpg")), "b.jpg");
    bury(s, "c.jpg", ""); /* no name is known: as it is called there */
    assert_int_equal(redrive(s, NULL, 10), 1);
    assert_true(is_there(at(s->folder, "in/c.jpg")));
}

static void test_some_of_them(void **state)
{
    Scene *s = *state;
    bury(s, "a.jpg", "");
    bury(s, "b.jpg", ", \"tag\": \"plugin_crash:x:SIGSEGV\"");
    bury(s, "c.jpg", "");
    assert_int_equal(list(s, 10), 3);
    assert_non_null(strstr(s->seen, "b.jpg=plugin_crash:x:SIGSEGV "));
    assert_non_null(strstr(s->seen, "a.jpg=bad_input "));
    assert_int_equal(list(s, 2), 2);
    assert_int_equal(redrive(s, "plugin_crash:x:SIGSEGV", 10), 1);
    assert_int_equal(s->left, 2);
    assert_int_equal(redrive(s, NULL, 1), 1);
    assert_int_equal(s->left, 1);
}

/* Killed after the file was moved: its reason alone is nothing. */
static void test_a_reason_without_its_file(void **state)
{
    Scene *s = *state;
    bury(s, "a.jpg", "");
    assert_int_equal(unlink(at(s->folder, "in/failed/a.jpg")), 0);
    assert_int_equal(list(s, 10), 0);
    assert_int_equal(redrive(s, NULL, 10), 0);
    assert_int_equal(s->left, 0);
}

static void fail_again(Scene *s)
{
    char name[32];
    usleep(20000);
    snprintf(name, sizeof name, "again-%zu.jpg", s->count);
    bury(s, name, "");
}

/* A broker works beside us, and all fails again. */
static void test_what_fails_again_meanwhile_stays(void **state)
{
    Scene *s = *state;
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.jpg", i);
        bury(s, name, "");
    }
    usleep(20000);
    s->on_seen = fail_again;
    assert_int_equal(redrive(s, NULL, 1000), 5);
    s->on_seen = NULL;
    assert_int_equal(list(s, 1000), 5);
}

static void test_hostile_things_in_the_folder(void **state)
{
    Scene *s = *state;
    bury(s, "a.jpg", ", \"key\": \"../../escaped.jpg\"");
    bury(s, "b.jpg", "");
    bury(s, "c.jpg", "");
    assert_int_equal(unlink(at(s->folder, "in/failed/c.jpg.reason.json")), 0);
    assert_int_equal(mkfifo(at(s->folder, "in/failed/c.jpg.reason.json"), 0666), 0);
    bury(s, "d.jpg", "");
    write_text(at(s->folder, "in/failed/d.jpg.reason.json"), "{{{");
    bury(s, "e.jpg", "");
    assert_int_equal(unlink(at(s->folder, "in/failed/e.jpg.reason.json")), 0);
    assert_int_equal(symlink("/etc/hostname", at(s->folder, "in/failed/e.jpg.reason.json")), 0);
    assert_int_equal(symlink("/tmp", at(s->folder, "in/failed/folder")), 0);
    assert_int_equal(redrive(s, NULL, 10), 1); /* the one that is as it should be */
    assert_int_equal(s->err.status, PM_OK);
    assert_int_equal(s->left, 1);
    assert_true(is_there(at(s->folder, "in/b.jpg")) && is_there(at(s->folder, "in/failed/a.jpg")));
    assert_false(is_there(at(s->folder, "escaped.jpg")) || is_there(at(s->folder, "../escaped.jpg")));
}

static void test_where_nothing_can_be_moved(void **state)
{
    Scene *s = *state;
    bury(s, "a.jpg", ", \"key\": \"x/a.jpg\"");
    write_text(at(s->folder, "in/x"), "a file");
    assert_int_equal(redrive(s, NULL, 10), 0);
    assert_int_equal(s->left, 1);
    assert_true(is_there(at(s->folder, "in/failed/a.jpg")) && is_there(at(s->folder, "in/failed/a.jpg.reason.json")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_back_to_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_some_of_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reason_without_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_fails_again_meanwhile_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_things_in_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_nothing_can_be_moved, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
