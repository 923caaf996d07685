/* SPDX-License-Identifier: Apache-2.0
 *
 * One worker of the pool: its child process, the job at hand, its deadline. Used by pool.c alone. worker.c is the
 * child's life, worker_messages.c what it says, worker_end.c what its end means for the job.
 */
#ifndef PM_WORKERS_WORKER_H
#define PM_WORKERS_WORKER_H

#include "workers/child_stderr.h"
#include "workers/fetch.h"
#include "workers/outbox.h"
#include "workers/overdue.h"
#include "workers/pool.h"

typedef enum PmWorkerState {
    PM_WORKER_EMPTY,    /* no child */
    PM_WORKER_STARTING, /* asked for; its socket is ours already */
    PM_WORKER_IDLE,
    PM_WORKER_BUSY,
    PM_WORKER_ENDING /* asked to end, or killed, EXITED not yet reported */
} PmWorkerState;

typedef enum PmWorkerOutput { PM_OUTPUT_OPEN, PM_OUTPUT_BEGUN, PM_OUTPUT_UNWANTED, PM_OUTPUT_REPORTED } PmWorkerOutput;

enum { PM_WORKER_ROOM_OUTPUT, PM_WORKER_ROOM_BODY, PM_WORKER_ROOMS };

typedef struct PmWorker {
    PmPool *pool;
    PmWorkerState state;
    int sock, pidfd, memory; /* memory: for pm_usage_mapped_bytes */
    pid_t pid;
    PmWatch *watch;
    PmOutbox outbox;
    int rooms[PM_WORKER_ROOMS]; /* memory files that the child may be writing to; -1: none */
    PmChildStderr words;
    PmLogShare log;
    PmProgress *progress;
    int64_t born_bytes; /* address space before its first job; -1: unknown */
    int64_t jobs;       /* done by this child */
    PmTimer *grace;     /* a new attempt to start one, or the patience with one that ends */
    bool gone;          /* its process has ended; what it still said is being heard */
    /* the job at hand */
    bool has_job;
    PmPoolJobSink sink;
    PmPoolPlanned *planned;
    void *planned_data;
    PmMessageType request_type;
    json_t *request; /* owned, as the next: it may be done once more */
    int source_fd;
    int attempt;
    PmJobNames names; /* empty between jobs */
    bool wants_fresh; /* waits for a new child, to be done once more */
    bool again;       /* it is the second time */
    PmTimer *deadline;
    int64_t due_ms, cpu_ms_before, wanted_ms_before;
    PmOverdue overdue;
    PmOverdueFacts overdue_facts;
    PmFetch *fetching; /* the child waits for it */
    int64_t fetching_since_ms, fetched_ms;
    PmWorkerOutput *outputs; /* owned; by the pipeline's index */
    bool *begun;             /* owned; likewise: reported to the sink */
    size_t messages, lines;
    int64_t made_bytes; /* of renditions */
    int64_t said_bytes; /* of bodies in rooms */
    PmError violation;  /* what it did against the protocol */
} PmWorker;

bool pm_worker_init(PmWorker *worker, PmPool *pool); /* false: out of memory */
void pm_worker_finish(PmWorker *worker);
bool pm_worker_is_idle(const PmWorker *worker);

void pm_worker_start(PmWorker *worker); /* asks for a child, until there is one */
/* Prepares for one: returns its end of a pipe for stderr, which the caller closes; -1 on failure. Takes the page. */
int pm_worker_prepare(PmWorker *worker, PmProgress *progress, PmError *err);
void pm_worker_unprepare(PmWorker *worker);
void pm_worker_open(PmWorker *worker, int sock); /* takes it */
void pm_worker_spawned(PmWorker *worker, PmMessage *message);
void pm_worker_exited(PmWorker *worker, const json_t *body);
void pm_worker_lost(PmWorker *worker); /* the zygote is gone, and the child with it */

PmStatus pm_worker_run(PmWorker *worker, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err);
PmStatus pm_worker_plan(PmWorker *worker, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data,
                        PmError *err);
void pm_worker_abandon(PmWorker *worker);

/* --- between the files of a worker --- */

/* worker.c */
void pm_worker_retire(PmWorker *worker); /* the child is of no use any more: it goes, or is helped */
void pm_worker_kill(PmWorker *worker);   /* EXITED follows, and ends the job */
void pm_worker_break(PmWorker *worker, const char *fmt, ...) PM_PRINTF(2, 3); /* it broke the protocol */
void pm_worker_end_job(PmWorker *worker, const PmPoolReport *report, const json_t *plan);
void pm_worker_after_job(PmWorker *worker);                     /* the child has done one: another, or its end */
bool pm_worker_once_more(PmWorker *worker, const PmError *err); /* true: it will be done again, by a new child */
void pm_worker_done(PmWorker *worker, const PmPoolReport *report, const json_t *plan); /* both, or once more */

/* worker_messages.c */
void pm_worker_on_child(void *data, int fd, unsigned events); /* one packet */

/* worker_end.c */
void pm_worker_on_deadline(void *data);
void pm_worker_report_death(PmWorker *worker, int code, int signo);

/* --- what a worker needs of its pool --- */

PmLoop *pm_pool_loop(const PmPool *pool);
const PmPipeline *pm_pool_pipeline(const PmPool *pool);
bool pm_pool_spawn(PmPool *pool, PmWorker *worker);
void pm_pool_tell_idle(PmPool *pool);
bool pm_pool_is_ready(const PmPool *pool);
PmFetcher *pm_pool_fetcher(PmPool *pool, PmError *err); /* made when first asked for */
void pm_pool_give_up(PmPool *pool, const PmError *err); /* no child can be had, now or later: final */
void pm_pool_restart(PmPool *pool, const char *why);    /* the zygote is of no use any more */
PmLogGate *pm_pool_log_gate(PmPool *pool);
const json_t *pm_pool_declared(const PmPool *pool); /* facts of steps, see said.h */
const json_t *pm_pool_endpoints(const PmPool *pool);
void pm_pool_tell_crowded(PmPool *pool);

#endif
