/* SPDX-License-Identifier: Apache-2.0
 *
 * What broker and worker say to each other: one SOCK_SEQPACKET message is a fixed header, a JSON body and
 * descriptors (sealed memfds, sockets). Hides framing: a body too large for a packet travels in a memfd.
 * The reader treats the writer as an attacker: every size, count and seal is checked here.
 */
/* clang-format off */
/*
 * Control channel, broker <-> zygote. The zygote answers each request in turn; EXITED comes at any time.
 *   LOAD      -> {file, dir, env: {NAME: value}, plugin_dirs: [..], check: bool, fetch: bool}   fds: [pipeline text,
 *                                                        progress memfd or none]
 *                                                        `check`: only validated, never to SPAWN
 *                                                        `fetch`: FETCH will be carried out; plugins are told so
 *                                                        `jobs_per_child`: number; after so many a child is ended
 *   READY     <- {plugins: [{name, version, file, mime_types: [..]}], facts: ["nsfw-hook.score", ..], digest, vips,
 *                 endpoints: [{url, param, where, line, column}..]           that calls are to be signed to
 *                 formats: {"jpeg": {load: true, save: true}, ..}, sandbox: {tier, missing: [text..]},
 *                 warnings: [error..]}
 *   ERRORS    <- {errors: [error..]}                     after any request; the zygote then ends
 *   DESCRIBE  -> {plugin_dirs: [..], names: [..] or absent}
 *   DESCRIBED <- {plugins: [description..], errors: [error..]}
 *   CHECK     -> {path, params: YAML or absent}          plugin check
 *   CHECKED   <- {checks: [{name, ok, message}..]}
 *   SPAWN     -> {worker}                                fds: [child's socket, progress memfd, then none, or
 *                                                        its stdout and stderr, and a reader of the same]
 *   SPAWNED   <- {worker, pid} or {worker, error}        fds: [pidfd], none with `error`
 *   EXITED    <- {worker, pid, code, signal, cpu_ms, max_rss_kb}         signal 0: it exited with code
 *   LOG       <- {level: 0..3, plugin or absent, step or absent, text}          of the zygote, and of create()
 *
 * Job channel, broker <-> child. One job at a time; a child whose channel is closed ends with code 0. A child sends no
 * descriptors: what is too large for a packet it writes into a memory file that the broker has made ("room"), and the
 * broker seals its own descriptor of it before it looks. A child that speaks without a job is ended.
 *   JOB       -> {facts: {..}, outputs: [..] or absent, wall_ms, attempt}       fds: [sealed source]
 *   BEGINS    <- {output, format, width, height, pages, facts: {..}}            before its pixels are computed
 *   ROOM      -> {for: "output"}                                                fds: [memfd to write to]
 *                                                        answers BEGINS, unless the last one is still unused; the
 *                                                        next output's may come after OUTPUT
 *   OUTPUT    <- {output, format, width, height, pages, size, source: bool, facts: {..}}
 *                                                        `size` bytes are in the room; none with `source`
 *   SKIPPED   <- {output, reason}                        its `when` did not match
 *   LOG       <- {level: 0..3, plugin or absent, step or absent, text}
 *   ROOM      <- {}                                      for a request's or a message's body; one at a time
 *   ROOM      -> {for: "body"}                                                  fds: [memfd to write to]
 *   FETCH     <- {url, method, content_type or absent, timeout_ms, size}        `size` bytes are in the room
 *   FETCHED   -> {status, content_type or absent} or {error}                    fds: [sealed body] or none
 *   DONE      <- {error or absent, rejected_as: "quarantine" | "drop" (with status rejected), facts: {..},
 *                 verdicts: [{step, decision, score, label, consequence}..], warnings: [error..],
 *                 timings: {plan_ms, decode_ms, run_ms, cpu_ms, steps_us: {step: us}}}
 *   PLAN      -> {facts or absent, outputs or absent, format, width, height}    fds: [sealed source] or none
 *   PLANNED   <- {plan: {..}} or {error}
 *   any       <- {in_room: size}                         its body is that much JSON in the room
 */
/* clang-format on */
#ifndef PM_BASE_IPC_H
#define PM_BASE_IPC_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

typedef enum PmMessageType {
    PM_MSG_LOAD = 1,
    PM_MSG_READY,
    PM_MSG_ERRORS,
    PM_MSG_DESCRIBE,
    PM_MSG_DESCRIBED,
    PM_MSG_CHECK,
    PM_MSG_CHECKED,
    PM_MSG_SPAWN,
    PM_MSG_SPAWNED,
    PM_MSG_EXITED,
    PM_MSG_JOB,
    PM_MSG_BEGINS,
    PM_MSG_OUTPUT,
    PM_MSG_SKIPPED,
    PM_MSG_FETCH,
    PM_MSG_FETCHED,
    PM_MSG_DONE,
    PM_MSG_PLAN,
    PM_MSG_PLANNED,
    PM_MSG_LOG,
    PM_MSG_ROOM,
    PM_MSG_TYPES
} PmMessageType;

enum {
    PM_IPC_FDS_MAX = 4,
    PM_IPC_PACKET_MAX = 32 * 1024,    /* bytes of a body that travels in the packet */
    PM_IPC_BODY_MAX = 4 * 1024 * 1024 /* bytes of any body */
};

typedef struct PmMessage {
    PmMessageType type;
    json_t *body;                /* owned; an object, never NULL after a receive */
    int fds[PM_IPC_FDS_MAX + 1]; /* owned, CLOEXEC; -1: taken out. (One more: the body's, while receiving.) */
    size_t fd_count;
} PmMessage;

/* Sends; body is borrowed (NULL: {}), fds stay the caller's. PM_TRANSIENT: the other end is gone, or on a
 * non-blocking socket does not read. PM_LIMIT: the body is too large. Never raises SIGPIPE. */
PmStatus pm_ipc_send(int sock, PmMessageType type, const json_t *body, const int *fds, size_t fd_count, PmError *err);

/* The same without a word to *err where the kernel has too many descriptors of this user's on their way, be it through
 * another program's fault: *crowded, nothing was sent, and it may be tried again. */
PmStatus pm_ipc_try_send(int sock, PmMessageType type, const json_t *body, const int *fds, size_t fd_count,
                         bool *crowded, PmError *err);

/* A body that is JSON text already, at most PM_IPC_PACKET_MAX bytes (PM_LIMIT), without descriptors. */
PmStatus pm_ipc_send_text(int sock, PmMessageType type, const char *text, size_t size, PmError *err);

/* Receives one message, blocking unless the socket or `flags` (MSG_DONTWAIT) says otherwise.
 * *got is false when nothing was there (EAGAIN). PM_TRANSIENT: the other end is gone (err->message says
 * how). PM_BUG: it broke the protocol. On failure nothing is left open and *message is empty. */
PmStatus pm_ipc_receive(int sock, int flags, PmMessage *message, bool *got, PmError *err);

/* The same from a sender that may send neither descriptors nor a body outside the packet: PM_BUG when it does. */
PmStatus pm_ipc_receive_plain(int sock, int flags, PmMessage *message, bool *got, PmError *err);

/* Closes the descriptors that were not taken, frees the body. An empty message (zeroed) is fine. */
void pm_message_finish(PmMessage *message);

/* Takes the i-th descriptor out of the message: the caller closes it. -1 when there is none. */
int pm_message_take_fd(PmMessage *message, size_t i);

/* "JOB": for error messages. */
const char *pm_message_name(PmMessageType type);

/* A pair of connected SOCK_SEQPACKET sockets, CLOEXEC. */
PmStatus pm_ipc_pair(int pair[2], PmError *err);

/* --- bytes in sealed memfds --- */

/* New memfd holding a copy of bytes, sealed, CLOEXEC, its offset at 0; -1 and err set on failure. */
int pm_memfd_new(const char *name, const void *bytes, size_t size, PmError *err);

/* New empty memfd to write to; seal it with pm_memfd_seal when complete (against any change, for good). */
int pm_memfd_open(const char *name, PmError *err);
PmStatus pm_memfd_seal(int fd, PmError *err);
/* Makes an empty memfd, ours or a room, hold just these bytes. PM_TRANSIENT: there is no memory for them. */
PmStatus pm_memfd_write(int fd, const void *bytes, size_t size, PmError *err);

typedef struct PmMapping {
    const void *bytes; /* NULL when size is 0 */
    size_t size;
} PmMapping;

/* Maps a memfd received from the other side: it must be sealed against writing and shrinking, else a
 * change under our feet could fault us (PM_BUG), and not larger than max bytes (PM_LIMIT). */
PmStatus pm_memfd_map(int fd, size_t max, PmMapping *out, PmError *err);
void pm_memfd_unmap(PmMapping *mapping);

/* Ends the writing of a room, which another process can still write to, and maps it: seals it and checks that `size`
 * bytes are in it. PM_BUG: they are not, or the other side stands in the way (it keeps the file mapped, or has sealed
 * it). Afterwards no descriptor and no mapping anywhere can change them. PM_LIMIT: they cannot be mapped. */
PmStatus pm_memfd_take(int fd, size_t size, PmMapping *out, PmError *err);

/* --- progress: a page shared by a child and the broker that says where the child is --- */

typedef struct PmProgress {
    char plugin[48];       /* the plugin whose code is at work, "" between steps */
    char step[96];         /* "steps[0]", "outputs.thumb.steps[1]", "load", "encode" */
    char fault_plugin[48]; /* the plugin in whose code a fatal signal struck, or "" */
    char refused_call[24]; /* the system call for which the fatal signal was SIGSYS, or "" */
    int32_t line;          /* of the step in the pipeline file */
    int32_t out_of_memory; /* not 0: when the fatal signal struck, the address space was used up (PM_LIMIT, no bug) */
} PmProgress;

/* New memfd of sizeof(PmProgress), zeroed, sealed against resizing; mapped into *out. */
int pm_progress_new(PmProgress **out, PmError *err);
/* Maps the one received; NULL when it is not one. */
PmProgress *pm_progress_map(int fd);
void pm_progress_unmap(PmProgress *progress);
/* Copies the page out, every string NUL-terminated whatever the child wrote. */
PmProgress pm_progress_read(const PmProgress *progress);

#endif
