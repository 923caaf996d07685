/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions as values: several in one loop, with real workers, and nothing left of them afterwards.
 */
#include "pipelines.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/session.h"

enum { PATIENCE_MS = 90000 };

/* 1x1, grey. */
static const unsigned char picture[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00,
    0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81,
    0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

/* A folder, a pipeline over it, and what its session told. */
typedef struct Site {
    char folder[64];
    PmPipeline *pipeline;
    const char *text;
    PmSession *session;
    PmLoop *loop;
    size_t *running; /* how many sessions of the loop have not ended */
    size_t started, results, ended;
} Site;

static void on_started(void *data, const json_t *info, size_t workers)
{
    (void)info;
    ((Site *)data)->started += workers;
}

static void on_result(void *data, const PmJobResult *result)
{
    if (result->error != NULL) print_error("%s\n", result->error->message);
    ((Site *)data)->results++;
}

static void on_ended(void *data, PmSession *session)
{
    Site *site = data;
    assert_ptr_equal(session, site->session);
    site->ended++;
    if (--*site->running == 0) pm_loop_stop(site->loop);
}

static void on_late(void *data)
{
    (void)data;
    fail_msg("the sessions did not end");
}

static void put_file(const Site *site, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/in/%s", site->folder, name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, picture, sizeof picture), sizeof picture);
    close(fd);
}

static bool exists(const Site *site, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", site->folder, name);
    return access(path, F_OK) == 0;
}

static void make_site(Site *site, const char *text)
{
    char path[128];
    *site = (Site){.folder = "/tmp/pixmill-session-XXXXXX", .text = text};
    assert_non_null(mkdtemp(site->folder));
    snprintf(path, sizeof path, "%s/in", site->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    site->pipeline = read_pipeline(site->folder, text);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char below[400];
        snprintf(below, sizeof below, "%s/%.200s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlink(below) != 0) remove_tree(below);
    }
    if (dir != NULL) closedir(dir);
    rmdir(path);
}

static void remove_site(Site *site)
{
    pm_pipeline_free(site->pipeline);
    remove_tree(site->folder);
}

static void start(Site *site, PmLoop *loop, size_t *running, bool once)
{
    PmError err = {0};
    PmSessionOptions options = {
        .pool = {.worker = PM_BUILD_DIR "/bin/pixmill-worker", .plugin_dirs = PM_BUILD_DIR "/plugins", .workers = 1},
        .once = once,
        .data = site,
        .started = on_started,
        .result = on_result,
        .ended = on_ended};
    site->loop = loop;
    site->running = running;
    ++*running;
    site->session = pm_session_new(loop, site->pipeline, site->text, strlen(site->text), &options, &err);
    if (site->session == NULL) fail_msg("%s", err.message);
}

static void run(PmLoop *loop)
{
    PmTimer *late = pm_loop_after(loop, PATIENCE_MS, on_late, NULL);
    pm_loop_run(loop);
    pm_loop_cancel(late);
}

static void finish(Site *site)
{
    assert_int_equal(pm_session_errors(site->session)->count, 0);
    assert_int_equal(pm_session_error(site->session)->status, PM_OK);
    pm_session_free(site->session);
    site->session = NULL;
}

#define PIPELINE(name, done)                                                                                         \
    "version: 1\nname: " name "\nsandbox: { minimum: none }\ntrigger: { directory: { path: in, done: " done " } }\n" \
    "outputs: { " name ": { to: { file: { path: \"" name "/{stem}.{ext}\" } } } }\n"

static size_t count_fds(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL) n++;
    closedir(dir);
    return n;
}

static void two_at_once_and_one_after_the_other(void **state)
{
    (void)state;
    PmError err = {0};
    size_t running = 0, fds = count_fds();
    Site first, second;
    PmLoop *loop = pm_loop_new(&err);
    make_site(&first, PIPELINE("first", "old"));
    make_site(&second, PIPELINE("second", "gone"));
    put_file(&first, "a.png");
    put_file(&first, "b.png");
    put_file(&second, "a.png");
    start(&first, loop, &running, true);
    start(&second, loop, &running, true);
    run(loop);
    assert_int_equal(first.started, 1);
    assert_int_equal(second.started, 1);
    assert_int_equal(pm_session_summary(first.session)->done, 2);
    assert_int_equal(pm_session_summary(second.session)->done, 1);
    assert_int_equal(first.results, 2);
    assert_int_equal(second.results, 1);
    assert_int_equal(first.ended, 1);
    assert_int_equal(second.ended, 1);
    assert_true(exists(&first, "first/a.png") && exists(&first, "first/b.png") && exists(&first, "old/a.png"));
    assert_true(exists(&second, "second/a.png") && exists(&second, "gone/a.png"));
    assert_false(exists(&first, "second") || exists(&second, "first"));
    finish(&first);
    put_file(&first, "c.png");
    start(&first, loop, &running, true); /* while the other has ended but is not freed */
    run(loop);
    assert_int_equal(pm_session_summary(first.session)->done, 1);
    assert_true(exists(&first, "first/c.png"));
    finish(&first);
    finish(&second);
    pm_loop_free(loop);
    remove_site(&first);
    remove_site(&second);
    assert_int_equal(count_fds(), fds);
}

/* Drains one of two as soon as it has done something; the other goes on. */
static void on_first_result(void *data, const PmJobResult *result)
{
    Site *site = data;
    on_result(data, result);
    if (site->results == 1) pm_session_drain(site->session, 5000);
}

static void one_drains_and_the_other_goes_on(void **state)
{
    (void)state;
    PmError err = {0};
    size_t running = 0;
    Site watching, once;
    PmLoop *loop = pm_loop_new(&err);
    make_site(&watching, PIPELINE("watching", "done"));
    make_site(&once, PIPELINE("once", "done"));
    put_file(&watching, "a.png");
    put_file(&once, "a.png");
    PmSessionOptions options = {
        .pool = {.worker = PM_BUILD_DIR "/bin/pixmill-worker", .plugin_dirs = PM_BUILD_DIR "/plugins", .workers = 1},
        .data = &watching,
        .result = on_first_result,
        .ended = on_ended};
    watching.loop = loop;
    watching.running = &running;
    running++;
    watching.session = pm_session_new(loop, watching.pipeline, watching.text, strlen(watching.text), &options, &err);
    assert_non_null(watching.session);
    json_t *status = pm_session_status(watching.session);
    assert_string_equal(json_string_value(json_object_get(status, "pipeline")), "watching");
    assert_string_equal(json_string_value(json_object_get(status, "state")), "starting");
    json_decref(status);
    start(&once, loop, &running, true);
    run(loop);
    assert_int_equal(pm_session_summary(watching.session)->done, 1);
    assert_int_equal(pm_session_summary(once.session)->done, 1);
    assert_int_equal(watching.ended, 1);
    assert_true(exists(&watching, "watching/a.png") && exists(&watching, "done/a.png"));
    finish(&watching);
    finish(&once);
    pm_loop_free(loop);
    remove_site(&watching);
    remove_site(&once);
}

static void freed_in_the_middle_nothing_is_lost(void **state)
{
    (void)state;
    PmError err = {0};
    size_t running = 0;
    Site site;
    PmLoop *loop = pm_loop_new(&err);
    make_site(&site, PIPELINE("site", "done"));
    put_file(&site, "a.png");
    start(&site, loop, &running, true);
    pm_session_free(site.session); /* before its workers were ready */
    assert_true(exists(&site, "in/a.png"));
    start(&site, loop, &running, true);
    running = 1;
    run(loop);
    assert_int_equal(pm_session_summary(site.session)->done, 1);
    assert_true(exists(&site, "site/a.png"));
    finish(&site);
    pm_loop_free(loop);
    remove_site(&site);
}

typedef struct Held {
    Site site;
    bool begun;
} Held;

static void begin_held(void *data)
{
    Held *held = data;
    assert_int_equal(held->site.results, 0);
    assert_true(exists(&held->site, "in/a.png"));
    held->begun = true;
    pm_session_begin(held->site.session);
}

static void on_held_started(void *data, const json_t *info, size_t workers)
{
    Held *held = data;
    on_started(data, info, workers);
    assert_non_null(pm_loop_after(held->site.loop, 300, begin_held, held)); /* long enough to take the file */
}

static void held_takes_nothing_before_it_begins(void **state)
{
    (void)state;
    PmError err = {0};
    size_t running = 1;
    Held held = {0};
    Site *site = &held.site;
    PmLoop *loop = pm_loop_new(&err);
    make_site(site, PIPELINE("held", "done"));
    put_file(site, "a.png");
    PmSessionOptions options = {
        .pool = {.worker = PM_BUILD_DIR "/bin/pixmill-worker", .plugin_dirs = PM_BUILD_DIR "/plugins", .workers = 1},
        .once = true,
        .held = true,
        .data = &held,
        .started = on_held_started,
        .result = on_result,
        .ended = on_ended};
    site->loop = loop;
    site->running = &running;
    site->session = pm_session_new(loop, site->pipeline, site->text, strlen(site->text), &options, &err);
    assert_non_null(site->session);
    run(loop);
    assert_true(held.begun);
    assert_int_equal(pm_session_summary(site->session)->done, 1);
    assert_true(exists(site, "held/a.png"));
    finish(site);
    pm_loop_free(loop);
    remove_site(site);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    PmError err = {0};
    size_t running = 0;
    Site site;
    PmLoop *loop = pm_loop_new(&err);
    make_site(&site, "version: 1\ntrigger: { directory: { path: nowhere } }\n"
                     "outputs: { a: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n");
    PmSessionOptions options = {.data = &site, .ended = on_ended};
    site.running = &running;
    assert_null(pm_session_new(loop, site.pipeline, site.text, strlen(site.text), &options, &err));
    assert_int_equal(err.status, PM_BAD_CONFIG);
    assert_non_null(strstr(err.message, "nowhere"));
    pm_loop_free(loop);
    remove_site(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_at_once_and_one_after_the_other), cmocka_unit_test(one_drains_and_the_other_goes_on),
        cmocka_unit_test(freed_in_the_middle_nothing_is_lost), cmocka_unit_test(held_takes_nothing_before_it_begins),
        cmocka_unit_test(what_cannot_be_opened_is_told),
    };
    signal(SIGPIPE, SIG_IGN); /* as the program's main does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
