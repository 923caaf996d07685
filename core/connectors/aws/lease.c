/* SPDX-License-Identifier: Apache-2.0
 *
 * A held lease is on the list `held`. Ending one puts it on `ending`; a moment later up to ten of a kind go out in one
 * batch. Extensions are batches of their own, made from what is held when the heart beats.
 */
#include "connectors/aws/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

enum { GATHER_MS = 10, BEAT_MIN_MS = 200, HELD_MAX_MS = PM_SQS_VISIBILITY_MAX_S * 1000 };

typedef enum LeaseState { HELD, TO_DELETE, TO_RELEASE } LeaseState;

struct PmMessageLease {
    PmLeases *leases;
    PmMessageLease *previous, *next;
    char *receipt_handle;
    int64_t received_ms, extended_ms;
    LeaseState state;
    int visibility_s;
    bool lost, told_limit;
    PmLeaseDone *done;
    void *data;
};

/* One call under way. */
typedef struct Batch {
    PmLeases *leases;
    struct Batch *next;
    PmSqsCall *call;
    bool extends; /* its leases stay held, and may end meanwhile: named by handle only */
    size_t count;
    PmMessageLease *ending[PM_SQS_BATCH_MAX]; /* owned */
    char *handles[PM_SQS_BATCH_MAX];          /* owned; of an extension */
} Batch;

struct PmLeases {
    PmLoop *loop;
    PmSqs *sqs;
    int visibility_s;
    PmMessageLease *held, *ending; /* ending: newest first */
    size_t waiting;                /* on `ending` */
    Batch *batches;
    PmTimer *beat, *gather;
};

static void add(PmMessageLease **list, PmMessageLease *lease)
{
    lease->previous = NULL;
    lease->next = *list;
    if (*list != NULL) (*list)->previous = lease;
    *list = lease;
}

static void take_off(PmMessageLease **list, PmMessageLease *lease)
{
    if (lease->previous != NULL)
        lease->previous->next = lease->next;
    else
        *list = lease->next;
    if (lease->next != NULL) lease->next->previous = lease->previous;
}

static void free_lease(PmMessageLease *lease)
{
    free(lease->receipt_handle);
    free(lease);
}

static void tell(PmMessageLease *lease, const PmError *err)
{
    PmLeaseDone *done = lease->done;
    void *data = lease->data;
    free_lease(lease);
    done(data, err);
}

static Batch *batch_new(PmLeases *leases, bool extends)
{
    Batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    *batch = (Batch){.leases = leases, .next = leases->batches, .extends = extends};
    leases->batches = batch;
    return batch;
}

static void batch_free(Batch *batch)
{
    Batch **at = &batch->leases->batches;
    while (*at != batch) at = &(*at)->next;
    *at = batch->next;
    pm_sqs_cancel(batch->call);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->ending[i] != NULL) free_lease(batch->ending[i]);
        free(batch->handles[i]);
    }
    free(batch);
}

/* --- ending --- */

static void finish_batch(Batch *batch, const PmSqsBatchResult *result)
{
    size_t count = batch->count;
    PmMessageLease *ended[PM_SQS_BATCH_MAX];
    memcpy(ended, batch->ending, sizeof ended);
    memset(batch->ending, 0, sizeof batch->ending);
    batch->call = NULL;
    batch_free(batch);
    for (size_t i = 0; i < count; i++) {
        PmError err = {0};
        if (result->err != NULL)
            err = *result->err;
        else if (result->fates[i] == PM_SQS_AGAIN)
            pm_error_set(&err, PM_TRANSIENT, "the queue could not take the message's end now");
        else if (result->fates[i] == PM_SQS_REFUSED)
            pm_error_set(&err, PM_BAD_CONFIG, "the queue refused the message's end");
        else if (result->fates[i] == PM_SQS_LOST)
            pm_log(PM_LOG_INFO, "queue.lease", "msg",
                   "the message had become visible again: it may come a second time, which changes nothing", NULL);
        tell(ended[i], err.status != PM_OK ? &err : NULL);
    }
}

static void on_ended(void *data, const PmSqsBatchResult *result)
{
    PM_CRASH_POINT("lease.end_known");
    finish_batch(data, result);
}

/* Up to ten that end the same way. */
static void send_ends(PmLeases *leases, LeaseState kind)
{
    while (true) {
        PmSqsEntry entries[PM_SQS_BATCH_MAX];
        PmMessageLease *chosen[PM_SQS_BATCH_MAX];
        size_t n = 0;
        for (PmMessageLease *lease = leases->ending; lease != NULL && n < PM_SQS_BATCH_MAX; lease = lease->next)
            if (lease->state == kind) chosen[n++] = lease;
        if (n == 0) return;
        Batch *batch = batch_new(leases, false);
        if (batch == NULL) return; /* the next gathering tries again */
        for (size_t i = 0; i < n; i++) {
            take_off(&leases->ending, chosen[i]);
            leases->waiting--;
            batch->ending[i] = chosen[i];
            entries[i] = (PmSqsEntry){chosen[i]->receipt_handle, chosen[i]->visibility_s};
        }
        batch->count = n;
        PmError err = {0};
        if (kind == TO_DELETE) PM_CRASH_POINT("lease.delete_next");
        batch->call = kind == TO_DELETE ? pm_sqs_delete(leases->sqs, entries, n, on_ended, batch, &err)
                                        : pm_sqs_change_visibility(leases->sqs, entries, n, on_ended, batch, &err);
        if (kind == TO_DELETE) PM_CRASH_POINT("lease.delete_under_way");
        if (batch->call == NULL) finish_batch(batch, &(PmSqsBatchResult){.err = &err});
    }
}

static void on_gathered(void *data)
{
    PmLeases *leases = data;
    leases->gather = NULL;
    send_ends(leases, TO_DELETE);
    send_ends(leases, TO_RELEASE);
    if (leases->ending != NULL && leases->gather == NULL)
        leases->gather = pm_loop_after(leases->loop, BEAT_MIN_MS, on_gathered, leases);
}

static void end(PmMessageLease *lease, LeaseState state, int64_t visibility_s, PmLeaseDone *done, void *data)
{
    PmLeases *leases = lease->leases;
    int64_t left_s = (HELD_MAX_MS - (pm_clock_mono_ms() - lease->received_ms)) / 1000 - 1;
    if (visibility_s > left_s) visibility_s = left_s > 0 ? left_s : 0;
    take_off(&leases->held, lease);
    add(&leases->ending, lease);
    leases->waiting++;
    lease->state = state;
    lease->visibility_s = (int)visibility_s;
    lease->done = done;
    lease->data = data;
    /* A moment's wait fills batches; a full one goes at once. */
    if (leases->waiting >= PM_SQS_BATCH_MAX) {
        pm_loop_cancel(leases->gather);
        leases->gather = pm_loop_after(leases->loop, 0, on_gathered, leases);
    } else if (leases->gather == NULL) {
        leases->gather = pm_loop_after(leases->loop, GATHER_MS, on_gathered, leases);
    }
}

void pm_lease_delete(PmMessageLease *lease, PmLeaseDone *done, void *data)
{
    end(lease, TO_DELETE, 0, done, data);
}

void pm_lease_release(PmMessageLease *lease, int64_t visibility_s, PmLeaseDone *done, void *data)
{
    end(lease, TO_RELEASE, visibility_s, done, data);
}

/* --- holding --- */

static void on_extended(void *data, const PmSqsBatchResult *result)
{
    Batch *batch = data;
    PmLeases *leases = batch->leases;
    PM_CRASH_POINT("lease.extended");
    batch->call = NULL;
    if (result->err != NULL) {
        char text[1200];
        pm_error_format(result->err, text, sizeof text);
        pm_log(PM_LOG_WARN, "queue.heartbeat", "msg", text, NULL);
    }
    for (size_t i = 0; i < batch->count; i++) {
        bool lost = result->err == NULL && result->fates[i] == PM_SQS_LOST;
        bool failed = result->err != NULL || result->fates[i] == PM_SQS_AGAIN;
        for (PmMessageLease *lease = leases->held; (lost || failed) && lease != NULL; lease = lease->next) {
            if (strcmp(lease->receipt_handle, batch->handles[i]) != 0) continue;
            if (lost) lease->lost = true;
            /* Due again at the next beat. */
            if (failed) lease->extended_ms -= leases->visibility_s * INT64_C(1000);
        }
    }
    batch_free(batch);
}

static bool send_extensions(PmLeases *leases, PmMessageLease *const *due, size_t n)
{
    PmSqsEntry entries[PM_SQS_BATCH_MAX];
    Batch *batch = batch_new(leases, true);
    if (batch == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        batch->handles[i] = strdup(due[i]->receipt_handle);
        entries[i] = (PmSqsEntry){batch->handles[i], leases->visibility_s};
        batch->count = i + 1;
        if (batch->handles[i] == NULL) break;
        due[i]->extended_ms = pm_clock_mono_ms();
    }
    PmError err = {0};
    if (batch->handles[n - 1] != NULL)
        batch->call = pm_sqs_change_visibility(leases->sqs, entries, n, on_extended, batch, &err);
    if (batch->call != NULL) return true;
    batch_free(batch);
    return false;
}

static void on_beat(void *data);

static void start_beat(PmLeases *leases)
{
    int64_t every = leases->visibility_s * INT64_C(1000) / 4;
    leases->beat = pm_loop_after(leases->loop, every > BEAT_MIN_MS ? every : BEAT_MIN_MS, on_beat, leases);
}

/* Each beat extends what would be past half its time at the next one. */
static void on_beat(void *data)
{
    PmLeases *leases = data;
    int64_t now = pm_clock_mono_ms(), quarter = leases->visibility_s * INT64_C(1000) / 4;
    PmMessageLease *due[PM_SQS_BATCH_MAX];
    size_t n = 0;
    leases->beat = NULL;
    for (PmMessageLease *lease = leases->held; lease != NULL; lease = lease->next) {
        if (lease->lost || now - lease->extended_ms < quarter) continue;
        if (now - lease->received_ms + leases->visibility_s * INT64_C(1000) > HELD_MAX_MS) {
            if (!lease->told_limit)
                pm_log(PM_LOG_WARN, "queue.heartbeat", "msg", "a message is held for 12 hours, which is all SQS allows",
                       NULL);
            lease->told_limit = true;
            continue;
        }
        due[n++] = lease;
        if (n == PM_SQS_BATCH_MAX) {
            send_extensions(leases, due, n);
            n = 0;
        }
    }
    if (n > 0) send_extensions(leases, due, n);
    if (leases->held != NULL) start_beat(leases);
}

PmMessageLease *pm_lease_new(PmLeases *leases, const char *receipt_handle, int64_t received_ms)
{
    PmMessageLease *lease = calloc(1, sizeof *lease);
    if (lease == NULL) return NULL;
    *lease = (PmMessageLease){.leases = leases, .received_ms = received_ms, .extended_ms = received_ms};
    lease->receipt_handle = strdup(receipt_handle);
    if (lease->receipt_handle == NULL) {
        free(lease);
        return NULL;
    }
    add(&leases->held, lease);
    if (leases->beat == NULL) start_beat(leases);
    return lease;
}

bool pm_lease_lost(const PmMessageLease *lease)
{
    return lease->lost;
}

/* --- life --- */

PmLeases *pm_leases_new(PmLoop *loop, PmSqs *sqs, int visibility_s)
{
    PmLeases *leases = calloc(1, sizeof *leases);
    if (leases != NULL) *leases = (PmLeases){.loop = loop, .sqs = sqs, .visibility_s = visibility_s};
    return leases;
}

static void free_all(PmMessageLease *list)
{
    for (PmMessageLease *lease = list, *next; lease != NULL; lease = next) {
        next = lease->next;
        free_lease(lease);
    }
}

void pm_leases_free(PmLeases *leases)
{
    if (leases == NULL) return;
    pm_loop_cancel(leases->beat);
    pm_loop_cancel(leases->gather);
    for (Batch *batch = leases->batches, *next; batch != NULL; batch = next) {
        next = batch->next;
        batch_free(batch);
    }
    free_all(leases->held);
    free_all(leases->ending);
    free(leases);
}
