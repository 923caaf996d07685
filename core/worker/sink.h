/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's sink in a child: renditions, log lines and fetches as messages to the broker.
 */
#ifndef PM_WORKER_SINK_H
#define PM_WORKER_SINK_H

#include <pthread.h>

#include "engine/engine.h"

enum { PM_SINK_BODIES_MAX = 32, PM_SINK_LOG_LINES_MAX = 100, PM_SINK_BODY_MAX = 16 * 1024 * 1024 };

typedef struct PmWorkerSink {
    int sock;                         /* borrowed */
    void *bodies[PM_SINK_BODIES_MAX]; /* responses lent to plugins until the job ends; owned */
    char *types[PM_SINK_BODIES_MAX];
    size_t body_count;
    size_t log_lines;     /* of this job; beyond PM_SINK_LOG_LINES_MAX they are dropped */
    pthread_mutex_t lock; /* libraries log on threads of their own */
} PmWorkerSink;

void pm_worker_sink_init(PmWorkerSink *sink, int sock);

/* The engine's view of it; borrows `sink`. */
PmSink pm_worker_sink_for_engine(PmWorkerSink *sink);

/* Sends a log line; `plugin` may be NULL. On any thread. */
void pm_worker_sink_log(PmWorkerSink *sink, int level, const char *plugin, const char *text);

/* Frees what was lent to plugins. */
void pm_worker_sink_end_job(PmWorkerSink *sink);

#endif
