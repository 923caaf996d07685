/* SPDX-License-Identifier: Apache-2.0
 *
 * A stand-in for pixmill-worker whose children are hostile: a test's own program, started by the pool as the worker.
 * The pipeline's file name says what they do. Raw messages, so that none of our code checks what they send.
 */
#ifndef PM_TESTS_BROKER_STANDIN_H
#define PM_TESTS_BROKER_STANDIN_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"

enum { STANDIN_CHILDREN = 16, STANDIN_CHANNEL = 3 };

typedef struct StandinChild {
    int sock;
    const char *mode;
    unsigned jobs;
} StandinChild;

static void say(const StandinChild *child, PmMessageType type, json_t *body)
{
    if (pm_ipc_send(child->sock, type, body, NULL, 0, NULL) != PM_OK) _exit(0);
    json_decref(body);
}

static PmMessage hear(const StandinChild *child)
{
    PmMessage message = {0};
    bool got = false;
    while (!got)
        if (pm_ipc_receive(child->sock, 0, &message, &got, NULL) != PM_OK) _exit(0);
    return message;
}

static int hear_room(const StandinChild *child)
{
    PmMessage message = hear(child);
    int fd = message.type == PM_MSG_ROOM ? pm_message_take_fd(&message, 0) : -1;
    pm_message_finish(&message);
    if (fd < 0) _exit(9);
    return fd;
}

static json_t *rendition(const char *output, const char *format, json_int_t size)
{
    return json_pack("{ss ss si si si sI s{ss ss ss ss ss ss}}", "output", output, "format", format, "width", 8,
                     "height", 8, "pages", 1, "size", size, "facts", "look.score", "0.5", "look.hidden", "1", "key",
                     "../../etc", "shape", "square", "animated", "../../etc", "aspect", "1");
}

static void say_log(const StandinChild *child, size_t size)
{
    static char text[PM_IPC_PACKET_MAX];
    memset(text, 'x', size);
    text[size] = '\0';
    say(child, PM_MSG_LOG, json_pack("{si ss ss}", "level", 1, "plugin", "forged\nline", "text", text));
}

static void make(const StandinChild *child, const char *output, const char *format)
{
    say(child, PM_MSG_BEGINS, rendition(output, format, 0));
    int room = hear_room(child);
    if (write(room, "RIFF", 4) != 4) _exit(9);
    close(room);
    say(child, PM_MSG_OUTPUT, rendition(output, format, 4));
}

static void end_well(const StandinChild *child)
{
    say(child, PM_MSG_DONE,
        json_pack("{s{ss ss ss} s[{ss ss sf ss}{ss ss sf ss}] s{sI s{sI sI} sI}}", "facts", "look.score", "0.5",
                  "width", "120", "bucket", "forged", "verdicts", "step", "look", "decision", "pass", "score", 0.5,
                  "label", "ok", "step", "forged", "decision", "pass", "score", 0.5, "label", "ok", "timings",
                  "plan_ms", (json_int_t)1, "steps_us", "convert", (json_int_t)7, "forged key", (json_int_t)7,
                  "forged_ms", (json_int_t)1));
}

static void end_with(const StandinChild *child, PmStatus status, const char *rejected_as)
{
    PmError err = {0};
    pm_error_set(&err, status, "as the stand-in says");
    say(child, PM_MSG_DONE, json_pack("{so ss}", "error", pm_error_to_json(&err), "rejected_as", rejected_as));
}

/* A body in a room, as large as is believed once. */
static void say_much(const StandinChild *child, PmMessageType type, const char *output, size_t size)
{
    char *text = malloc(size);
    if (text == NULL) _exit(9);
    memset(text, ' ', size);
    int n = snprintf(text, size, "{\"output\":\"%s\",\"format\":\"webp\",\"width\":8,\"height\":8,\"pages\":1", output);
    text[n] = ' ';
    text[size - 1] = '}';
    say(child, PM_MSG_ROOM, json_object());
    int room = hear_room(child);
    if (write(room, text, size) != (ssize_t)size) _exit(9);
    close(room);
    free(text);
    say(child, type, json_pack("{sI}", "in_room", (json_int_t)size));
}

static void write_for(int64_t ms)
{
    static const char line[] = "a line on stderr that nobody asked for\n";
    for (int64_t end = pm_clock_mono_ms() + ms; pm_clock_mono_ms() < end;)
        if (write(STDERR_FILENO, line, sizeof line - 1) < 0 && errno != EAGAIN) _exit(9);
}

static void sleep_for_ever(void)
{
    for (;;) poll(NULL, 0, -1);
}

/* What is done with a job. */
static void misbehave(const StandinChild *child)
{
    const char *mode = child->mode;
    if (strcmp(mode, "talks-in-a-job") == 0) {
        for (;;) say_log(child, 30000);
    } else if (strcmp(mode, "lines") == 0) { /* as many as allowed: more a second than are shown */
        for (int i = 0; i < 100; i++) say_log(child, 20);
    } else if (strcmp(mode, "stderr") == 0) {
        write_for(2500);
    } else if (strcmp(mode, "named") == 0) {
        say_log(child, 20);
        if (write(STDERR_FILENO, "a whole line\nhalf a line", 24) != 24) _exit(9);
    } else if (strcmp(mode, "descriptor") == 0) {
        int fd = STDERR_FILENO;
        pm_ipc_send(child->sock, PM_MSG_LOG, NULL, &fd, 1, NULL);
        sleep_for_ever();
    } else if (strcmp(mode, "mapped") == 0) {
        say(child, PM_MSG_BEGINS, rendition("a", "webp", 0));
        int room = hear_room(child);
        char *page = ftruncate(room, 4096) == 0 ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, room, 0) : NULL;
        if (page == NULL) _exit(9);
        say(child, PM_MSG_OUTPUT, rendition("a", "webp", 4096));
        for (;;) page[0]++;
    } else if (strcmp(mode, "long") == 0) {
        say(child, PM_MSG_BEGINS, rendition("a", "webp", 0));
        if (ftruncate(hear_room(child), 5) != 0) _exit(9);
        say(child, PM_MSG_OUTPUT, rendition("a", "webp", 4));
        sleep_for_ever();
    } else if (strcmp(mode, "large") == 0) { /* sparse, so that the test needs no memory */
        static const char *const outputs[] = {"a", "b"};
        for (size_t i = 0; i < 2; i++) {
            say(child, PM_MSG_BEGINS, rendition(outputs[i], "webp", 0));
            if (ftruncate(hear_room(child), 200 << 20) != 0) _exit(9);
            say(child, PM_MSG_OUTPUT, rendition(outputs[i], "webp", 200 << 20));
        }
        sleep_for_ever();
    } else if (strcmp(mode, "long-line") == 0) {
        say_much(child, PM_MSG_LOG, "a", 100000);
        sleep_for_ever();
    } else if (strcmp(mode, "long-bodies") == 0) {
        say_much(child, PM_MSG_BEGINS, "a", 600000);
        close(hear_room(child));
        say_much(child, PM_MSG_BEGINS, "b", 600000);
        sleep_for_ever();
    } else if (strcmp(mode, "rooms") == 0) {
        for (int i = 0; i < 100000; i++) say(child, PM_MSG_ROOM, json_object());
    } else if (strcmp(mode, "html") == 0) {
        say(child, PM_MSG_BEGINS, rendition("a", "html", 0));
        sleep_for_ever();
    } else if (strcmp(mode, "skips") == 0) {
        say(child, PM_MSG_SKIPPED, json_pack("{ss ss}", "output", "a", "reason", "no reason"));
        sleep_for_ever();
    } else if (strcmp(mode, "sleeps") == 0) {
        sleep_for_ever();
    } else if (strcmp(mode, "stops") == 0) {
        raise(SIGSTOP);
        sleep_for_ever();
    }
}

static void do_job(StandinChild *child)
{
    const char *mode = child->mode;
    child->jobs++;
    if (strcmp(mode, "drops") == 0) {
        end_with(child, PM_REJECTED, "drop");
    } else if ((strcmp(mode, "tires") == 0 && child->jobs > 1) || strcmp(mode, "limit") == 0) {
        make(child, "a", "webp"); /* one is done, the next does not fit any more */
        end_with(child, PM_LIMIT, "quarantine");
    } else {
        misbehave(child);
        make(child, "a", "webp");
        make(child, "b", "jpeg");
        end_well(child);
    }
}

/* A second run asks for what is missing only. */
static void do_rest(const StandinChild *child, const json_t *outputs)
{
    for (size_t i = 0; i < json_array_size(outputs); i++)
        make(child, json_string_value(json_array_get(outputs, i)), "webp");
    if (strcmp(child->mode, "limit") == 0)
        end_with(child, PM_LIMIT, "quarantine");
    else
        end_well(child);
}

__attribute__((noreturn)) static void standin_child(int sock, int words, const char *mode)
{
    StandinChild child = {.sock = sock, .mode = mode};
    dup2(words, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(mode, "talks-while-idle") == 0)
        for (;;) say_log(&child, 30000);
    for (;;) {
        PmMessage message = hear(&child);
        const json_t *outputs = json_object_get(message.body, "outputs");
        if (message.type == PM_MSG_JOB && json_array_size(outputs) > 0)
            do_rest(&child, outputs);
        else if (message.type == PM_MSG_JOB)
            do_job(&child);
        pm_message_finish(&message);
    }
}

static void standin_spawn(int sock, const PmMessage *message, const char *mode, pid_t *children)
{
    json_int_t slot = json_integer_value(json_object_get(message->body, "worker"));
    pid_t pid = fork();
    if (pid == 0) {
        close(sock);
        standin_child(message->fds[0], message->fds[2], mode);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    children[slot] = pid;
    json_t *body = json_pack("{sI si}", "worker", slot, "pid", (int)pid);
    while (pm_ipc_send(sock, PM_MSG_SPAWNED, body, &pidfd, 1, NULL) != PM_OK) poll(NULL, 0, 20);
    json_decref(body);
    close(pidfd);
}

static void standin_reap(int sock, pid_t *children)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int i = 0; i < STANDIN_CHILDREN; i++) {
            if (children[i] != pid) continue;
            children[i] = 0;
            json_t *body = json_pack("{si si si si}", "worker", i, "pid", (int)pid, "code",
                                     WIFEXITED(status) ? WEXITSTATUS(status) : 0, "signal",
                                     WIFSIGNALED(status) ? WTERMSIG(status) : 0);
            pm_ipc_send(sock, PM_MSG_EXITED, body, NULL, 0, NULL);
            json_decref(body);
        }
}

enum { STANDIN_STRIKES = 7, STANDIN_WEAK = 2 };

/* Whether to fail now, as if from outside: once after it was ready, and then again and again before it is. The file
 * counts for all starts. */
static bool standin_strikes(bool ready, int most)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/tmp/pixmill-standin-%d", (int)getppid());
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &info) != 0) _exit(1);
    bool strikes = info.st_size < most && (info.st_size > 0 || ready);
    if (strikes && write(fd, "x", 1) != 1) _exit(1);
    close(fd);
    return strikes;
}

static void standin_ready(const char *mode)
{
    if (strcmp(mode, "killed-while-starting") == 0 && standin_strikes(false, STANDIN_STRIKES)) kill(getpid(), SIGKILL);
    if (strcmp(mode, "helper-killed") == 0 && standin_strikes(false, STANDIN_STRIKES)) {
        json_t *errors = json_pack("{s[{ss ss}]}", "errors", "status", "transient", "message", "its helper is gone");
        pm_ipc_send(STANDIN_CHANNEL, PM_MSG_ERRORS, errors, NULL, 0, NULL);
        json_decref(errors);
        _exit(0);
    }
    bool weak = strcmp(mode, "weaker") == 0 && standin_strikes(false, 1 + STANDIN_WEAK);
    json_t *ready = json_pack("{s[{ss s[s]}] s[s] s{ss}}", "plugins", "name", "convert", "mime_types",
                              strcmp(mode, "declares-html") == 0 ? "text/html" : "image/webp", "facts", "look.score",
                              "sandbox", "tier", weak ? "T1" : "T3");
    pm_ipc_send(STANDIN_CHANNEL, PM_MSG_READY, ready, NULL, 0, NULL);
    json_decref(ready);
}

/* The stand-in's main. */
static int standin_run(void)
{
    char mode[64] = "";
    pid_t children[STANDIN_CHILDREN] = {0};
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        PmMessage message = {0};
        bool got = false;
        struct pollfd wait = {.fd = STANDIN_CHANNEL, .events = POLLIN};
        poll(&wait, 1, 10);
        standin_reap(STANDIN_CHANNEL, children);
        if (pm_ipc_receive(STANDIN_CHANNEL, MSG_DONTWAIT, &message, &got, NULL) != PM_OK) return 0;
        if (got && message.type == PM_MSG_LOAD) {
            snprintf(mode, sizeof mode, "%s", json_string_value(json_object_get(message.body, "file")));
            standin_ready(mode);
        } else if (got && message.type == PM_MSG_SPAWN) {
            bool strikes = strcmp(mode, "killed-while-starting") == 0 || strcmp(mode, "helper-killed") == 0 ||
                           strcmp(mode, "weaker") == 0;
            if (strikes && standin_strikes(true, 1)) kill(getpid(), SIGKILL);
            standin_spawn(STANDIN_CHANNEL, &message, mode, children);
        }
        pm_message_finish(&message);
    }
}

#endif
