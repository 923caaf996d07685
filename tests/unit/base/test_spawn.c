/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* last */
#include <cmocka.h>

#include "base/spawn.h"

#define NOTE "PIXMILL_WORKER_STARTED"

/* A worker for the tests: tells on its channel what it has, then waits for the channel to end. */
static char *const shell[] = {
    (char *)"sh", (char *)"-c",
    (char *)"{ echo \"$SECRET|$TZ|$HOME|$0\"; ls /proc/self/fd | tr '\\n' ' '; } >&3; read line <&3",
    (char *)"pixmill-worker", NULL};

static void hear(int sock, char *text, size_t size)
{
    size_t n = 0;
    /* One packet a line, and one of the list. */
    for (int i = 0; i < 2; i++) {
        ssize_t got = recv(sock, text + n, size - n - 1, 0);
        assert_true(got > 0);
        n += (size_t)got;
    }
    text[n] = '\0';
}

static int end_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_worker_inherits_little(void **state)
{
    (void)state;
    int sock = -1, spare = open("/dev/null", O_RDONLY);
    pid_t pid = 0;
    char text[300];
    assert_int_equal(setenv("SECRET", "s3cret", 1), 0);
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    assert_int_equal(pm_spawn_worker("/bin/sh", shell, &sock, &pid), 0);
    hear(sock, text, sizeof text);
    assert_non_null(strstr(text, "|UTC|/nonexistent|pixmill-worker\n"));
    assert_null(strstr(text, "s3cret"));
    assert_non_null(strstr(text, "\n0 1 2 3 ")); /* 4 is ls' own, of the folder it lists */
    assert_null(strstr(text, " 5 "));
    assert_int_equal(fcntl(sock, F_GETFD), FD_CLOEXEC);
    close(sock);
    assert_int_equal(end_of(pid), 1); /* `read` came to the end */
    close(spare);
}

static void what_cannot_start_ends(void **state)
{
    (void)state;
    int sock = -1;
    pid_t pid = 0;
    char byte;
    assert_int_equal(pm_spawn_worker("/nonexistent/worker", shell, &sock, &pid), 0);
    assert_int_equal(recv(sock, &byte, 1, 0), 0);
    assert_int_equal(end_of(pid), 127);
    close(sock);
}

static void one_worker_is_handed_over_once(void **state)
{
    (void)state;
    int sock = -1, taken = -1;
    pid_t pid = 0, same = 0;
    char text[300];
    assert_int_equal(pm_spawn_worker("/bin/sh", shell, &sock, &pid), 0);
    assert_int_equal(pm_spawn_hand_over(sock, pid), 0);
    assert_int_equal(fcntl(sock, F_GETFD), 0);
    assert_true(pm_spawn_take_over(&taken, &same));
    assert_int_equal(taken, sock);
    assert_int_equal(same, pid);
    assert_int_equal(fcntl(sock, F_GETFD), FD_CLOEXEC);
    assert_null(getenv(NOTE));
    assert_false(pm_spawn_take_over(&taken, &same));
    hear(sock, text, sizeof text);
    close(sock);
    end_of(pid);
}

static void refused(const char *note)
{
    int sock = -1;
    pid_t pid = 0;
    assert_int_equal(setenv(NOTE, note, 1), 0);
    assert_false(pm_spawn_take_over(&sock, &pid));
    assert_null(getenv(NOTE)); /* and not tried again */
    assert_int_equal(sock, -1);
}

/* Setting the variable does not decide what we talk to. */
static void only_a_living_child_is_taken_over(void **state)
{
    (void)state;
    static const char *const nonsense[] = {"", "x", "3", "-1:1", "999:1", "3:-7", "3:0"};
    char note[64];
    int pair[2], stream[2], file = open("/dev/null", O_RDONLY);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) refused(nonsense[i]);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(note, sizeof note, "%d:%d", file, (int)child);
    refused(note);
    snprintf(note, sizeof note, "%d:%d", stream[0], (int)child);
    refused(note);
    snprintf(note, sizeof note, "%d:1", pair[0]); /* not our child; the socket is closed with it */
    refused(note);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
    kill(child, SIGKILL);
    assert_int_equal(end_of(child), -SIGKILL);
    close(pair[1]);
    close(stream[0]);
    close(stream[1]);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_inherits_little),
        cmocka_unit_test(what_cannot_start_ends),
        cmocka_unit_test(one_worker_is_handed_over_once),
        cmocka_unit_test(only_a_living_child_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
