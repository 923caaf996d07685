/* SPDX-License-Identifier: Apache-2.0
 *
 * A broker of a few lines that drives the real pixmill-worker: what the tests of core/worker share.
 */
#ifndef TESTS_WORKER_DRIVER_H
#define TESTS_WORKER_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ipc.h"

#define WORKER_PATH PM_BUILD_DIR "/bin/pixmill-worker"

enum { PATIENCE_S = 40, OUTPUTS_KEPT = 8 };

typedef struct Worker {
    int sock;
    pid_t pid;
    json_t *exits; /* EXITED bodies not yet asked for */
} Worker;

typedef struct Child {
    int sock, pidfd, slot;
    pid_t pid;
    PmProgress *progress;
} Child;

/* What became of a job. */
typedef struct Outcome {
    bool done;    /* DONE came; false: the child is gone */
    json_t *body; /* of DONE */
    json_t *outputs[OUTPUTS_KEPT];
    size_t output_count, skipped, log_lines, bytes;
} Outcome;

static void be_patient(int sock)
{
    struct timeval limit = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
}

static Worker worker_start(void)
{
    int pair[2];
    assert_int_equal(pm_ipc_pair(pair, NULL), PM_OK);
    be_patient(pair[0]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (pair[1] == 3)
            fcntl(3, F_SETFD, 0);
        else
            dup2(pair[1], 3);
        char *const args[] = {(char *)WORKER_PATH, (char *)"--fd", (char *)"3", NULL};
        char *const env[] = {(char *)"ASAN_OPTIONS=detect_leaks=0:handle_segv=0", NULL};
        execve(WORKER_PATH, args, env);
        _exit(127);
    }
    close(pair[1]);
    return (Worker){.sock = pair[0], .pid = pid, .exits = json_array()};
}

/* Ends it by closing the channel; it must end well by itself. */
static void worker_stop(Worker *worker)
{
    close(worker->sock);
    int status = -1;
    assert_int_equal(waitpid(worker->pid, &status, 0), worker->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    json_decref(worker->exits);
}

static void worker_send(const Worker *worker, PmMessageType type, json_t *body, const int *fds, size_t count)
{
    PmError err = {0};
    if (pm_ipc_send(worker->sock, type, body, fds, count, &err) != PM_OK) fail_msg("%s", err.message);
    json_decref(body);
}

/* The next message that is not LOG; *body is new. */
static PmMessageType worker_next(const Worker *worker, json_t **body, int *fd)
{
    for (;;) {
        PmMessage message;
        PmError err = {0};
        bool got = false;
        if (pm_ipc_receive(worker->sock, 0, &message, &got, &err) != PM_OK) fail_msg("worker: %s", err.message);
        if (!got) fail_msg("the worker says nothing for %d s", PATIENCE_S);
        PmMessageType type = message.type;
        *body = json_incref(message.body);
        if (fd != NULL) *fd = pm_message_take_fd(&message, 0);
        pm_message_finish(&message);
        if (type != PM_MSG_LOG) return type;
        print_message("    log: %s\n", json_string_value(json_object_get(*body, "text")));
        json_decref(*body);
    }
}

/* The answer; EXITED in between is kept for worker_wait. */
static PmMessageType worker_answer(Worker *worker, json_t **body, int *fd)
{
    for (;;) {
        PmMessageType type = worker_next(worker, body, fd);
        if (type != PM_MSG_EXITED) return type;
        json_array_append_new(worker->exits, *body);
    }
}

/* READY or ERRORS. */
static PmMessageType worker_load(Worker *worker, const char *yaml, json_t **body)
{
    int text = pm_memfd_new("pipeline", yaml, strlen(yaml), NULL);
    assert_true(text >= 0);
    worker_send(worker, PM_MSG_LOAD,
                json_pack("{ss ss s{ss} s[ss] sb}", "file", "test.yaml", "dir", "/tmp", "env", "WIDTH", "120",
                          "plugin_dirs", PM_BUILD_DIR "/plugins", PM_BUILD_DIR "/test-plugins", "check", 0),
                &text, 1);
    close(text);
    return worker_answer(worker, body, NULL);
}

/* A worker that has the pipeline loaded. */
static Worker worker_ready(const char *yaml)
{
    Worker worker = worker_start();
    json_t *body = NULL;
    PmMessageType type = worker_load(&worker, yaml, &body);
    if (type != PM_MSG_READY) {
        char *text = json_dumps(body, 0);
        fail_msg("%s: %s", pm_message_name(type), text);
    }
    json_decref(body);
    return worker;
}

static Child child_spawn(Worker *worker, int slot)
{
    Child child = {.slot = slot};
    int pair[2];
    assert_int_equal(pm_ipc_pair(pair, NULL), PM_OK);
    be_patient(pair[0]);
    int page = pm_progress_new(&child.progress, NULL);
    assert_true(page >= 0);
    const int fds[] = {pair[1], page};
    worker_send(worker, PM_MSG_SPAWN, json_pack("{si}", "worker", slot), fds, 2);
    close(pair[1]);
    close(page);
    json_t *body = NULL;
    child.pidfd = -1;
    assert_int_equal(worker_answer(worker, &body, &child.pidfd), PM_MSG_SPAWNED);
    assert_int_equal(json_integer_value(json_object_get(body, "worker")), slot);
    assert_true(child.pidfd >= 0);
    child.sock = pair[0];
    child.pid = (pid_t)json_integer_value(json_object_get(body, "pid"));
    json_decref(body);
    return child;
}

static void child_close(Child *child)
{
    close(child->sock);
    close(child->pidfd);
    pm_progress_unmap(child->progress);
}

/* EXITED of the child; new. */
static json_t *worker_wait(Worker *worker, const Child *child)
{
    for (;;) {
        size_t i;
        json_t *body;
        json_array_foreach(worker->exits, i, body)
        {
            if (json_integer_value(json_object_get(body, "worker")) != child->slot) continue;
            json_incref(body);
            json_array_remove(worker->exits, i);
            return body;
        }
        assert_int_equal(worker_next(worker, &body, NULL), PM_MSG_EXITED);
        json_array_append_new(worker->exits, body);
    }
}

static void child_send_job(const Child *child, int source, const char *key, int wall_ms)
{
    json_t *body =
        json_pack("{s{ss ss} si si}", "facts", "key", key, "stem", "a \xe4\xbd\xa0", "wall_ms", wall_ms, "attempt", 1);
    PmError err = {0};
    if (pm_ipc_send(child->sock, PM_MSG_JOB, body, &source, 1, &err) != PM_OK) fail_msg("%s", err.message);
    json_decref(body);
}

static Outcome child_collect(const Child *child)
{
    Outcome outcome = {0};
    int room = -1; /* that the child may be writing to */
    while (!outcome.done) {
        PmMessage message;
        PmError err = {0};
        bool got = false;
        PmStatus status = pm_ipc_receive(child->sock, 0, &message, &got, &err);
        if (status == PM_TRANSIENT) break; /* gone */
        if (status != PM_OK) fail_msg("child: %s", err.message);
        if (!got) fail_msg("the child says nothing for %d s", PATIENCE_S);
        assert_int_equal(message.fd_count, 0); /* a child sends none */
        if (message.type == PM_MSG_BEGINS && room < 0) {
            json_t *purpose = json_pack("{ss}", "for", "output");
            room = pm_memfd_open("room", NULL);
            assert_int_equal(pm_ipc_send(child->sock, PM_MSG_ROOM, purpose, &room, 1, NULL), PM_OK);
            json_decref(purpose);
        }
        if (message.type == PM_MSG_OUTPUT && outcome.output_count < OUTPUTS_KEPT) {
            PmMapping map;
            size_t size = (size_t)json_integer_value(json_object_get(message.body, "size"));
            assert_int_equal(pm_memfd_take(room, size, &map, &err), PM_OK);
            close(room);
            room = -1;
            outcome.bytes += map.size;
            pm_memfd_unmap(&map);
            outcome.outputs[outcome.output_count++] = json_incref(message.body);
        }
        outcome.skipped += message.type == PM_MSG_SKIPPED;
        if (message.type == PM_MSG_LOG) {
            outcome.log_lines++;
            print_message("    log: %s\n", json_string_value(json_object_get(message.body, "text")));
        }
        if (message.type == PM_MSG_DONE) {
            outcome.done = true;
            outcome.body = json_incref(message.body);
        }
        pm_message_finish(&message);
    }
    if (room >= 0) close(room);
    return outcome;
}

static Outcome child_run(const Child *child, int source, const char *key)
{
    child_send_job(child, source, key, 0);
    return child_collect(child);
}

static void outcome_finish(Outcome *outcome)
{
    json_decref(outcome->body);
    for (size_t i = 0; i < outcome->output_count; i++) json_decref(outcome->outputs[i]);
    *outcome = (Outcome){0};
}

static const char *outcome_status(const Outcome *outcome)
{
    if (!outcome->done) return "gone";
    const char *status = json_string_value(json_object_get(json_object_get(outcome->body, "error"), "status"));
    return status != NULL ? status : "ok";
}

#endif
