/* SPDX-License-Identifier: Apache-2.0
 *
 * One place of the pool: a child, the job it is at, its deadline. Used by pool.c alone. slot.c is the child's life,
 * slot_messages.c what it says, slot_end.c what its end means for the job.
 */
#ifndef PM_WORKERS_SLOT_H
#define PM_WORKERS_SLOT_H

#include "workers/child_stderr.h"
#include "workers/fetch.h"
#include "workers/outbox.h"
#include "workers/overdue.h"
#include "workers/pool.h"

typedef enum PmSlotState {
    PM_SLOT_EMPTY,    /* no child */
    PM_SLOT_STARTING, /* asked for; its socket is ours already */
    PM_SLOT_IDLE,
    PM_SLOT_BUSY,
    PM_SLOT_ENDING /* told to end or killed, EXITED not yet told */
} PmSlotState;

typedef enum PmSlotOutput { PM_OUTPUT_OPEN, PM_OUTPUT_BEGUN, PM_OUTPUT_UNWANTED, PM_OUTPUT_TOLD } PmSlotOutput;

enum { PM_SLOT_ROOM_OUTPUT, PM_SLOT_ROOM_BODY, PM_SLOT_ROOMS };

typedef struct PmSlot {
    PmPool *pool;
    PmSlotState state;
    int sock, pidfd, memory; /* memory: for pm_usage_mapped_bytes */
    pid_t pid;
    PmWatch *watch;
    PmOutbox outbox;
    int rooms[PM_SLOT_ROOMS]; /* memory files that the child may be writing to; -1: none */
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
    PmSlotOutput *outputs; /* owned; by the pipeline's index */
    bool *begun;           /* owned; likewise: told to the sink */
    size_t messages, lines;
    int64_t made_bytes; /* of renditions */
    int64_t said_bytes; /* of bodies in rooms */
    PmError violation;  /* what it did against the protocol */
} PmSlot;

bool pm_slot_init(PmSlot *slot, PmPool *pool); /* false: out of memory */
void pm_slot_finish(PmSlot *slot);
bool pm_slot_is_idle(const PmSlot *slot);

void pm_slot_start(PmSlot *slot); /* asks for a child, until there is one */
/* Prepares for one: returns its end of a pipe for stderr, which the caller closes; -1 on failure. Takes the page. */
int pm_slot_prepare(PmSlot *slot, PmProgress *progress, PmError *err);
void pm_slot_unprepare(PmSlot *slot);
void pm_slot_open(PmSlot *slot, int sock); /* takes it */
void pm_slot_spawned(PmSlot *slot, PmMessage *message);
void pm_slot_exited(PmSlot *slot, const json_t *body);
void pm_slot_lost(PmSlot *slot); /* the zygote is gone, and the child with it */

PmStatus pm_slot_run(PmSlot *slot, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err);
PmStatus pm_slot_plan(PmSlot *slot, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data,
                      PmError *err);
void pm_slot_abandon(PmSlot *slot);

/* --- between the files of a slot --- */

/* slot.c */
void pm_slot_retire(PmSlot *slot); /* the child is of no use any more: it goes, or is helped */
void pm_slot_kill(PmSlot *slot);   /* EXITED follows, and ends the job */
void pm_slot_break(PmSlot *slot, const char *fmt, ...) PM_PRINTF(2, 3); /* it broke the protocol */
void pm_slot_end_job(PmSlot *slot, const PmPoolReport *report, const json_t *plan);
void pm_slot_after_job(PmSlot *slot);                     /* the child has done one: another, or its end */
bool pm_slot_once_more(PmSlot *slot, const PmError *err); /* true: it will be done again, by a new child */
void pm_slot_done(PmSlot *slot, const PmPoolReport *report, const json_t *plan); /* both, or once more */

/* slot_messages.c */
void pm_slot_on_child(void *data, int fd, unsigned events); /* one packet */

/* slot_end.c */
void pm_slot_on_deadline(void *data);
void pm_slot_report_death(PmSlot *slot, int code, int signo);

/* --- what a slot needs of its pool --- */

PmLoop *pm_pool_loop(const PmPool *pool);
const PmPipeline *pm_pool_pipeline(const PmPool *pool);
bool pm_pool_spawn(PmPool *pool, PmSlot *slot);
void pm_pool_tell_idle(PmPool *pool);
bool pm_pool_is_ready(const PmPool *pool);
PmFetcher *pm_pool_fetcher(PmPool *pool, PmError *err); /* made when first asked for */
void pm_pool_give_up(PmPool *pool, const PmError *err); /* no child can be had, now or later: final */
void pm_pool_restart(PmPool *pool, const char *why);    /* the zygote is of no use any more */
PmLogGate *pm_pool_log_gate(PmPool *pool);
const json_t *pm_pool_declared(const PmPool *pool); /* facts of steps, see said.h */
void pm_pool_tell_crowded(PmPool *pool);

#endif
