/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's sink in a child: renditions, log lines and fetches as messages to the broker.
 */
#ifndef PM_WORKER_SINK_H
#define PM_WORKER_SINK_H

#include <pthread.h>

#include "engine/engine.h"
#include "worker/channel.h"

enum { PM_SINK_BODIES_MAX = 32, PM_SINK_LOG_LINES_MAX = 100, PM_SINK_BODY_MAX = 16 * 1024 * 1024 };

typedef struct PmWorkerSink {
    PmChannel channel;
    void *bodies[PM_SINK_BODIES_MAX]; /* responses lent to plugins until the job ends; owned */
    char *types[PM_SINK_BODIES_MAX];
    size_t body_count;
    bool in_job;          /* between the two calls below: the broker ends a child that speaks at any other time */
    size_t log_lines;     /* of this job; beyond PM_SINK_LOG_LINES_MAX they are dropped */
    pthread_mutex_t lock; /* libraries log on threads of their own; held while a line is sent */
} PmWorkerSink;

void pm_worker_sink_init(PmWorkerSink *sink, int sock);

/* A job has come; and: its last message is to be sent, so no log line of any thread goes out any more. */
void pm_worker_sink_begin_job(PmWorkerSink *sink);
void pm_worker_sink_hush(PmWorkerSink *sink);

/* The engine's view of it; borrows `sink`. */
PmSink pm_worker_sink_for_engine(PmWorkerSink *sink);

/* Sends a log line; `plugin` and `step` may be NULL. On any thread. Nothing outside a job. */
void pm_worker_sink_log(PmWorkerSink *sink, int level, const char *plugin, const char *step, const char *text);

/* Frees what was lent to plugins. */
void pm_worker_sink_end_job(PmWorkerSink *sink);

#endif
