/* SPDX-License-Identifier: Apache-2.0
 *
 * Nothing of a worker outlives it, at whatever moment it is killed: not the first process of its namespace, not the
 * processes that try what the sandbox can do. The test is the subreaper, so all that is left becomes its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "worker/sandbox.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* no job is done here */
#include "worker/driver.h"

enum { ROUNDS = 100, AT_ONCE = 4, STEP_US = 211, ALL_GONE_MS = 10 * 1000 };

static const char yaml[] = "version: 1\n"
                           "outputs:\n"
                           "  small:\n"
                           "    steps:\n"
                           "      - resize: { width: 64 }\n"
                           "    to: { file: { path: \"/tmp/{stem}.{ext}\" } }\n";

static void wait_us(int64_t us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0) continue;
}

/* Without waiting for an answer. */
static void ask_to_load(const Worker *worker)
{
    int text = pm_memfd_new("pipeline", yaml, strlen(yaml), NULL);
    assert_true(text >= 0);
    json_t *body = json_pack("{ss ss s{} s[s] sb}", "file", "test.yaml", "dir", "/tmp", "env", "plugin_dirs",
                             PM_BUILD_DIR "/plugins", "check", 0);
    (void)pm_ipc_send(worker->sock, PM_MSG_LOAD, body, &text, 1, NULL); /* it may be gone already */
    json_decref(body);
    close(text);
}

/* The name of a process that is left as our child, "" when there is none. */
static void name_of_a_child(char *name, size_t size, pid_t *pid)
{
    char path[64];
    *pid = 0;
    name[0] = '\0';
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int found = 0;
    if (file == NULL || fscanf(file, "%d", &found) != 1) found = 0;
    if (file != NULL) fclose(file);
    if (found == 0) return;
    *pid = found;
    snprintf(path, sizeof path, "/proc/%d/comm", found);
    file = fopen(path, "re");
    if (file == NULL || fgets(name, (int)size, file) == NULL) name[0] = '\0';
    if (file != NULL) fclose(file);
    name[strcspn(name, "\n")] = '\0';
}

/* Reaps until nobody is left. */
static void assert_nobody_is_left(const char *when)
{
    int64_t deadline_ms = pm_clock_mono_ms() + ALL_GONE_MS;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) return;
        if (pid > 0) continue;
        if (pm_clock_mono_ms() > deadline_ms) break;
        wait_us(2000);
    }
    char name[64];
    pid_t left = 0;
    name_of_a_child(name, sizeof name, &left);
    if (left > 0) kill(left, SIGKILL);
    fail_msg("%s: process %d (%s) is still there after %d s", when, (int)left, name, ALL_GONE_MS / 1000);
}

static void kill_at(int moment)
{
    Worker workers[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
        workers[i] = worker_start();
        ask_to_load(&workers[i]);
    }
    wait_us((int64_t)moment * STEP_US);
    for (int i = 0; i < AT_ONCE; i++) {
        assert_int_equal(kill(workers[i].pid, SIGKILL), 0);
        wait_us(moment % 7 * 50);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        close(workers[i].sock);
        json_decref(workers[i].exits);
    }
}

static void nothing_is_left_of_a_worker_killed_while_it_starts(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        kill_at(i);
        assert_nobody_is_left("killed while it started");
    }
}

/* As the broker ends it: the channel is closed, and the process killed in the next moment. */
static void nothing_is_left_of_a_worker_that_was_ready(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        Worker worker = worker_ready(yaml);
        Child child = {0};
        if (i % 2 == 0) child = child_spawn(&worker, 1);
        close(worker.sock);
        kill(worker.pid, SIGKILL);
        if (i % 2 == 0) child_close(&child);
        json_decref(worker.exits);
        assert_nobody_is_left("killed when it was ready");
    }
}

/* Its caller dies before the first process of the namespaces has run a single line, while it works, or when it is done:
 * a parent-death signal asked for by that process would come too late. */
static void nothing_is_left_of_namespaces(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            PmNamespaces namespaces;
            PmFonts fonts;
            int root_error;
            pm_fonts_find(&fonts);
            if (pm_namespaces_begin(&namespaces, fonts.folders, NULL) != PM_OK) _exit(1);
            if (i % 4 == 1) wait_us(i * 10);
            if (i % 4 >= 2 && pm_namespaces_wait(&namespaces, &root_error) == 0 && i % 4 == 3)
                pm_namespaces_enter(&namespaces, root_error == 0, false, NULL);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    assert_nobody_is_left("killed with namespaces");
}

static int adopt(void **state)
{
    (void)state;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_a_worker_killed_while_it_starts),
        cmocka_unit_test(nothing_is_left_of_namespaces),
        cmocka_unit_test(nothing_is_left_of_a_worker_that_was_ready),
    };
    return cmocka_run_group_tests(tests, adopt, NULL);
}
