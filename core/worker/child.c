/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <vips/vips.h>

#include "base/clock.h"
#include "engine/limits.h"
#include "worker/library_log.h"
#include "worker/sink.h"

enum { JOBS_PER_TRIM = 8, OUTPUTS_MAX = 256 };

/* What a JOB or a PLAN asks for, in the engine's words. */
typedef struct Request {
    PmMapping source;
    PmFacts *facts;
    const char *outputs[OUTPUTS_MAX + 1]; /* borrowed from the message */
    PmJobInput input;
} Request;

static int64_t cpu_ms(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) return 0;
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000) +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* The limit counts from the process' birth: raise it by what this job may use. It has a grain of seconds, so a job gets
 * up to one more. */
static void raise_cpu_limit(int64_t allowed_ms)
{
    struct rlimit limit;
    if (allowed_ms <= 0 || getrlimit(RLIMIT_CPU, &limit) != 0) return;
    rlim_t seconds = (rlim_t)((cpu_ms() + allowed_ms + 999) / 1000);
    limit.rlim_cur = limit.rlim_max != RLIM_INFINITY && seconds > limit.rlim_max ? limit.rlim_max : seconds;
    setrlimit(RLIMIT_CPU, &limit);
}

/* Only then it is known how much there is to do. */
static void allow_work(void *data, int64_t frames, int64_t written)
{
    const PmChild *child = data;
    raise_cpu_limit(pm_limits_cpu_ms(child->limits, frames, written));
}

static PmStatus read_outputs(const json_t *names, Request *request, PmError *err)
{
    if (names == NULL || json_is_null(names)) return PM_OK;
    size_t count = json_array_size(names);
    if (!json_is_array(names) || count > OUTPUTS_MAX)
        return pm_error_set(err, PM_BUG, "outputs is not a list of names");
    for (size_t i = 0; i < count; i++) {
        request->outputs[i] = json_string_value(json_array_get(names, i));
        if (request->outputs[i] == NULL) return pm_error_set(err, PM_BUG, "outputs is not a list of names");
    }
    request->input.outputs = request->outputs;
    return PM_OK;
}

/* `message` outlives the request. */
static PmStatus read_request(const PmMessage *message, const PmLimits *limits, Request *request, PmError *err)
{
    *request = (Request){.facts = pm_facts_new()};
    if (request->facts == NULL) return pm_error_set(err, PM_LIMIT, "out of memory");
    const json_t *facts = json_object_get(message->body, "facts");
    if (facts != NULL && !pm_facts_add_json(request->facts, facts))
        return pm_error_set(err, PM_BUG, "the job's facts are not facts");
    if (read_outputs(json_object_get(message->body, "outputs"), request, err) != PM_OK) return err->status;
    if (message->fd_count > 0 &&
        pm_memfd_map(message->fds[0], (size_t)limits->file_size, &request->source, err) != PM_OK) {
        pm_error_context(err, "source");
        return err->status;
    }
    int64_t wall_ms = json_integer_value(json_object_get(message->body, "wall_ms"));
    request->input.bytes = request->source.bytes;
    request->input.size = request->source.size;
    request->input.facts = request->facts;
    request->input.deadline_ms = wall_ms > 0 ? pm_clock_mono_ms() + wall_ms : 0;
    return PM_OK;
}

static void finish_request(Request *request)
{
    pm_memfd_unmap(&request->source);
    pm_facts_free(request->facts);
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (value != NULL) json_object_set(object, key, value);
}

static json_t *done_body(PmStatus status, const PmReport *report, const PmError *err, int64_t used_ms)
{
    json_t *body = json_object();
    if (status != PM_OK) json_object_set_new(body, "error", pm_error_to_json(err));
    if (status == PM_REJECTED)
        json_object_set_new(body, "rejected_as",
                            json_string(report->rejected_as == PM_ON_REJECT_DROP ? "drop" : "quarantine"));
    put(body, "facts", report->facts);
    put(body, "verdicts", report->verdicts);
    put(body, "warnings", report->warnings);
    json_t *timings = report->timings != NULL ? json_copy(report->timings) : json_object();
    json_object_set_new(timings, "cpu_ms", json_integer(used_ms));
    json_object_set_new(body, "timings", timings);
    return body;
}

static PmStatus do_job(const PmChild *child, PmWorkerSink *sink, const PmMessage *message, PmError *gone)
{
    PmError err = {0};
    PmReport report = {0};
    Request request;
    int64_t before_ms = cpu_ms();
    raise_cpu_limit(child->limits->cpu_time);
    PmStatus status = read_request(message, child->limits, &request, &err);
    request.input.planned = allow_work;
    request.input.data = (void *)(uintptr_t)child; /* which it only reads */
    if (status == PM_OK) {
        PmSink engine_sink = pm_worker_sink_for_engine(sink);
        status = pm_engine_run(child->engine, &request.input, &engine_sink, &report, &err);
        if (status != PM_OK) pm_error_set(&err, status, "the engine gave no reason");
    }
    json_t *body = done_body(status, &report, &err, cpu_ms() - before_ms);
    pm_worker_sink_hush(sink);
    status = pm_channel_send(&sink->channel, PM_MSG_DONE, body, gone);
    if (status == PM_BUG || status == PM_LIMIT) { /* facts that are no JSON, or too many: the job still needs its end */
        pm_error_clear(gone);
        json_object_del(body, "facts");
        json_object_del(body, "warnings");
        status = pm_channel_send(&sink->channel, PM_MSG_DONE, body, gone);
    }
    json_decref(body);
    pm_report_finish(&report);
    finish_request(&request);
    pm_worker_sink_end_job(sink);
    vips_error_clear();
    return status;
}

static PmStatus do_plan(const PmChild *child, PmWorkerSink *sink, const PmMessage *message, PmError *gone)
{
    PmError err = {0};
    Request request;
    json_t *plan = NULL;
    raise_cpu_limit(child->limits->cpu_time);
    if (read_request(message, child->limits, &request, &err) == PM_OK) {
        int32_t width = (int32_t)json_integer_value(json_object_get(message->body, "width"));
        int32_t height = (int32_t)json_integer_value(json_object_get(message->body, "height"));
        const char *format = json_string_value(json_object_get(message->body, "format"));
        plan = pm_engine_explain(child->engine, &request.input, format, width, height, &err);
    }
    json_t *body = plan != NULL ? json_pack("{so}", "plan", plan) : json_pack("{so}", "error", pm_error_to_json(&err));
    pm_worker_sink_hush(sink);
    PmStatus status = pm_channel_send(&sink->channel, PM_MSG_PLANNED, body, gone);
    json_decref(body);
    finish_request(&request);
    vips_error_clear();
    return status;
}

static void log_of_library(void *data, int level, const char *text)
{
    pm_worker_sink_log(data, level, NULL, NULL, text);
}

int pm_child_run(const PmChild *child)
{
    PmWorkerSink sink;
    pm_worker_sink_init(&sink, child->sock);
    pm_library_log_to(log_of_library, &sink, child->progress);
    for (unsigned jobs = 1;; jobs++) {
        PmError err = {0};
        PmMessage message;
        PmStatus status = pm_channel_receive(&sink.channel, &message, &err);
        if (status == PM_TRANSIENT) return PM_CHILD_DONE; /* the broker has no more for us */
        pm_worker_sink_begin_job(&sink);
        if (status == PM_OK && message.type == PM_MSG_JOB)
            status = do_job(child, &sink, &message, &err);
        else if (status == PM_OK && message.type == PM_MSG_PLAN)
            status = do_plan(child, &sink, &message, &err);
        else if (status == PM_OK)
            status = pm_error_set(&err, PM_BUG, "%s is not a message for a child", pm_message_name(message.type));
        pm_message_finish(&message);
        if (status == PM_TRANSIENT) return PM_CHILD_DONE;
        if (status != PM_OK) {
            fprintf(stderr, "%s\n", err.message); /* the channel is for jobs */
            return PM_CHILD_PROTOCOL;
        }
        /* Codecs leave holes; give them back now and then, as the address space is limited. */
        if (jobs % JOBS_PER_TRIM == 0) malloc_trim(0);
    }
}
