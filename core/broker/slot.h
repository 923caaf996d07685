/* SPDX-License-Identifier: Apache-2.0
 *
 * One place of the pool: a child, the job it is at, its deadline. Used by pool.c alone.
 */
#ifndef PM_BROKER_SLOT_H
#define PM_BROKER_SLOT_H

#include "broker/fetch.h"
#include "broker/pool.h"

typedef enum PmSlotState {
    PM_SLOT_EMPTY,    /* no child */
    PM_SLOT_STARTING, /* asked for; its socket is ours already */
    PM_SLOT_IDLE,
    PM_SLOT_BUSY,
    PM_SLOT_ENDING /* told to end or killed, EXITED not yet told */
} PmSlotState;

typedef enum PmSlotOutput { PM_OUTPUT_OPEN, PM_OUTPUT_BEGUN, PM_OUTPUT_UNWANTED, PM_OUTPUT_TOLD } PmSlotOutput;

typedef struct PmSlot {
    PmPool *pool;
    PmSlotState state;
    int sock, pidfd;
    PmWatch *watch;
    PmProgress *progress;
    int64_t jobs;   /* done by this child */
    PmTimer *grace; /* a new attempt to start one, or the patience with one that ends */
    bool gone;      /* its process has ended; what it still said is being heard */
    /* the job at hand */
    bool has_job, timed_out;
    PmPoolJobSink sink;
    PmPoolPlanned *planned;
    void *planned_data;
    PmTimer *deadline;
    PmFetch *fetching;     /* the child waits for it */
    PmSlotOutput *outputs; /* owned; by the pipeline's index */
    PmError violation;     /* what it did against the protocol */
} PmSlot;

bool pm_slot_init(PmSlot *slot, PmPool *pool); /* false: out of memory */
void pm_slot_finish(PmSlot *slot);
bool pm_slot_is_idle(const PmSlot *slot);

void pm_slot_start(PmSlot *slot);                                /* asks for a child, until there is one */
void pm_slot_open(PmSlot *slot, int sock, PmProgress *progress); /* takes both */
void pm_slot_spawned(PmSlot *slot, PmMessage *message);
void pm_slot_exited(PmSlot *slot, const json_t *body);
/* A LOG of a child or the zygote becomes a line of ours. */
void pm_slot_log(const json_t *body);
void pm_slot_lost(PmSlot *slot); /* the zygote is gone, and the child with it */

PmStatus pm_slot_run(PmSlot *slot, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err);
PmStatus pm_slot_plan(PmSlot *slot, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data,
                      PmError *err);
void pm_slot_abandon(PmSlot *slot);

/* What a slot needs of its pool. */
PmLoop *pm_pool_loop(const PmPool *pool);
const PmPipeline *pm_pool_pipeline(const PmPool *pool);
bool pm_pool_spawn(PmPool *pool, PmSlot *slot);
void pm_pool_tell_idle(PmPool *pool);
bool pm_pool_is_ready(const PmPool *pool);
PmFetcher *pm_pool_fetcher(PmPool *pool, PmError *err); /* made when first asked for */
void pm_pool_restart(PmPool *pool, const char *why);    /* the zygote is of no use any more */

#endif
