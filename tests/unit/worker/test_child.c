/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that misbehave in seven ways, each in a real child of the real worker: one job is lost, the zygote lives on,
 * and the plugin is known by name.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <vips/vips.h>

#include "worker/driver.h"
#include "worker/sanitized.h"

static int photo = -1; /* sealed memfd: a JPEG of 800 x 600 */

static int make_photo(int width, int height)
{
    VipsImage *noise = NULL, *soft = NULL, *rgb = NULL;
    void *bytes = NULL;
    size_t size = 0;
    if (vips_gaussnoise(&noise, width, height, "mean", 128.0, "sigma", 60.0, NULL) != 0 ||
        vips_gaussblur(noise, &soft, 2.0, NULL) != 0 || vips_cast(soft, &rgb, VIPS_FORMAT_UCHAR, NULL) != 0 ||
        vips_jpegsave_buffer(rgb, &bytes, &size, NULL) != 0)
        return -1;
    g_object_unref(noise);
    g_object_unref(soft);
    g_object_unref(rgb);
    int fd = pm_memfd_new("photo", bytes, size, NULL);
    g_free(bytes);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    if (vips_init("test_child") != 0) return -1;
    photo = make_photo(800, 600);
    return photo >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    close(photo);
    vips_shutdown();
    return 0;
}

/* A pipeline with one step before the resize, that strikes when the key holds "bad". */
static Worker with_step(const char *step)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "version: 1\n"
             "limits: { cpu_time: 1s, memory: 256MiB }\n"
             "steps:\n"
             "  - %s\n"
             "outputs:\n"
             "  small:\n"
             "    steps:\n"
             "      - resize:\n"
             "          width: ${WIDTH}\n"
             "      - convert: { format: jpeg }\n"
             "    to: { file: { path: \"/tmp/{stem}.{ext}\" } }\n",
             step);
    return worker_ready(yaml);
}

static void assert_works(Worker *worker, int slot)
{
    Child child = child_spawn(worker, slot);
    Outcome outcome = child_run(&child, photo, "good.jpg");
    assert_string_equal(outcome_status(&outcome), "ok");
    assert_int_equal(outcome.output_count, 1);
    assert_int_equal(json_integer_value(json_object_get(outcome.outputs[0], "width")), 120);
    outcome_finish(&outcome);
    child_close(&child);
    json_t *end = worker_wait(worker, &child);
    assert_int_equal(json_integer_value(json_object_get(end, "code")), 0);
    assert_int_equal(json_integer_value(json_object_get(end, "signal")), 0);
    json_decref(end);
}

/* The child dies of `expected`, in code of `plugin`; before it a good job works, and after it another child does. */
static void assert_contained(const char *step, const char *plugin, int expected)
{
    Worker worker = with_step(step);
    Child child = child_spawn(&worker, 1);
    Outcome outcome = child_run(&child, photo, "good.jpg");
    assert_string_equal(outcome_status(&outcome), "ok");
    outcome_finish(&outcome);
    outcome = child_run(&child, photo, "bad.jpg");
    assert_string_equal(outcome_status(&outcome), "gone");
    json_t *end = worker_wait(&worker, &child);
    assert_int_equal(json_integer_value(json_object_get(end, "signal")), expected);
    PmProgress page = pm_progress_read(child.progress);
    assert_string_equal(page.fault_plugin, plugin);
    assert_string_equal(page.plugin, plugin);
    assert_int_equal(page.out_of_memory, 0);
    json_decref(end);
    outcome_finish(&outcome);
    child_close(&child);
    assert_works(&worker, 2);
    worker_stop(&worker);
}

static void segv(void **state)
{
    (void)state;
    assert_contained("fault-segv: { key: bad }", "fault-segv", SIGSEGV);
}

static void abort_(void **state)
{
    (void)state;
    assert_contained("fault-abort: { key: bad }", "fault-abort", SIGABRT);
}

static void stack_overflow(void **state)
{
    (void)state;
    assert_contained("fault-stack: { key: bad }", "fault-stack", SIGSEGV);
}

static void endless_work(void **state)
{
    (void)state;
    assert_contained("fault-spin: { key: bad }", "fault-spin", SIGXCPU);
}

/* The broker ends it by pidfd at the job's wall time. */
static void hang(void **state)
{
    (void)state;
    Worker worker = with_step("fault-hang: { key: bad }");
    Child child = child_spawn(&worker, 1);
    child_send_job(&child, photo, "bad.jpg", 0);
    for (int i = 0; i < 400 && child.progress->plugin[0] == '\0'; i++) usleep(10000);
    usleep(100 * 1000);
    assert_string_equal(pm_progress_read(child.progress).plugin, "fault-hang");
    assert_int_equal(syscall(SYS_pidfd_send_signal, child.pidfd, SIGKILL, NULL, 0), 0);
    json_t *end = worker_wait(&worker, &child);
    assert_int_equal(json_integer_value(json_object_get(end, "signal")), SIGKILL);
    json_decref(end);
    child_close(&child);
    assert_works(&worker, 2);
    worker_stop(&worker);
}

/* exit() with a job open is told apart from a good end by the missing DONE. */
static void calls_exit(void **state)
{
    (void)state;
    Worker worker = with_step("fault-exit: { key: bad }");
    Child child = child_spawn(&worker, 1);
    Outcome outcome = child_run(&child, photo, "bad.jpg");
    assert_string_equal(outcome_status(&outcome), "gone");
    json_t *end = worker_wait(&worker, &child);
    assert_int_equal(json_integer_value(json_object_get(end, "code")), 7);
    assert_int_equal(json_integer_value(json_object_get(end, "signal")), 0);
    assert_string_equal(pm_progress_read(child.progress).plugin, "fault-exit");
    json_decref(end);
    outcome_finish(&outcome);
    child_close(&child);
    assert_works(&worker, 2);
    worker_stop(&worker);
}

/* A leak ends at the address space limit, long before the host notices. */
static void leak(void **state)
{
    (void)state;
#ifdef PM_SANITIZED
    skip();
#endif
    Worker worker = with_step("fault-leak: { key: bad, amount: 48MiB }");
    Child child = child_spawn(&worker, 1);
    int jobs = 0;
    const char *status = "ok";
    for (; jobs < 12 && strcmp(status, "ok") == 0; jobs++) {
        Outcome outcome = child_run(&child, photo, "bad.jpg");
        status = outcome_status(&outcome);
        if (strcmp(status, "ok") != 0) {
            char *text = outcome.done ? json_dumps(json_object_get(outcome.body, "error"), 0) : NULL;
            print_message("    job %d: %s %s\n", jobs, status, text != NULL ? text : "");
            free(text);
        }
        status = strcmp(status, "ok") == 0 ? "ok" : "failed";
        outcome_finish(&outcome);
    }
    child_close(&child);
    json_t *end = worker_wait(&worker, &child);
    json_int_t rss_kb = json_integer_value(json_object_get(end, "max_rss_kb"));
    print_message("    %d leaks of 48 MiB: %lld MiB at most\n", jobs, (long long)rss_kb / 1024);
    assert_true(rss_kb < (256 + 128) * 1024);
    json_decref(end);
    assert_works(&worker, 2);
    worker_stop(&worker);
}

static int count_fds(pid_t pid)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += readlink(path, target, sizeof target) > 0;
    }
    return count;
}

/* The count once it has come to rest: answers are sent before the last descriptor is closed. None at all is what one
 * sees who may not look, for good or for a moment. */
static int count_fds_at_rest(pid_t pid)
{
    int count = count_fds(pid);
    for (int same = 0, none = 0; same < 5 || (count == 0 && geteuid() == 0 && none++ < 200); usleep(10000)) {
        int now = count_fds(pid);
        same = now == count ? same + 1 : 0;
        count = now;
    }
    return count;
}

static void fd_leak(void **state)
{
    (void)state;
    Worker worker = with_step("fault-fd: { key: bad }");
    int before = count_fds_at_rest(worker.pid); /* of a child the worker holds one, to count its threads */
    Child child = child_spawn(&worker, 1);
    for (int i = 0; i < 8; i++) { /* 32 each: beyond what a child may have open */
        Outcome outcome = child_run(&child, photo, "bad.jpg");
        assert_true(outcome.done || i > 0);
        bool done = outcome.done;
        outcome_finish(&outcome);
        if (!done) break;
    }
    child_close(&child);
    json_decref(worker_wait(&worker, &child));
    assert_int_equal(count_fds_at_rest(worker.pid), before);
    assert_works(&worker, 2);
    worker_stop(&worker);
}

/* What a child inherits: stdin, stdout, stderr and its socket; nothing of the zygote, nothing of the broker. */
static void child_holds_five_descriptors(void **state)
{
    (void)state;
    Worker worker = with_step("fault-exit: { key: bad }");
    Child first = child_spawn(&worker, 1), second = child_spawn(&worker, 2);
    Outcome outcome = child_run(&second, photo, "good.jpg");
    assert_string_equal(outcome_status(&outcome), "ok");
    if (count_fds(second.pid) > 0) /* only root may look into a process that is not dumpable */
        assert_int_equal(count_fds_at_rest(second.pid), 5);
    outcome_finish(&outcome);
    child_close(&first);
    child_close(&second);
    json_decref(worker_wait(&worker, &first));
    json_decref(worker_wait(&worker, &second));
    worker_stop(&worker);
}

static void one_child_does_many_jobs(void **state)
{
    (void)state;
    Worker worker = with_step("fault-segv: { key: bad }");
    Child child = child_spawn(&worker, 1);
    static const char rubbish[] = "no picture at all";
    int broken = pm_memfd_new("broken", rubbish, sizeof rubbish, NULL);
    int unsealed = pm_memfd_open("unsealed", NULL);
    assert_int_equal(write(unsealed, rubbish, sizeof rubbish), sizeof rubbish);
    for (int i = 0; i < 20; i++) {
        int source = i % 5 == 3 ? broken : i % 5 == 4 ? unsealed : photo;
        const char *expected = i % 5 == 3 ? "bad_input" : i % 5 == 4 ? "bug" : "ok";
        Outcome outcome = child_run(&child, source, "good.jpg");
        assert_string_equal(outcome_status(&outcome), expected);
        assert_int_equal(outcome.output_count, source == photo ? 1 : 0);
        outcome_finish(&outcome);
    }
    close(broken);
    close(unsealed);
    child_close(&child);
    json_decref(worker_wait(&worker, &child));
    worker_stop(&worker);
}

static void plans_without_running(void **state)
{
    (void)state;
    Worker worker = with_step("fault-segv: {}");
    Child child = child_spawn(&worker, 1);
    json_t *ask = json_pack("{s{ss}}", "facts", "key", "a.jpg");
    assert_int_equal(pm_ipc_send(child.sock, PM_MSG_PLAN, ask, &photo, 1, NULL), PM_OK);
    json_decref(ask);
    PmMessage message;
    bool got = false;
    assert_int_equal(pm_ipc_receive(child.sock, 0, &message, &got, NULL), PM_OK);
    assert_true(got);
    assert_int_equal(message.type, PM_MSG_PLANNED);
    const json_t *plan = json_object_get(message.body, "plan");
    assert_true(json_is_object(plan));
    assert_true(json_array_size(json_object_get(plan, "outputs")) == 1);
    pm_message_finish(&message);
    child_close(&child);
    json_decref(worker_wait(&worker, &child));
    worker_stop(&worker);
}

/* A message that no child understands ends it with a code of its own. */
static void refuses_what_is_no_job(void **state)
{
    (void)state;
    Worker worker = with_step("fault-segv: {}");
    Child child = child_spawn(&worker, 1);
    assert_int_equal(pm_ipc_send(child.sock, PM_MSG_SPAWN, NULL, NULL, 0, NULL), PM_OK);
    json_t *end = worker_wait(&worker, &child);
    assert_int_equal(json_integer_value(json_object_get(end, "code")), 70);
    json_decref(end);
    child_close(&child);
    worker_stop(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segv),
        cmocka_unit_test(abort_),
        cmocka_unit_test(stack_overflow),
        cmocka_unit_test(endless_work),
        cmocka_unit_test(hang),
        cmocka_unit_test(calls_exit),
        cmocka_unit_test(leak),
        cmocka_unit_test(fd_leak),
        cmocka_unit_test(child_holds_five_descriptors),
        cmocka_unit_test(one_child_does_many_jobs),
        cmocka_unit_test(plans_without_running),
        cmocka_unit_test(refuses_what_is_no_job),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
