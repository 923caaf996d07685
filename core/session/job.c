/* SPDX-License-Identifier: Apache-2.0 */
#include "session/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "session/claims.h"
#include "session/job_names.h"

/* A rendition in the making. */
typedef struct Expected {
    const PmPlace *place; /* NULL: none */
    PmStore *store;
    PmStoreCall *call;
} Expected;

typedef struct Put {
    PmImageJob *job;
    const PmPlace *place;
    PmStore *store;
    PmStoreCall *call; /* under way */
    PmMapping bytes;   /* empty when the source itself is stored */
    uint64_t claim;    /* of the place; 0: none */
    const char *where; /* "outputs.thumb", for messages */
} Put;

struct PmImageJob {
    const PmRunContext *run;
    PmJobSink sink;
    const PmObject *object;
    const char *event_id;
    PmObject pinned; /* the object with the etag and version that were delivered */
    PmFacts *facts;
    PmSourceCall *fetching;
    int64_t max; /* bytes that the source may have, this time */
    bool larger;
    int source_fd;
    PmMapping source;
    PmWorkerJob *lease;
    Put *puts;
    size_t put_count, open_puts;
    Expected *expected; /* by the pipeline's index of the output */
    Put *quarantine;    /* the one of `puts` that stores the rejected source, or NULL */
    bool worked, ending;
    PmTimer *end;
    PmError error;
    char crash[160];
    char skipped[160];
    PmOutputResult *outputs; /* owned, with their locations; one for each of `puts`, in the same order */
    json_t *not_made, *out_facts, *verdicts, *warnings, *timings;
    PmOnReject rejected_as;
    int64_t started_ms, fetched_ms, begun_ms, worked_ms; /* 0: not so far */
    PmEvidence evidence;
    PmJobResult result;
};

static void maybe_end(PmImageJob *job);

/* --- the end --- */

/* The broker's own part of the time, beside the worker's. */
static void add_timing(PmImageJob *job, const char *name, int64_t from, int64_t to)
{
    if (from == 0 || to == 0) return;
    if (job->timings == NULL) job->timings = json_object();
    json_object_set_new(job->timings, name, json_integer(to - from));
}

static void tell_end(void *data)
{
    PmImageJob *job = data;
    int64_t now = pm_clock_mono_ms();
    PM_CRASH_POINT("job.ended");
    job->end = NULL;
    add_timing(job, "fetch_ms", job->started_ms, job->fetched_ms);
    add_timing(job, "wait_ms", job->fetched_ms, job->begun_ms);
    add_timing(job, "work_ms", job->begun_ms, job->worked_ms);
    add_timing(job, "store_ms", job->worked_ms, now);
    job->result = (PmJobResult){.object = job->object,
                                .error = job->error.status != PM_OK ? &job->error : NULL,
                                .skipped = job->skipped[0] != '\0' ? job->skipped : NULL,
                                .outputs = job->outputs,
                                .output_count = job->put_count,
                                .not_made = job->not_made,
                                .facts = job->out_facts,
                                .verdicts = job->verdicts,
                                .warnings = job->warnings,
                                .timings = job->timings,
                                .source_size = (int64_t)job->source.size,
                                .ms = now - job->started_ms,
                                .unavailable = pm_evidence_unavailable(&job->evidence),
                                .attempt = job->result.attempt};
    if (job->error.status == PM_REJECTED)
        job->result.fate =
            job->rejected_as == PM_ON_REJECT_DROP || job->quarantine != NULL ? PM_FATE_ACK : PM_FATE_QUARANTINE;
    job->sink.done(job->sink.data, job);
}

/* The callback may free us, so it comes from the loop, not from the depths of a store or the pool. */
static void end_soon(PmImageJob *job)
{
    if (job->ending) return;
    job->ending = true;
    job->end = pm_loop_after(job->run->context.loop, 0, tell_end, job);
}

static void fail(PmImageJob *job, const PmError *err)
{
    if (job->error.status == PM_OK) job->error = *err;
}

static void out_of_memory(PmImageJob *job)
{
    PmError err = {0};
    pm_error_set(&err, PM_TRANSIENT, "out of memory");
    fail(job, &err);
}

/* --- storing --- */

PmStore *pm_job_store(const PmRunContext *run, const PmPlace *place)
{
    for (size_t i = 0; run->everything == NULL && i < PM_STORES_MAX; i++)
        if (run->stores[i].kind == place->kind) return run->stores[i].store;
    return run->everything;
}

static void note_store(PmImageJob *job, const PmPlace *place, const PmError *err)
{
    pm_evidence_note_store(&job->evidence, pm_job_store(job->run, place), place, err);
}

/* A picture that was rejected is done with only when the quarantine holds it. */
static void put_failed(PmImageJob *job, const Put *put, const PmError *err)
{
    if (put == job->quarantine) job->error = (PmError){0};
    fail(job, err);
}

static PmOutputResult *result_of(const Put *put)
{
    return &put->job->outputs[put - put->job->puts];
}

static void on_stored(void *data, const PmStored *stored)
{
    Put *put = data;
    PmImageJob *job = put->job;
    PmOutputResult *result = result_of(put);
    put->call = NULL;
    pm_claims_end(job->run->claims, put->claim);
    pm_memfd_unmap(&put->bytes);
    job->open_puts--;
    note_store(job, put->place, stored->err);
    if (stored->err != NULL) {
        PmError err = *stored->err;
        pm_error_context(&err, "%s", put->where);
        put_failed(job, put, &err);
    }
    result->stored = stored->outcome;
    result->location = stored->location != NULL ? strdup(stored->location) : NULL;
    if (stored->location != NULL && result->location == NULL) out_of_memory(job); /* the record would not name it */
    PM_CRASH_POINT("job.stored_one");
    maybe_end(job);
}

/* What `expect` began for this place, which is then the caller's. */
static PmStoreCall *take_expected(PmImageJob *job, const PmPlace *place)
{
    for (size_t i = 0; i < job->run->context.pipeline->output_count; i++) {
        Expected *expected = &job->expected[i];
        if (expected->place != place) continue;
        PmStoreCall *call = expected->call;
        *expected = (Expected){0};
        return call;
    }
    return NULL;
}

static bool claim(PmImageJob *job, Put *put, const char *key, const char *output, PmError *err)
{
    PmClaims *claims = job->run->claims;
    if (claims == NULL) return true;
    char *location = put->store->ops->locate(put->store, put->place, key);
    if (location == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else
        pm_claims_take(claims, location, job->object, output, &put->claim, err);
    free(location);
    return err->status == PM_OK;
}

/* Starts a put; takes `bytes`. result: of it, but for how it ends. */
static void store(PmImageJob *job, const PmPlace *place, const PmFacts *facts, const char *where, const char *mime,
                  PmMapping bytes, const PmOutputResult *result)
{
    PmError err = {0};
    Put *put = &job->puts[job->put_count];
    const char *output = result->output;
    bool source = result->source;
    *put = (Put){.job = job, .place = place, .store = pm_job_store(job->run, place), .bytes = bytes, .where = where};
    job->outputs[job->put_count] = *result;
    job->outputs[job->put_count++].stored = PM_STORE_FAILED;
    char *key = pm_template_expand(place->key, facts, &err);
    if (key != NULL && claim(job, put, key, output, &err)) {
        PmStorePut request = {.place = place,
                              .key = key,
                              .key_prefix = pm_template_prefix(place->key),
                              .bytes = source ? job->source.bytes : bytes.bytes,
                              .size = source ? job->source.size : bytes.size,
                              .content_type = mime,
                              .output = output,
                              .quarantine = put == job->quarantine,
                              .source = &job->pinned,
                              .digest = job->run->context.digest,
                              .expected = take_expected(job, place)};
        put->call = put->store->ops->put(put->store, &request, on_stored, put, &err);
    }
    free(key);
    if (put->call != NULL) {
        job->open_puts++;
        return;
    }
    pm_claims_end(job->run->claims, put->claim);
    note_store(job, place, &err);
    pm_error_context(&err, "%s", where);
    put_failed(job, put, &err);
    pm_memfd_unmap(&put->bytes);
}

/* What the child may say was sorted out where it said so (workers/said.h). */
static void add_step_facts(PmFacts *facts, const json_t *from)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)from, name, value) pm_facts_set(facts, name, json_string_value(value));
}

/* What the key of a rendition may name. New; NULL: out of memory. */
static PmFacts *facts_of(const PmImageJob *job, const PmPoolOutput *out)
{
    PmFacts *facts = pm_facts_copy(job->facts);
    if (facts == NULL) return NULL;
    add_step_facts(facts, out->facts);
    if (pm_facts_set(facts, "output", out->output->name) && pm_facts_set(facts, "format", out->format) &&
        pm_facts_set(facts, "ext", out->extension) && pm_facts_setf(facts, "width", "%d", (int)out->width) &&
        pm_facts_setf(facts, "height", "%d", (int)out->height) && pm_facts_setf(facts, "pages", "%d", (int)out->pages))
        return facts;
    pm_facts_free(facts);
    return NULL;
}

/* While its pixels are computed, the store can already look. Whatever fails here fails again when the bytes are
 * there. */
static void on_begins(void *data, const PmPoolOutput *out)
{
    PmImageJob *job = data;
    const PmPlace *place = &out->output->to;
    PmStore *store = pm_job_store(job->run, place);
    Expected *expected = &job->expected[out->output - job->run->context.pipeline->outputs];
    PmFacts *facts = store->ops->expect != NULL ? facts_of(job, out) : NULL;
    PmError err = {0};
    char *key = facts != NULL ? pm_template_expand(place->key, facts, &err) : NULL;
    if (key != NULL && expected->call == NULL) {
        PmStorePut request = {.place = place,
                              .key = key,
                              .key_prefix = pm_template_prefix(place->key),
                              .content_type = out->mime,
                              .output = out->output->name,
                              .source = &job->pinned,
                              .digest = job->run->context.digest};
        PmStoreCall *call = store->ops->expect(store, &request);
        if (call != NULL) *expected = (Expected){.place = place, .store = store, .call = call};
    }
    free(key);
    pm_facts_free(facts);
}

static void on_output(void *data, PmPoolOutput *out)
{
    PmImageJob *job = data;
    PM_CRASH_POINT("job.got_rendition");
    PmFacts *facts = facts_of(job, out);
    if (facts == NULL) {
        out_of_memory(job);
        pm_memfd_unmap(&out->bytes);
    } else {
        PmOutputResult result = {.output = out->output->name,
                                 .matrix = out->output->matrix,
                                 .format = out->format,
                                 .width = out->width,
                                 .height = out->height,
                                 .pages = out->pages,
                                 .size = (int64_t)(out->source ? job->source.size : out->bytes.size),
                                 .source = out->source};
        store(job, &out->output->to, facts, out->output->where, out->mime, out->bytes, &result);
    }
    pm_facts_free(facts);
}

static void on_skipped(void *data, const char *output, const char *reason)
{
    PmImageJob *job = data;
    char clean[300];
    pm_text_utf8(clean, sizeof clean, reason);
    json_object_set_new(job->not_made, output, json_string(clean));
}

static json_t *keep(const json_t *json)
{
    return json_incref((json_t *)json);
}

/* The facts that a quarantine's key may name but that no rendition brought. */
static bool add_quarantine_facts(const PmImageJob *job, PmFacts *facts)
{
    static const char *const from_header[] = {"width", "height", "pages", "format"};
    const char *extension = pm_facts_get(job->facts, "source_ext");
    add_step_facts(facts, job->out_facts);
    for (size_t i = 0; i < sizeof from_header / sizeof from_header[0]; i++) {
        const char *value = json_string_value(json_object_get(job->out_facts, from_header[i]));
        if (!pm_facts_set(facts, from_header[i], value != NULL ? value : "0")) return false;
    }
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL; info++)
        if ((info->flags & PM_FACT_SOURCE) != 0 && pm_facts_get(facts, info->name) == NULL &&
            !pm_facts_set(facts, info->name, "unknown"))
            return false; /* rejected before its header was read */
    return pm_facts_set(facts, "output", "quarantine") &&
           pm_facts_set(facts, "ext", extension != NULL && extension[0] != '\0' ? extension : "bin");
}

static void quarantine(PmImageJob *job)
{
    const PmPlace *place = &job->run->context.pipeline->quarantine;
    if (place->kind == NULL) return; /* the trigger has a place of its own */
    PmFacts *facts = pm_facts_copy(job->facts);
    job->quarantine = &job->puts[job->put_count];
    if (facts != NULL && add_quarantine_facts(job, facts)) {
        PmOutputResult result = {.output = "quarantine", .size = (int64_t)job->source.size, .source = true};
        store(job, place, facts, "quarantine", "application/octet-stream", (PmMapping){0}, &result);
    } else {
        PmError err = {0};
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
        put_failed(job, job->quarantine, &err);
    }
    pm_facts_free(facts);
}

static void on_worked(void *data, const PmPoolReport *report)
{
    PmImageJob *job = data;
    job->lease = NULL;
    job->worked = true;
    PM_CRASH_POINT("job.worked");
    job->worked_ms = pm_clock_mono_ms();
    if (report->crash != NULL) pm_text_copy(job->crash, sizeof job->crash, report->crash);
    job->rejected_as = report->rejected_as;
    job->out_facts = keep(report->facts);
    job->verdicts = keep(report->verdicts);
    job->warnings = keep(report->warnings);
    job->timings = keep(report->timings);
    if (report->error.status != PM_OK) fail(job, &report->error);
    if (job->error.status == PM_REJECTED && job->rejected_as == PM_ON_REJECT_QUARANTINE) quarantine(job);
    maybe_end(job);
}

static void maybe_end(PmImageJob *job)
{
    if (job->worked && job->open_puts == 0) end_soon(job);
}

/* --- fetching --- */

static bool replace(char **text, const char *by)
{
    if (by == NULL || by[0] == '\0') return true;
    char *copy = strdup(by);
    if (copy == NULL) return false;
    free(*text);
    *text = copy;
    return true;
}

static PmStatus take_source(PmImageJob *job, const PmFetched *fetched, PmError *err)
{
    job->source_fd = fetched->fd;
    if (pm_memfd_map(fetched->fd, (size_t)job->max, &job->source, err) != PM_OK) return err->status;
    if (job->pinned.time_ms == 0) job->pinned.time_ms = fetched->modified_ms;
    if (!pm_fact_fits(job->pinned.key))
        return pm_error_set(err, PM_BAD_INPUT, "the object's key is longer than %d bytes or not valid UTF-8",
                            (int)PM_FACT_VALUE_MAX);
    if (job->source.size == 0) return pm_error_set(err, PM_BAD_INPUT, "the file is empty");
    if (replace(&job->pinned.etag, fetched->etag) && replace(&job->pinned.version_id, fetched->version_id) &&
        pm_object_facts(&job->pinned, job->facts) && pm_facts_setf(job->facts, "file_size", "%zu", job->source.size) &&
        (fetched->sha256 == NULL || pm_facts_set(job->facts, "sha256", fetched->sha256)))
        return PM_OK;
    return pm_error_set(err, PM_TRANSIENT, "out of memory");
}

static void on_fetched(void *data, const PmFetched *fetched)
{
    PmImageJob *job = data;
    PmError err = {0};
    job->fetching = NULL;
    PM_CRASH_POINT("job.fetched");
    job->fetched_ms = pm_clock_mono_ms();
    pm_evidence_note_source(&job->evidence, job->run->source, job->object,
                            fetched->outcome == PM_FETCH_FAILED ? fetched->err : NULL);
    if (fetched->outcome == PM_FETCH_GONE) {
        pm_text_copy(job->skipped, sizeof job->skipped, "the source was deleted or replaced since the event");
        end_soon(job);
    } else if (fetched->outcome == PM_FETCH_FAILED) {
        job->larger = fetched->err->status == PM_LIMIT && job->max < job->run->context.pipeline->limits.file_size;
        fail(job, fetched->err);
        end_soon(job);
    } else if (take_source(job, fetched, &err) != PM_OK) {
        fail(job, &err);
        end_soon(job);
    } else if (fetched->ours) {
        pm_text_copy(job->skipped, sizeof job->skipped, "pixmill itself wrote the source");
        end_soon(job);
    } else {
        job->sink.ready(job->sink.data, job);
    }
}

/* --- life --- */

PmImageJob *pm_job_new(const PmRunContext *run, const PmObject *object, const char *event_id, int attempt, int64_t max,
                       const PmJobSink *sink, PmError *err)
{
    PmImageJob *job = calloc(1, sizeof *job);
    if (job == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *job = (PmImageJob){.run = run,
                        .sink = *sink,
                        .object = object,
                        .event_id = event_id,
                        .max = max,
                        .source_fd = -1,
                        .started_ms = pm_clock_mono_ms()};
    job->result.attempt = attempt;
    job->facts = pm_facts_new();
    job->puts = calloc(run->context.pipeline->output_count + 1, sizeof *job->puts); /* one more: quarantine */
    job->expected = calloc(run->context.pipeline->output_count + 1, sizeof *job->expected);
    job->outputs = calloc(run->context.pipeline->output_count + 1, sizeof *job->outputs);
    job->not_made = json_object();
    if (job->facts == NULL || job->puts == NULL || job->outputs == NULL || job->expected == NULL ||
        job->not_made == NULL || !pm_object_copy(&job->pinned, object))
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else
        job->fetching = run->source->ops->get(run->source, object, max, on_fetched, job, err);
    PM_CRASH_POINT("job.began");
    if (job->fetching != NULL) return job;
    pm_job_free(job);
    return NULL;
}

PmStatus pm_job_work(PmImageJob *job, PmError *err)
{
    json_t *facts = pm_facts_to_json(job->facts);
    if (facts == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    /* A worker never learns where the object lies. */
    json_object_del(facts, "bucket");
    json_object_del(facts, "etag");
    PmPoolJob request = {.source_fd = job->source_fd,
                         .facts = facts,
                         .outputs = job->run->outputs,
                         .attempt = job->result.attempt,
                         .names = pm_job_names(job->object, job->event_id)};
    PmPoolJobSink sink = {
        .data = job, .begins = on_begins, .output = on_output, .skipped = on_skipped, .done = on_worked};
    job->lease = pm_pool_run(job->run->pool, &request, &sink, err);
    json_decref(facts);
    job->begun_ms = pm_clock_mono_ms();
    PM_CRASH_POINT("job.handed_to_worker");
    return job->lease != NULL ? PM_OK : err->status;
}

void pm_job_give_up(PmImageJob *job, const PmError *err)
{
    fail(job, err);
    end_soon(job);
}

void pm_job_free(PmImageJob *job)
{
    if (job == NULL) return;
    pm_loop_cancel(job->end);
    if (job->fetching != NULL) job->run->source->ops->cancel(job->run->source, job->fetching);
    pm_pool_abandon(job->lease);
    for (size_t i = 0; i < job->put_count; i++) {
        Put *put = &job->puts[i];
        if (put->call != NULL) {
            put->store->ops->cancel(put->store, put->call);
            pm_claims_end(job->run->claims, put->claim);
        }
        pm_memfd_unmap(&put->bytes);
    }
    for (size_t i = 0; job->expected != NULL && i < job->run->context.pipeline->output_count; i++)
        if (job->expected[i].call != NULL)
            job->expected[i].store->ops->cancel(job->expected[i].store, job->expected[i].call);
    pm_memfd_unmap(&job->source);
    if (job->source_fd >= 0) close(job->source_fd);
    pm_object_finish(&job->pinned);
    pm_facts_free(job->facts);
    for (size_t i = 0; job->outputs != NULL && i < job->put_count; i++) free((char *)job->outputs[i].location);
    free(job->outputs);
    json_decref(job->not_made);
    json_decref(job->out_facts);
    json_decref(job->verdicts);
    json_decref(job->warnings);
    json_decref(job->timings);
    pm_evidence_finish(&job->evidence);
    free(job->puts);
    free(job->expected);
    free(job);
}

const PmJobResult *pm_job_result(const PmImageJob *job)
{
    return &job->result;
}

bool pm_job_is_larger(const PmImageJob *job)
{
    return job->larger;
}

const char *pm_job_stage(const PmImageJob *job)
{
    return job->worked_ms != 0 ? "store" : job->begun_ms != 0 ? "work" : job->fetched_ms != 0 ? "wait" : "fetch";
}

int64_t pm_job_source_size(const PmImageJob *job)
{
    return (int64_t)job->source.size;
}

const PmEvidence *pm_job_evidence(const PmImageJob *job)
{
    return &job->evidence;
}

const char *pm_job_crash(const PmImageJob *job)
{
    return job->crash[0] != '\0' ? job->crash : NULL;
}
