/* SPDX-License-Identifier: Apache-2.0
 *
 * The points themselves, in a program that has them whatever the build: it dies at the passing that was asked for and
 * at no other.
 */
#ifndef PIXMILL_CRASH_POINTS
#define PIXMILL_CRASH_POINTS
#endif
#include "base/crash_point.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { PASSINGS = 5 };

/* Passes "one" and "two" in turn, writes a byte after each pair. */
static int pass_all(void)
{
    for (int i = 0; i < PASSINGS; i++) {
        PM_CRASH_POINT("test.one");
        PM_CRASH_POINT("test.two");
        if (write(STDOUT_FILENO, ".", 1) != 1) return 1;
    }
    return 0;
}

/* Runs this program again with PIXMILL_CRASH_AT=`at`; what it wrote goes to `out`. Returns its wait status. */
static int run_again(const char *at, char *out, size_t size)
{
    int pipe_fds[2], status = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(pipe_fds[1], STDOUT_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        setenv("PIXMILL_CRASH_AT", at, 1);
        execl("/proc/self/exe", "test_crash_point", "pass", (char *)NULL);
        _exit(99);
    }
    close(pipe_fds[1]);
    size_t n = 0;
    for (ssize_t got; n < size - 1 && (got = read(pipe_fds[0], out + n, size - 1 - n)) > 0;) n += (size_t)got;
    out[n] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_dies_at_the_nth_passing(void **state)
{
    (void)state;
    char out[256];
    int status = run_again("test.one", out, sizeof out);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_string_equal(out, "");
    status = run_again("test.two:3", out, sizeof out);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_string_equal(out, "..");
}

static void test_passes_when_it_is_not_reached(void **state)
{
    (void)state;
    char out[256];
    int status = run_again("test.one:6", out, sizeof out);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(out, ".....");
}

static void test_lists_every_point(void **state)
{
    (void)state;
    char out[4096];
    int status = run_again("list", out, sizeof out);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(out, "test.one\n"));
    assert_non_null(strstr(out, "test.two\n"));
}

static void test_refuses_an_unknown_name(void **state)
{
    (void)state;
    char out[256];
    int status = run_again("test.onne:1", out, sizeof out);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == PM_CRASH_UNKNOWN);
    assert_string_equal(out, "");
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) return pass_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dies_at_the_nth_passing),
        cmocka_unit_test(test_passes_when_it_is_not_reached),
        cmocka_unit_test(test_lists_every_point),
        cmocka_unit_test(test_refuses_an_unknown_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
