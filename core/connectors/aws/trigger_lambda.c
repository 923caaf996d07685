/* SPDX-License-Identifier: Apache-2.0
 *
 * Invocations of AWS Lambda, one at a time. `next` is asked for at once, so that the worker starts meanwhile. All time
 * there is ends at the deadline less a reserve: what is not finished then has failed, and is answered so. No polls, no
 * leases: the queue is Lambda's affair.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/aws/aws_session.h"
#include "connectors/aws/invocation.h"
#include "connectors/aws/runtime_api.h"
#include "connectors/aws/triggers.h"
#include "connectors/emf.h"
#include "connectors/record.h"

enum { ERROR_TEXT_MAX = 16 * 1024 };

/* An event that was settled, and whom to tell when the invocation is answered; or a dead letter on its way. */
typedef struct Settled {
    struct LambdaTrigger *trigger;
    PmTask *task;
    void (*done)(void *data, const PmError *err);
    void *data;
    PmSqsCall *sending;
    PmFateKind fate;
} Settled;

typedef struct LambdaTrigger {
    PmTrigger base;
    PmLoop *loop;
    PmAwsSession *session;
    const PmPipeline *pipeline;
    const PmLambdaTrigger *config;
    PmQueueMessageRules rules;
    PmRuntimeApi *api;
    PmMetrics *metrics;  /* of the run; borrowed */
    PmSqs *dead_letters; /* or NULL */
    const char *dead_letter_url;
    /* the invocation at work */
    PmInvocationHead head;
    PmInvocation invocation;
    Settled *settled;  /* one for each task */
    size_t next, open; /* the next task to hand over; those handed over that are not done or failed */
    PmTimer *deadline, *answer;
    int64_t began_ms;
    size_t wanted;
    char *broken;                                   /* why the pipeline cannot run, or NULL */
    bool busy, answered, handing, expired, stopped; /* answered: the answer is made, and on its way */
} LambdaTrigger;

static void ask_next(LambdaTrigger *trigger);

/* --- the end of an invocation --- */

static void write_metrics(LambdaTrigger *trigger)
{
    char *lines = pm_emf_take(trigger->metrics, trigger->config->metrics_namespace, pm_clock_wall_ms());
    if (lines == NULL) return;
    fputs(lines, stdout);
    fflush(stdout);
    free(lines);
}

static void log_end(const LambdaTrigger *trigger)
{
    size_t failed = 0;
    char ms[24], tasks[24], failures[24];
    for (size_t i = 0; i < trigger->invocation.count; i++) failed += trigger->invocation.tasks[i].state != PM_TASK_DONE;
    snprintf(ms, sizeof ms, "%lld", (long long)(pm_clock_mono_ms() - trigger->began_ms));
    snprintf(tasks, sizeof tasks, "%zu", trigger->invocation.count);
    snprintf(failures, sizeof failures, "%zu", failed);
    pm_log(PM_LOG_INFO, "invocation.done", "kind", pm_invocation_name(trigger->invocation.kind), "tasks", tasks,
           "failed", failures, "ms", ms, NULL);
}

static void on_answered(void *data, const PmError *err)
{
    LambdaTrigger *trigger = data;
    PmTrigger *base = &trigger->base;
    if (err != NULL) {
        char text[1200];
        pm_error_format(err, text, sizeof text);
        pm_log(PM_LOG_ERROR, "lambda.answer", "msg", text, NULL);
    }
    size_t count = trigger->invocation.count;
    Settled *settled = trigger->settled;
    PmInvocation invocation = trigger->invocation;
    trigger->settled = NULL;
    trigger->invocation = (PmInvocation){0};
    trigger->busy = false;
    base->sink.context(base->sink.data, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (settled[i].done != NULL) settled[i].done(settled[i].data, err);
    pm_invocation_finish(&invocation);
    free(settled);
    if (trigger->broken != NULL || trigger->stopped)
        base->sink.drained(base->sink.data);
    else
        ask_next(trigger);
}

static void fail_invocation(LambdaTrigger *trigger, const char *type, const char *message)
{
    PmError err = {0};
    char *clean = malloc(ERROR_TEXT_MAX);
    trigger->answered = true;
    if (clean != NULL) pm_text_utf8(clean, ERROR_TEXT_MAX, message);
    pm_log(PM_LOG_ERROR, "invocation.failed", "type", type, "msg", message, NULL);
    write_metrics(trigger);
    if (!pm_runtime_fail(trigger->api, trigger->head.request_id, type, clean != NULL ? clean : type, on_answered,
                         trigger, &err))
        on_answered(trigger, &err);
    free(clean);
}

static void respond(LambdaTrigger *trigger, const json_t *answer)
{
    PmError err = {0};
    char *text = pm_json_text(answer, JSON_COMPACT);
    size_t size = text != NULL ? strlen(text) : 0;
    if (text == NULL) {
        fail_invocation(trigger, "Pixmill.Transient", "out of memory");
    } else if (size > PM_RUNTIME_PAYLOAD_MAX) {
        char message[120];
        snprintf(message, sizeof message, "the answer has %zu bytes, more than the 6 MB that Lambda allows", size);
        fail_invocation(trigger, "Pixmill.ResponseTooLarge", message);
    } else {
        write_metrics(trigger);
        if (!pm_runtime_respond(trigger->api, trigger->head.request_id, text, size, on_answered, trigger, &err))
            on_answered(trigger, &err);
    }
    free(text);
}

static void answer(void *data)
{
    LambdaTrigger *trigger = data;
    PmError err = {0};
    const char *type = "Pixmill.Bug";
    trigger->answer = NULL;
    pm_loop_cancel(trigger->deadline);
    trigger->deadline = NULL;
    log_end(trigger);
    if (trigger->broken != NULL) {
        fail_invocation(trigger, "Pixmill.BadConfig", trigger->broken);
        return;
    }
    json_t *body = pm_invocation_answer(&trigger->invocation, trigger->config->report_batch_item_failures, &type, &err);
    if (body != NULL) {
        respond(trigger, body);
        json_decref(body);
        return;
    }
    char text[1600];
    pm_error_format(&err, text, sizeof text);
    fail_invocation(trigger, type, text);
}

/* Not at once: we may be deep inside the run, which is handing us its last event. */
static void maybe_answer(LambdaTrigger *trigger)
{
    if (!trigger->busy || trigger->answered || trigger->open > 0) return;
    if (trigger->next < trigger->invocation.count) return;
    trigger->answered = true;
    trigger->answer = pm_loop_after(trigger->loop, 0, answer, trigger);
}

/* --- tasks --- */

static void fail_task(PmTask *task, const PmError *why, bool passes)
{
    task->state = PM_TASK_FAILED;
    task->passes = passes;
    task->error = *why;
    if (why->status == PM_OK) pm_error_set(&task->error, PM_BUG, "failed without a reason");
}

/* Those that nobody has begun. */
static void fail_rest(LambdaTrigger *trigger, PmStatus status, const char *why, bool late)
{
    PmError err = {0};
    pm_error_set(&err, status, "%s", why);
    for (; trigger->next < trigger->invocation.count; trigger->next++) {
        fail_task(&trigger->invocation.tasks[trigger->next], &err, true);
        trigger->invocation.tasks[trigger->next].late = late;
    }
}

static void hand_over(LambdaTrigger *trigger)
{
    PmTrigger *base = &trigger->base;
    if (trigger->handing || !trigger->busy || trigger->broken != NULL || trigger->stopped) return;
    trigger->handing = true;
    while (trigger->wanted > 0 && trigger->next < trigger->invocation.count &&
           !(trigger->invocation.fifo && trigger->open > 0)) {
        PmTask *task = &trigger->invocation.tasks[trigger->next++];
        size_t count = task->event.count;
        trigger->wanted = trigger->wanted > count ? trigger->wanted - count : 0;
        task->event.trigger = base;
        task->state = PM_TASK_AT_WORK;
        trigger->open++;
        base->sink.event(base->sink.data, &task->event);
    }
    trigger->handing = false;
    maybe_answer(trigger);
}

static void end_task(LambdaTrigger *trigger, const PmTask *task)
{
    trigger->open--;
    if (trigger->invocation.fifo && task->state == PM_TASK_FAILED)
        fail_rest(trigger, PM_TRANSIENT, "a message before it failed, and the queue's order is kept", false);
    hand_over(trigger);
    maybe_answer(trigger);
}

static void on_dead_letter_sent(void *data, const PmError *err)
{
    Settled *settled = data;
    settled->sending = NULL;
    if (err == NULL) {
        settled->task->state = PM_TASK_DONE;
    } else {
        char text[1200];
        pm_error_format(err, text, sizeof text);
        pm_log(PM_LOG_ERROR, "queue.dead_letter", "message", settled->task->id, "queue",
               settled->trigger->dead_letter_url, "msg", text, NULL);
        settled->task->state = PM_TASK_FAILED;
    }
    end_task(settled->trigger, settled->task);
}

/* True: it is on its way, and settled when it is there. */
static bool send_dead_letter(LambdaTrigger *trigger, Settled *settled, const PmFate *fate)
{
    PmTask *task = settled->task;
    if (trigger->dead_letters == NULL || task->body == NULL) return false;
    char source[1200] = "";
    PmDeadLetterMessage dead;
    PmError err = {0};
    if (fate->object != NULL) pm_object_label(fate->object, source, sizeof source);
    pm_dead_letter_make(&dead, trigger->dead_letter_url, trigger->pipeline, &task->event, fate, PM_DEAD_LETTER_WHOLE,
                        task->body, source, task->source, task->group_id);
    settled->sending = pm_sqs_send(trigger->dead_letters, &dead.send, on_dead_letter_sent, settled, &err);
    return settled->sending != NULL;
}

static void settle(PmTrigger *base, PmEvent *event, const PmFate *fate, void (*done)(void *, const PmError *),
                   void *data)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    PmTask *task = (PmTask *)event;
    Settled *settled = &trigger->settled[task - trigger->invocation.tasks];
    static const PmError none = {0};
    PmError over = {0};
    *settled = (Settled){.trigger = trigger, .task = task, .done = done, .data = data, .fate = fate->kind};
    switch (fate->kind) {
    case PM_FATE_ACK:
        task->state = PM_TASK_DONE;
        break;
    case PM_FATE_RETRY:
        fail_task(task, fate->reason != NULL ? fate->reason : &none, true);
        break;
    case PM_FATE_DEAD:
    case PM_FATE_QUARANTINE:
        fail_task(task, fate->reason != NULL ? fate->reason : &none, false);
        if (send_dead_letter(trigger, settled, fate)) return;
        break;
    case PM_FATE_RELEASE:
        pm_error_set(&over, PM_TRANSIENT, "%s",
                     trigger->expired ? "not finished before the invocation's deadline" : "pixmill was asked to stop");
        fail_task(task, &over, true);
        task->late = trigger->expired;
        break;
    }
    end_task(trigger, task);
}

/* What the caller may want to read: kept only where the answer repeats it. */
static void keep_result(PmTrigger *base, PmEvent *event, const PmJobResult *result)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    PmTask *task = (PmTask *)event;
    if (trigger->invocation.kind == PM_INVOKED_SQS) return;
    PmJobResult told = *result;
    if (told.fate == PM_FATE_RETRY || told.fate == PM_FATE_RELEASE) told.fate = PM_FATE_DEAD; /* by us, no more */
    if (task->results == NULL) task->results = json_array();
    if (json_array_append_new(task->results, pm_record_of(&told)) != 0) task->unrecorded = true;
}

/* --- invocations --- */

static void give_up_all(LambdaTrigger *trigger, const char *why)
{
    fail_rest(trigger, PM_TRANSIENT, why, true);
    trigger->base.sink.expired(trigger->base.sink.data);
    for (size_t i = 0; i < trigger->invocation.count && trigger->open > 0; i++) {
        Settled *settled = &trigger->settled[i];
        if (settled->sending == NULL) continue;
        pm_sqs_cancel(settled->sending);
        settled->sending = NULL;
        end_task(trigger, settled->task); /* FAILED: it comes again */
    }
    maybe_answer(trigger);
}

static void on_deadline(void *data)
{
    LambdaTrigger *trigger = data;
    trigger->deadline = NULL;
    trigger->expired = true;
    pm_log(PM_LOG_WARN, "invocation.deadline", "msg", "time is up: what is not finished is given back as failed", NULL);
    give_up_all(trigger, "not begun before the invocation's deadline");
}

static void on_next(void *data, const PmInvocationHead *head, const char *body, size_t size, const PmError *err)
{
    LambdaTrigger *trigger = data;
    PmError bad = {0};
    if (err != NULL) {
        trigger->base.sink.failed(trigger->base.sink.data, err);
        return;
    }
    trigger->head = *head;
    trigger->began_ms = pm_clock_mono_ms();
    trigger->busy = true;
    trigger->answered = trigger->expired = false;
    trigger->next = trigger->open = 0;
    trigger->base.sink.context(trigger->base.sink.data, head->request_id, head->trace_id);
    if (trigger->broken != NULL) {
        fail_invocation(trigger, "Pixmill.BadConfig", trigger->broken);
        return;
    }
    if (pm_invocation_read(&trigger->rules, body, size, &trigger->invocation, &bad) != PM_OK) {
        fail_invocation(trigger, bad.status == PM_BAD_INPUT ? "Pixmill.UnknownEvent" : "Pixmill.Transient",
                        bad.message);
        return;
    }
    trigger->settled = calloc(trigger->invocation.count + 1, sizeof *trigger->settled);
    int64_t left =
        head->deadline_ms > 0 ? head->deadline_ms - pm_clock_wall_ms() - trigger->config->reserve : INT64_MAX;
    if (trigger->settled != NULL && left < INT64_MAX)
        trigger->deadline = pm_loop_after(trigger->loop, left > 0 ? left : 0, on_deadline, trigger);
    if (trigger->settled == NULL || (trigger->deadline == NULL && left < INT64_MAX)) {
        trigger->next = trigger->invocation.count;
        fail_invocation(trigger, "Pixmill.Transient", "out of memory");
        return;
    }
    pm_metrics_add_received(trigger->metrics, trigger->invocation.count);
    hand_over(trigger);
    maybe_answer(trigger);
}

static void ask_next(LambdaTrigger *trigger)
{
    PmError err = {0};
    if (!pm_runtime_next(trigger->api, on_next, trigger, &err))
        trigger->base.sink.failed(trigger->base.sink.data, &err);
}

/* --- the trigger --- */

static void want(PmTrigger *base, size_t objects)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    trigger->wanted = objects;
    hand_over(trigger);
}

/* The service cannot be told before it invokes us, since `next` was asked for; but the log can. */
static void refuse(PmTrigger *base, const PmErrorList *errors)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    PmBuffer all;
    if (trigger->broken != NULL) return;
    pm_buffer_init(&all, ERROR_TEXT_MAX);
    pm_buffer_adds(&all, "");
    for (size_t i = 0; i < errors->count; i++) {
        char text[2000];
        pm_error_format(&errors->items[i], text, sizeof text);
        pm_log(PM_LOG_ERROR, "pipeline.refused", "msg", text, NULL);
        pm_buffer_addf(&all, "%s%s", i > 0 ? "\n" : "", text);
    }
    if (all.failed) all.failed = false; /* cut: the first of them are there */
    trigger->broken = pm_buffer_steal(&all);
    if (trigger->broken == NULL) trigger->broken = strdup("the pipeline cannot run: see the log");
    if (trigger->busy) give_up_all(trigger, "the pipeline cannot run");
}

static bool stop(PmTrigger *base)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    trigger->stopped = true;
    if (trigger->busy) fail_rest(trigger, PM_TRANSIENT, "pixmill was asked to stop", false);
    maybe_answer(trigger);
    return true;
}

static void free_trigger(PmTrigger *base)
{
    LambdaTrigger *trigger = (LambdaTrigger *)base;
    pm_loop_cancel(trigger->deadline);
    pm_loop_cancel(trigger->answer);
    for (size_t i = 0; trigger->settled != NULL && i < trigger->invocation.count; i++)
        pm_sqs_cancel(trigger->settled[i].sending);
    pm_runtime_api_free(trigger->api);
    pm_invocation_finish(&trigger->invocation);
    pm_sqs_free(trigger->dead_letters);
    free(trigger->settled);
    free(trigger->broken);
    free(trigger);
}

static const char *dead_letter_url(const PmPipeline *pipeline)
{
    const PmSqsTrigger *sqs = pm_sqs_trigger(pipeline);
    const char *url = pm_lambda_trigger(pipeline)->dead_letter_url;
    if (url == NULL && sqs != NULL) url = sqs->dead_letter_url;
    return url != NULL && url[0] != '\0' ? url : NULL;
}

PmTrigger *pm_trigger_lambda_new(PmLoop *loop, PmAwsSession *session, const PmPipeline *pipeline, const char *host,
                                 PmMetrics *metrics, const PmTriggerSink *sink, PmError *err)
{
    static const PmTriggerOps ops = {
        .want = want, .settle = settle, .result = keep_result, .refuse = refuse, .stop = stop, .free = free_trigger};
    LambdaTrigger *trigger = calloc(1, sizeof *trigger);
    if (trigger == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *trigger = (LambdaTrigger){
        .base = {.ops = &ops, .sink = *sink, .redrives = true, .counted = true, .early = true, .answers = true},
        .loop = loop,
        .session = session,
        .metrics = metrics,
        .pipeline = pipeline,
        .config = pm_lambda_trigger(pipeline),
        .rules = pm_queue_message_rules(pipeline, true),
        .dead_letter_url = dead_letter_url(pipeline)};
    pm_emf_begin(trigger->metrics);
    trigger->api = pm_runtime_api_new(loop, host, err);
    if (trigger->dead_letter_url != NULL)
        trigger->dead_letters = pm_aws_session_sqs(session, trigger->dead_letter_url, NULL, NULL, err);
    if (err->status == PM_OK && pm_runtime_next(trigger->api, on_next, trigger, err)) return &trigger->base;
    free_trigger(&trigger->base);
    return NULL;
}
