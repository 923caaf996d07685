/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>

#include "connectors/file/disposition.h"

/* fsync() of the reason lies between the look at the file and its rename: what comes between them comes here. */
static void (*at_fsync)(void);

int fsync(int fd)
{
    if (at_fsync != NULL) at_fsync();
    return (int)syscall(SYS_fsync, fd);
}

static char *root; /* with "in" */

static int setup(void **state)
{
    (void)state;
    signal(SIGIO, SIG_IGN);
    root = new_folder();
    return mkdir(at(root, "in"), 0777);
}

static int teardown(void **state)
{
    (void)state;
    at_fsync = NULL;
    remove_folder(root);
    return 0;
}

static PmDisposition *new_aside(const char *key, const char *folder, const PmError *reason)
{
    char in[4096], to[4096], path[8192];
    snprintf(in, sizeof in, "%s", at(root, "in"));
    snprintf(to, sizeof to, "%s", at(root, folder));
    snprintf(path, sizeof path, "%s/%s", in, key);
    PmObject object = {.key = (char *)key, .path = path};
    PmFileVersion version = {0};
    assert_true(pm_file_version(AT_FDCWD, path, &version));
    PmDispositionRequest request = {.root = in,
                                    .folder = to,
                                    .object = &object,
                                    .version = &version,
                                    .reason = reason,
                                    .tag = reason != NULL ? "plugin_crash:a:SIGSEGV" : NULL,
                                    .attempts = 2};
    return pm_disposition_new(&request);
}

static const PmError hopeless = {.status = PM_BAD_INPUT, .message = "is hopeless"};
static PmError last;

static PmDispositionOutcome run(PmDisposition *aside)
{
    last = (PmError){0};
    PmDispositionOutcome outcome = pm_disposition_move(aside, &last);
    pm_disposition_free(aside);
    return outcome;
}

static PmDispositionOutcome move(const char *key, const char *folder, const PmError *reason)
{
    return run(new_aside(key, folder, reason));
}

static void test_moves(void **state)
{
    (void)state;
    write_text(at(root, "in/a.jpg"), "a");
    assert_int_equal(move("a.jpg", "in/done", NULL), PM_DISPOSITION_MOVED);
    assert_string_equal(read_text(at(root, "in/done/a.jpg")), "a");
    assert_false(is_there(at(root, "in/a.jpg")) || is_there(at(root, "in/done/a.jpg.reason.json")));
    mkdir(at(root, "in/x"), 0777);
    write_text(at(root, "in/x/b.jpg"), "b");
    assert_int_equal(move("x/b.jpg", "far/failed", &hopeless), PM_DISPOSITION_MOVED);
    assert_string_equal(read_text(at(root, "far/failed/x/b.jpg")), "b");
    json_t *reason = json_loads(read_text(at(root, "far/failed/x/b.jpg.reason.json")), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(reason, "status")), "bad_input");
    assert_string_equal(json_string_value(json_object_get(reason, "message")), "is hopeless");
    assert_string_equal(json_string_value(json_object_get(reason, "tag")), "plugin_crash:a:SIGSEGV");
    assert_string_equal(json_string_value(json_object_get(reason, "key")), "x/b.jpg");
    assert_int_equal(json_integer_value(json_object_get(reason, "attempts")), 2);
    json_decref(reason);
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        write_text(at(root, "in/a.jpg"), text);
        assert_int_equal(move("a.jpg", "failed", &hopeless), PM_DISPOSITION_MOVED);
    }
    assert_string_equal(read_text(at(root, "failed/a.jpg")), "0");
    assert_string_equal(read_text(at(root, "failed/a-1.jpg")), "1");
    assert_string_equal(read_text(at(root, "failed/a-99.jpg")), "99");
    size_t files = 0, reasons = 0;
    DIR *folder = opendir(at(root, "failed"));
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        strstr(e->d_name, ".reason.json") != NULL ? reasons++ : files++;
    }
    closedir(folder);
    assert_int_equal(files, 120);
    assert_int_equal(reasons, 120);
}

static void test_a_name_of_full_length(void **state)
{
    (void)state;
    char name[256], path[8192];
    memset(name, 'n', 251);
    snprintf(name + 251, 5, ".jpg");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", at(root, "in"), name);
        write_text(path, "x");
        assert_int_equal(move(name, "failed", &hopeless), PM_DISPOSITION_MOVED);
    }
}

static void test_what_is_gone_or_changed_or_open_stays(void **state)
{
    (void)state;
    write_text(at(root, "in/a.jpg"), "a");
    PmDisposition *aside = new_aside("a.jpg", "failed", &hopeless);
    int writer = open(at(root, "in/a.jpg"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pm_disposition_move(aside, &last), PM_DISPOSITION_OPEN);
    close(writer);
    write_text(at(root, "in/a.jpg"), "longer");
    assert_int_equal(pm_disposition_move(aside, &last), PM_DISPOSITION_CHANGED);
    assert_string_equal(read_text(at(root, "in/a.jpg")), "longer");
    unlink(at(root, "in/a.jpg"));
    assert_int_equal(run(aside), PM_DISPOSITION_GONE);
    assert_false(is_there(at(root, "failed/a.jpg.reason.json")));
}

static void mend(void)
{
    at_fsync = NULL;
    write_text(at(root, "mended"), "mended");
    assert_int_equal(rename(at(root, "mended"), at(root, "in/a.jpg")), 0);
}

static void write_into(void)
{
    at_fsync = NULL;
    write_text(at(root, "in/a.jpg"), "mended in place");
}

static void take_away(void)
{
    at_fsync = NULL;
    unlink(at(root, "in/a.jpg"));
}

/* Between the look and the rename: what is moved by mistake is put back. */
static void test_a_version_that_comes_between_is_put_back(void **state)
{
    (void)state;
    static const struct {
        void (*hook)(void);
        const char *left;
    } cases[] = {{mend, "mended"}, {write_into, "mended in place"}};
    for (size_t i = 0; i < 2; i++) {
        write_text(at(root, "in/a.jpg"), "broken");
        PmDisposition *aside = new_aside("a.jpg", "failed", &hopeless);
        at_fsync = cases[i].hook;
        assert_int_equal(run(aside), PM_DISPOSITION_CHANGED);
        assert_null(at_fsync);
        assert_string_equal(read_text(at(root, "in/a.jpg")), cases[i].left);
        assert_false(is_there(at(root, "failed/a.jpg")) || is_there(at(root, "failed/a.jpg.reason.json")));
    }
    write_text(at(root, "in/a.jpg"), "broken");
    PmDisposition *aside = new_aside("a.jpg", "failed", &hopeless);
    at_fsync = take_away;
    assert_int_equal(run(aside), PM_DISPOSITION_GONE);
    assert_false(is_there(at(root, "failed/a.jpg.reason.json")));
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at(root, "elsewhere"), 0777), 0);
    assert_int_equal(mkdir(at(root, "in/done"), 0777), 0);
    assert_int_equal(mkdir(at(root, "in/x"), 0777), 0);
    assert_int_equal(symlink(at(root, "elsewhere"), at(root, "in/done/x")), 0);
    write_text(at(root, "in/x/a.jpg"), "a");
    assert_int_equal(move("x/a.jpg", "in/done", NULL), PM_DISPOSITION_FAILED);
    assert_int_equal(last.status, PM_BAD_INPUT); /* this file's trouble: the others go on */
    assert_true(is_there(at(root, "in/x/a.jpg")));
    assert_false(is_there(at(root, "elsewhere/a.jpg")));
    /* Nor is a folder that became a link after the file was found. */
    PmDisposition *aside = new_aside("x/a.jpg", "failed", NULL);
    assert_int_equal(rename(at(root, "in/x"), at(root, "away")), 0);
    assert_int_equal(symlink(at(root, "away"), at(root, "in/x")), 0);
    assert_int_equal(run(aside), PM_DISPOSITION_FAILED);
    assert_true(is_there(at(root, "away/a.jpg")));
}

static void test_nothing_hangs_or_writes_through_what_lies_there(void **state)
{
    (void)state;
    write_text(at(root, "in/a.jpg"), "a");
    write_text(at(root, "precious"), "precious");
    assert_int_equal(mkdir(at(root, "failed"), 0777), 0);
    assert_int_equal(mkfifo(at(root, "failed/a.jpg.reason.json"), 0666), 0);
    assert_int_equal(symlink(at(root, "precious"), at(root, "failed/a-1.jpg.reason.json")), 0);
    assert_int_equal(symlink(at(root, "precious"), at(root, "failed/a-2.jpg")), 0);
    assert_int_equal(move("a.jpg", "failed", &hopeless), PM_DISPOSITION_MOVED);
    assert_string_equal(read_text(at(root, "failed/a-3.jpg")), "a");
    assert_non_null(strstr(read_text(at(root, "failed/a-3.jpg.reason.json")), "is hopeless"));
    assert_string_equal(read_text(at(root, "precious")), "precious");
}

static void test_a_link_is_moved_as_a_link(void **state)
{
    (void)state;
    write_text(at(root, "picture"), "p");
    assert_int_equal(symlink(at(root, "picture"), at(root, "in/a.jpg")), 0);
    assert_int_equal(move("a.jpg", "done", NULL), PM_DISPOSITION_MOVED);
    assert_string_equal(read_text(at(root, "done/a.jpg")), "p");
    assert_true(is_there(at(root, "picture")));
}

static void test_another_file_system(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at(root, "far"), 0777), 0);
    char *far = strdup(at(root, "far"));
    mount_tiny(far, "size=64k,mode=777");
    char large[100001];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    write_text(at(root, "in/large.jpg"), large);
    PmDispositionOutcome full = move("large.jpg", "far", NULL);
    PmError full_err = last;
    write_text(at(root, "in/a.jpg"), "a");
    PmDispositionOutcome moved = move("a.jpg", "far", &hopeless);
    bool there = is_there(at(root, "far/a.jpg")) && is_there(at(root, "far/a.jpg.reason.json"));
    bool rest = is_there(at(root, "far/large.jpg"));
    write_text(at(root, "in/a.jpg"), "b");
    PmDisposition *aside = new_aside("a.jpg", "far", &hopeless);
    at_fsync = mend;
    PmDispositionOutcome changed = run(aside);
    bool second = is_there(at(root, "far/a-1.jpg")) || is_there(at(root, "far/a-1.jpg.reason.json"));
    assert_int_equal(umount2(far, MNT_DETACH), 0);
    free(far);
    assert_int_equal(full, PM_DISPOSITION_FAILED);
    assert_int_equal(full_err.status, PM_TRANSIENT);
    assert_true(is_there(at(root, "in/large.jpg")) && !rest);
    assert_int_equal(moved, PM_DISPOSITION_MOVED);
    assert_true(there);
    assert_int_equal(changed, PM_DISPOSITION_CHANGED);
    assert_string_equal(read_text(at(root, "in/a.jpg")), "mended");
    assert_false(second);
}

static void test_no_room_for_a_reason(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at(root, "far"), 0777), 0);
    char *far = strdup(at(root, "far"));
    mount_tiny(far, "nr_inodes=1,mode=777");
    write_text(at(root, "in/a.jpg"), "a");
    PmDispositionOutcome outcome = move("a.jpg", "far", &hopeless);
    assert_int_equal(umount2(far, MNT_DETACH), 0);
    free(far);
    assert_int_equal(outcome, PM_DISPOSITION_FAILED);
    assert_int_equal(last.status, PM_TRANSIENT);
    assert_non_null(strstr(last.message, "cannot write a.jpg.reason.json: No space left on device"));
    assert_true(is_there(at(root, "in/a.jpg")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_of_full_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_gone_or_changed_or_open_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_that_comes_between_is_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_hangs_or_writes_through_what_lies_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_link_is_moved_as_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_file_system, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_for_a_reason, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
