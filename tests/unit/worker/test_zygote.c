/* SPDX-License-Identifier: Apache-2.0
 *
 * The zygote as the broker sees it: what it answers, what it refuses, and that nothing of it outlives the broker.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <vips/vips.h>

#include "base/clock.h"
#include "worker/driver.h"
#include "worker/sanitized.h"

#define OUTPUT_TO "    to: { file: { path: \"/tmp/{stem}.{ext}\" } }\n"

static const char good[] = "version: 1\n"
                           "outputs:\n"
                           "  small:\n"
                           "    steps:\n"
                           "      - resize: { width: 64 }\n"
                           "      - convert: { format: webp }\n" OUTPUT_TO;

/* A flat picture as a sealed memfd. */
static int picture(const char *suffix)
{
    VipsImage *black = NULL, *rgb = NULL;
    void *bytes = NULL;
    size_t size = 0;
    if (vips_black(&black, 300, 200, "bands", 3, NULL) != 0 ||
        vips_copy(black, &rgb, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) != 0 ||
        vips_image_write_to_buffer(rgb, suffix, &bytes, &size, NULL) != 0) {
        vips_error_clear();
        return -1;
    }
    g_object_unref(black);
    g_object_unref(rgb);
    int fd = pm_memfd_new("picture", bytes, size, NULL);
    g_free(bytes);
    return fd;
}

static void ready_tells_what_is_there(void **state)
{
    (void)state;
    Worker worker = worker_start();
    json_t *body = NULL;
    int64_t start_ms = pm_clock_mono_ms();
    assert_int_equal(worker_load(&worker, good, &body), PM_MSG_READY);
    int64_t took_ms = pm_clock_mono_ms() - start_ms;
    print_message("    ready after %lld ms\n", (long long)took_ms);
    /* libvips' idle threads, left by convert's trial, would take 15 s to end by themselves. */
    assert_true(took_ms < 10000);
    assert_int_equal(json_array_size(json_object_get(body, "plugins")), 2);
    assert_true(json_integer_value(json_object_get(json_object_get(body, "sandbox"), "tier")) >= 1);
    assert_non_null(json_string_value(json_object_get(body, "digest")));
    assert_int_equal(json_array_size(json_object_get(body, "warnings")), 0);
    json_decref(body);
    worker_stop(&worker);
}

static bool mentions(const json_t *errors, const char *text)
{
    size_t i;
    json_t *error;
    json_array_foreach(errors, i, error)
    {
        const char *message = json_string_value(json_object_get(error, "message"));
        if (message != NULL && strstr(message, text) != NULL) return true;
    }
    return false;
}

/* Errors of the file and of the plugins come together, then the zygote ends. */
static void errors_come_all_at_once(void **state)
{
    (void)state;
    Worker worker = worker_start();
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker,
                                 "version: 1\n"
                                 "outputs:\n"
                                 "  a:\n"
                                 "    stepz: []\n"
                                 "    steps:\n"
                                 "      - resize: { width: -3 }\n"
                                 "      - resise: { width: 3 }\n" OUTPUT_TO,
                                 &body),
                     PM_MSG_ERRORS);
    const json_t *errors = json_object_get(body, "errors");
    assert_true(mentions(errors, "stepz"));
    assert_true(mentions(errors, "width"));
    assert_true(mentions(errors, "resise"));
    json_decref(body);
    worker_stop(&worker);
}

/* A plugin's create() runs in the zygote: when it crashes there, the operator is told which plugin and on what line. */
static void plugins_that_die_loading_are_named(void **state)
{
    (void)state;
    static const char *const faults[] = {"segv", "abort", "stack", "exit"};
    static const char *const says[] = {"plugin fault-segv crashed (SIGSEGV) while",
                                       "plugin fault-abort crashed (SIGABRT)", "plugin fault-stack crashed (SIGSEGV)",
                                       "plugin fault-exit called exit()"};
    for (size_t i = 0; i < 4; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "version: 1\n"
                 "steps:\n"
                 "  - fault-%s: { at: create }\n"
                 "outputs:\n"
                 "  small:\n"
                 "    steps: [ convert: { format: png } ]\n" OUTPUT_TO,
                 faults[i]);
        Worker worker = worker_start();
        json_t *body = NULL;
        assert_int_equal(worker_load(&worker, yaml, &body), PM_MSG_ERRORS);
        const json_t *error = json_array_get(json_object_get(body, "errors"), 0);
        assert_true(mentions(json_object_get(body, "errors"), says[i]));
        assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
        assert_string_equal(json_string_value(json_object_get(error, "step")), "steps[0]");
        json_decref(body);
        close(worker.sock);
        int status = -1;
        assert_int_equal(waitpid(worker.pid, &status, 0), worker.pid);
        assert_true(WIFEXITED(status));
        json_decref(worker.exits);
    }
}

static void refuses_a_second_pipeline(void **state)
{
    (void)state;
    Worker worker = worker_ready(good);
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker, good, &body), PM_MSG_ERRORS);
    json_decref(body);
    worker_stop(&worker);
}

static void refuses_to_spawn_without_a_pipeline(void **state)
{
    (void)state;
    Worker worker = worker_start();
    worker_send(&worker, PM_MSG_SPAWN, json_pack("{si}", "worker", 4), NULL, 0);
    json_t *body = NULL;
    assert_int_equal(worker_answer(&worker, &body, NULL), PM_MSG_SPAWNED);
    assert_int_equal(json_integer_value(json_object_get(body, "worker")), 4);
    assert_non_null(json_object_get(body, "error"));
    json_decref(body);
    worker_stop(&worker);
}

static void describes_plugins(void **state)
{
    (void)state;
    Worker worker = worker_start();
    worker_send(&worker, PM_MSG_DESCRIBE,
                json_pack("{s[s] s[s]}", "plugin_dirs", PM_BUILD_DIR "/plugins", "names", "resize"), NULL, 0);
    json_t *body = NULL;
    assert_int_equal(worker_answer(&worker, &body, NULL), PM_MSG_DESCRIBED);
    assert_int_equal(json_array_size(json_object_get(body, "plugins")), 1);
    json_decref(body);
    worker_stop(&worker);
}

/* True when the process ends within a few seconds. It need not be our child. */
static bool ends(int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    return poll(&wait, 1, 5000) == 1;
}

static void children_end_with_the_broker(void **state)
{
    (void)state;
    Worker worker = worker_ready(good);
    Child child = child_spawn(&worker, 1);
    close(worker.sock); /* the job channel stays open: only the zygote can end the child */
    assert_true(ends(child.pidfd));
    assert_int_equal(waitpid(worker.pid, NULL, 0), worker.pid);
    child_close(&child);
    json_decref(worker.exits);
}

static void children_end_with_the_zygote(void **state)
{
    (void)state;
    Worker worker = worker_ready(good);
    Child first = child_spawn(&worker, 1), second = child_spawn(&worker, 2);
    assert_int_equal(kill(worker.pid, SIGKILL), 0);
    assert_int_equal(waitpid(worker.pid, NULL, 0), worker.pid);
    assert_true(ends(first.pidfd));
    assert_true(ends(second.pidfd));
    child_close(&first);
    child_close(&second);
    close(worker.sock);
    json_decref(worker.exits);
}

/* Ctrl-C goes to the whole group; the broker decides. */
static void signals_of_the_terminal_are_ignored(void **state)
{
    (void)state;
    Worker worker = worker_ready(good);
    Child child = child_spawn(&worker, 1);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kill(worker.pid, signals[i]), 0);
        assert_int_equal(kill(child.pid, signals[i]), 0);
    }
    int source = picture(".png");
    Outcome outcome = child_run(&child, source, "a.png");
    assert_string_equal(outcome_status(&outcome), "ok");
    outcome_finish(&outcome);
    close(source);
    child_close(&child);
    json_decref(worker_wait(&worker, &child));
    worker_stop(&worker);
}

static bool can_count_threads(const json_t *ready)
{
    size_t i;
    json_t *text;
    json_array_foreach(json_object_get(json_object_get(ready, "sandbox"), "missing"), i, text)
    {
        if (strncmp(json_string_value(text), "thread limit", strlen("thread limit")) == 0) return false;
    }
    return true;
}

/* A child that does this one job ends itself with a code of the test plugin's. */
static void assert_ends_with_42(Worker *worker, int number, int source)
{
    Child child = child_spawn(worker, number);
    child_send_job(&child, source, "a.png", 0);
    Outcome outcome = child_collect(&child);
    assert_string_equal(outcome_status(&outcome), "gone");
    outcome_finish(&outcome);
    child_close(&child);
    json_t *body = worker_wait(worker, &child);
    assert_int_equal(json_integer_value(json_object_get(body, "code")), 42);
    json_decref(body);
}

static void threads_of_a_child_are_limited(void **state)
{
    (void)state;
    static const char threads[] = "version: 1\n"
                                  "steps:\n"
                                  "  - fault-threads: {}\n"
                                  "outputs:\n"
                                  "  small: {\n" OUTPUT_TO "  }\n";
    Worker worker = worker_start();
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker, threads, &body), PM_MSG_READY);
    bool counted = can_count_threads(body);
    json_decref(body);
    int source = picture(".png");
    /* One child after the other takes all it gets; that leaves the next one no less. */
    for (int i = 0; counted && i < 3; i++) assert_ends_with_42(&worker, i, source);
    close(source);
    worker_stop(&worker);
    if (!counted) skip();
}

/* Whether a library finds an idle thread or starts another is chance, and must not decide what fits. */
static void threads_take_nothing_of_the_memory_limit(void **state)
{
    (void)state;
    static const char crowd[] = "version: 1\n"
                                "limits: { memory: 64MiB }\n"
                                "steps:\n"
                                "  - fault-crowd: {}\n"
                                "outputs:\n"
                                "  small: {\n" OUTPUT_TO "  }\n";
#ifdef PM_SANITIZED
    skip(); /* no limit of address space */
#endif
    Worker worker = worker_start();
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker, crowd, &body), PM_MSG_READY);
    json_decref(body);
    int source = picture(".png");
    assert_ends_with_42(&worker, 0, source);
    close(source);
    worker_stop(&worker);
}

/* The broker's page, on which the worker says where it is while it loads, is no longer there for children. */
static void children_share_no_page(void **state)
{
    (void)state;
    Worker worker = worker_start();
    PmProgress *progress = NULL;
    int fds[] = {pm_memfd_new("pipeline", good, strlen(good), NULL), pm_progress_new(&progress, NULL)};
    worker_send(&worker, PM_MSG_LOAD,
                json_pack("{ss ss s{} s[s] sb}", "file", "test.yaml", "dir", "/tmp", "env", "plugin_dirs",
                          PM_BUILD_DIR "/plugins", "check", 0),
                fds, 2);
    json_t *body = NULL;
    assert_int_equal(worker_answer(&worker, &body, NULL), PM_MSG_READY);
    json_decref(body);
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)worker.pid);
    FILE *maps = fopen(path, "re");
    assert_true(maps != NULL || geteuid() != 0); /* who may not look cannot test it */
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "pixmill-progress") != NULL) fail_msg("the worker still maps %s", line);
    if (maps != NULL) fclose(maps);
    close(fds[0]);
    close(fds[1]);
    pm_progress_unmap(progress);
    worker_stop(&worker);
}

/* Codecs, fonts and colour profiles that libraries load late must have been loaded in time. */
static void every_format_works_inside(void **state)
{
    (void)state;
    static const char *const formats[] = {"jpeg", "png", "webp", "gif", "tiff", "avif", "jxl"};
    static const char *const suffixes[] = {".jpg", ".png", ".webp", ".gif", ".tif", ".avif", ".jxl"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml,
                 "version: 1\n"
                 "limits: { formats: [jpeg, png, webp, gif, tiff, avif, jxl] }\n"
                 "outputs:\n"
                 "  small:\n"
                 "    steps:\n"
                 "      - resize: { width: 64 }\n"
                 "      - watermark: { text: \"caf\\u00e9 {stem} \\u4f60\\u597d\", scale: 0.5 }\n"
                 "      - convert: { format: %s }\n" OUTPUT_TO,
                 formats[i]);
        Worker worker = worker_start();
        json_t *body = NULL;
        PmMessageType type = worker_load(&worker, yaml, &body);
        char *text = json_dumps(body, 0);
        json_decref(body);
        int source = picture(suffixes[i]);
        if (type == PM_MSG_READY && source >= 0) {
            Child child = child_spawn(&worker, 1);
            Outcome outcome = child_run(&child, source, "a.img");
            char *error = outcome.done ? json_dumps(json_object_get(outcome.body, "error"), JSON_ENCODE_ANY) : NULL;
            if (strcmp(outcome_status(&outcome), "ok") != 0)
                fail_msg("%s: %s: %s", formats[i], outcome_status(&outcome), error != NULL ? error : "");
            free(error);
            assert_int_equal(outcome.output_count, 1);
            outcome_finish(&outcome);
            child_close(&child);
            json_decref(worker_wait(&worker, &child));
        } else {
            print_message("    %s: not in this libvips%s: %.300s\n", formats[i], source < 0 ? " (to write)" : "", text);
            assert_true(i >= 5); /* the first five always are */
        }
        free(text);
        if (source >= 0) close(source);
        worker_stop(&worker);
    }
}

/* The price of a job's way through the worker: printed, and bounded generously. */
static void starting_and_jobs_are_cheap(void **state)
{
    (void)state;
#ifdef PM_SANITIZED
    skip();
#endif
    Worker worker = worker_ready(good);
    int64_t start_ms = pm_clock_mono_ms();
    enum { CHILDREN = 20 };
    Child children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) children[i] = child_spawn(&worker, i);
    int64_t spawned_ms = pm_clock_mono_ms() - start_ms;
    int source = picture(".png");
    Outcome outcome = child_run(&children[0], source, "a.png");
    outcome_finish(&outcome);
    start_ms = pm_clock_mono_ms();
    for (int i = 0; i < 100; i++) {
        outcome = child_run(&children[0], source, "a.png");
        assert_string_equal(outcome_status(&outcome), "ok");
        outcome_finish(&outcome);
    }
    int64_t jobs_ms = pm_clock_mono_ms() - start_ms;
    print_message("    fork: %.1f ms; 300 x 200 px job: %.1f ms\n", (double)spawned_ms / CHILDREN,
                  (double)jobs_ms / 100);
    assert_true(spawned_ms < CHILDREN * 100);
    close(source);
    for (int i = 0; i < CHILDREN; i++) {
        child_close(&children[i]);
        json_decref(worker_wait(&worker, &children[i]));
    }
    worker_stop(&worker);
}

static int setup(void **state)
{
    (void)state;
    return vips_init("test_zygote");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_tells_what_is_there),
        cmocka_unit_test(errors_come_all_at_once),
        cmocka_unit_test(plugins_that_die_loading_are_named),
        cmocka_unit_test(refuses_a_second_pipeline),
        cmocka_unit_test(refuses_to_spawn_without_a_pipeline),
        cmocka_unit_test(describes_plugins),
        cmocka_unit_test(children_end_with_the_broker),
        cmocka_unit_test(children_end_with_the_zygote),
        cmocka_unit_test(signals_of_the_terminal_are_ignored),
        cmocka_unit_test(every_format_works_inside),
        cmocka_unit_test(threads_of_a_child_are_limited),
        cmocka_unit_test(threads_take_nothing_of_the_memory_limit),
        cmocka_unit_test(children_share_no_page),
        cmocka_unit_test(starting_and_jobs_are_cheap),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
