/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/metrics.h"

#include <stdlib.h>
#include <string.h>

struct PmMetrics {
    const PmPipeline *pipeline;
    PmMetricSet *set;
};

const PmMetricFamily pm_metric_families[PM_METRICS] = {
    [PM_METRIC_PIPELINE_INFO] = {"pixmill_pipeline_info",
                                 PM_GAUGE,
                                 {"pipeline", "digest", "trigger"},
                                 "The pipeline that runs; its value is 1."},
    [PM_METRIC_RECEIVED] = {"pixmill_events_received", PM_COUNTER, {"pipeline"}, "Events taken from the trigger."},
    [PM_METRIC_SETTLED] = {"pixmill_events_settled",
                           PM_COUNTER,
                           {"pipeline", "outcome"},
                           "Events that were settled: ack, retry, dead, quarantine, release."},
    [PM_METRIC_IMAGES] = {"pixmill_images",
                          PM_COUNTER,
                          {"pipeline", "outcome"},
                          "Images finished: stored, current, stale, gone, rejected, failed."},
    [PM_METRIC_OUTPUTS] = {"pixmill_outputs",
                           PM_COUNTER,
                           {"pipeline", "output", "outcome", "format"},
                           "Renditions by what storing them came to: stored, current, stale, failed."},
    [PM_METRIC_FAILURES] = {"pixmill_failures",
                            PM_COUNTER,
                            {"pipeline", "status", "step"},
                            "Attempts at an image that ended with an error."},
    [PM_METRIC_RETRIES] = {"pixmill_retries",
                           PM_COUNTER,
                           {"pipeline", "status"},
                           "Attempts at an image that are followed by another one."},
    [PM_METRIC_DEAD_LETTERS] = {"pixmill_dead_letters",
                                PM_COUNTER,
                                {"pipeline", "status"},
                                "Events set aside as hopeless."},
    [PM_METRIC_STAGES] = {"pixmill_stage_duration_seconds",
                          PM_HISTOGRAM,
                          {"pipeline", "stage"},
                          "Time of an image in each stage: queue, fetch, wait, plan, decode, work, store."},
    [PM_METRIC_STEPS] = {"pixmill_step_duration_seconds",
                         PM_HISTOGRAM,
                         {"pipeline", "step"},
                         "Time of an image in each step."},
    [PM_METRIC_DURATION] = {"pixmill_image_duration_seconds",
                            PM_HISTOGRAM,
                            {"pipeline"},
                            "From an image's beginning to its end, each attempt for itself."},
    [PM_METRIC_AGE] = {"pixmill_message_age_seconds",
                       PM_HISTOGRAM,
                       {"pipeline"},
                       "From when a message was sent until it was taken."},
    [PM_METRIC_SOURCE_BYTES] = {"pixmill_source_bytes", PM_COUNTER, {"pipeline"}, "Bytes of sources that were read."},
    [PM_METRIC_OUTPUT_BYTES] = {"pixmill_output_bytes",
                                PM_COUNTER,
                                {"pipeline"},
                                "Bytes of renditions that were stored."},
    [PM_METRIC_SOURCE_PIXELS] = {"pixmill_source_pixels", PM_COUNTER, {"pipeline"}, "Pixels of sources, all pages."},
    [PM_METRIC_IN_FLIGHT] = {"pixmill_in_flight", PM_GAUGE, {"pipeline"}, "Objects taken and not finished."},
    [PM_METRIC_WORKERS] = {"pixmill_workers", PM_GAUGE, {"pipeline"}, "Worker processes that there are to be."},
    [PM_METRIC_WORKERS_BUSY] = {"pixmill_workers_busy", PM_GAUGE, {"pipeline"}, "Worker processes not free for a job."},
    [PM_METRIC_SANDBOX] = {"pixmill_sandbox_tier", PM_GAUGE, {"pipeline"}, "How well workers are locked in, 1 to 3."},
};

PmMetrics *pm_metrics_new(const PmPipeline *pipeline)
{
    PmMetrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) return NULL;
    metrics->pipeline = pipeline;
    metrics->set = pm_metric_set_new(pm_metric_families, PM_METRICS);
    if (metrics->set != NULL) return metrics;
    free(metrics);
    return NULL;
}

void pm_metrics_free(PmMetrics *metrics)
{
    if (metrics == NULL) return;
    pm_metric_set_free(metrics->set);
    free(metrics);
}

const char *pm_metrics_pipeline(const PmMetrics *metrics)
{
    return metrics->pipeline->name;
}

PmMetricSet *pm_metrics_set(PmMetrics *metrics)
{
    return metrics->set;
}

/* --- counting --- */

/* The series of these values besides the pipeline, as many as the family has labels. */
static PmSeries *series(PmMetrics *metrics, PmMetric metric, const char *a, const char *b, const char *c)
{
    const char *const values[PM_METRIC_LABELS_MAX] = {metrics->pipeline->name, a, b, c};
    return pm_metric_series(metrics->set, metric, values);
}

static void count(PmMetrics *metrics, PmMetric metric, const char *a, const char *b, double more)
{
    pm_metric_add(series(metrics, metric, a, b, NULL), more);
}

static void observe(PmMetrics *metrics, PmMetric metric, const char *label, double seconds)
{
    pm_metric_observe(metrics->set, series(metrics, metric, label, NULL, NULL), seconds > 0 ? seconds : 0);
}

void pm_metrics_add_received(PmMetrics *metrics, size_t events)
{
    if (metrics != NULL) count(metrics, PM_METRIC_RECEIVED, NULL, NULL, (double)events);
}

void pm_metrics_add_settled(PmMetrics *metrics, const PmFate *fate)
{
    static const char *const outcomes[] = {[PM_FATE_ACK] = "ack",
                                           [PM_FATE_RETRY] = "retry",
                                           [PM_FATE_DEAD] = "dead",
                                           [PM_FATE_QUARANTINE] = "quarantine",
                                           [PM_FATE_RELEASE] = "release"};
    if (metrics == NULL) return;
    count(metrics, PM_METRIC_SETTLED, outcomes[fate->kind], NULL, 1);
    if (fate->kind == PM_FATE_DEAD)
        count(metrics, PM_METRIC_DEAD_LETTERS,
              pm_status_name(fate->reason != NULL ? fate->reason->status : PM_BAD_INPUT), NULL, 1);
}

void pm_metrics_add_stage(PmMetrics *metrics, const char *stage, int64_t ms)
{
    if (metrics != NULL) observe(metrics, PM_METRIC_STAGES, stage, (double)ms / 1000);
}

void pm_metrics_add_age(PmMetrics *metrics, int64_t ms)
{
    if (metrics != NULL) observe(metrics, PM_METRIC_AGE, NULL, (double)ms / 1000);
}

void pm_metrics_put(PmMetrics *metrics, PmMetric gauge, double value)
{
    if (metrics != NULL) pm_metric_put(series(metrics, gauge, NULL, NULL, NULL), value);
}

void pm_metrics_put_info(PmMetrics *metrics, const char *digest)
{
    if (metrics == NULL) return;
    const PmKind *trigger = metrics->pipeline->trigger.kind;
    pm_metric_put(series(metrics, PM_METRIC_PIPELINE_INFO, digest, trigger != NULL ? trigger->name : "", NULL), 1);
}

/* --- results --- */

/* The name of the step with that path, "" for none: an error's words are a child's. */
static const char *step_name(const PmPipeline *pipeline, const char *path)
{
    for (size_t i = 0; path[0] != '\0' && i < pipeline->step_count; i++)
        if (strcmp(pipeline->steps[i].path, path) == 0) return pipeline->steps[i].name;
    for (size_t k = 0; path[0] != '\0' && k < pipeline->output_count; k++)
        for (size_t i = 0; i < pipeline->outputs[k].step_count; i++)
            if (strcmp(pipeline->outputs[k].steps[i].path, path) == 0) return pipeline->outputs[k].steps[i].name;
    return "";
}

/* What a finished image came to; NULL: it comes again. */
static const char *outcome_of(const PmJobResult *result)
{
    size_t stored = 0, stale = 0, current = 0;
    if (result->fate == PM_FATE_RETRY || result->fate == PM_FATE_RELEASE) return NULL;
    if (result->error != NULL) return result->error->status == PM_REJECTED ? "rejected" : "failed";
    if (result->skipped != NULL) return "gone";
    for (size_t i = 0; i < result->output_count; i++) {
        stored += result->outputs[i].stored == PM_STORED;
        stale += result->outputs[i].stored == PM_STORE_STALE;
        current += result->outputs[i].stored == PM_STORE_CURRENT;
    }
    return stored > 0 ? "stored" : stale > 0 ? "stale" : current > 0 ? "current" : "stored";
}

static void add_outputs(PmMetrics *metrics, const PmJobResult *result)
{
    static const char *const outcomes[] = {[PM_STORED] = "stored",
                                           [PM_STORE_CURRENT] = "current",
                                           [PM_STORE_STALE] = "stale",
                                           [PM_STORE_FAILED] = "failed"};
    for (size_t i = 0; i < result->output_count; i++) {
        const PmOutputResult *output = &result->outputs[i];
        pm_metric_add(series(metrics, PM_METRIC_OUTPUTS, output->output, outcomes[output->stored],
                             output->format != NULL ? output->format : ""),
                      1);
        if (output->stored == PM_STORED) count(metrics, PM_METRIC_OUTPUT_BYTES, NULL, NULL, (double)output->size);
    }
}

static void add_timings(PmMetrics *metrics, const json_t *timings)
{
    static const char *const stages[][2] = {{"fetch_ms", "fetch"},   {"wait_ms", "wait"}, {"plan_ms", "plan"},
                                            {"decode_ms", "decode"}, {"work_ms", "work"}, {"store_ms", "store"}};
    const char *step;
    json_t *us;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        const json_t *ms = json_object_get(timings, stages[i][0]);
        if (ms != NULL) observe(metrics, PM_METRIC_STAGES, stages[i][1], json_number_value(ms) / 1000);
    }
    json_object_foreach(json_object_get(timings, "steps_us"), step, us)
        observe(metrics, PM_METRIC_STEPS, step, json_number_value(us) / 1000000);
}

/* Facts are texts. */
static double fact(const json_t *facts, const char *name)
{
    const char *text = json_string_value(json_object_get(facts, name));
    double value = text != NULL ? strtod(text, NULL) : 0;
    return value > 0 && value < 1e9 ? value : 0;
}

void pm_metrics_add_result(PmMetrics *metrics, const PmJobResult *result)
{
    if (metrics == NULL) return;
    const char *outcome = outcome_of(result),
               *status = result->error != NULL ? pm_status_name(result->error->status) : NULL;
    double pages = fact(result->facts, "pages");
    if (outcome != NULL) count(metrics, PM_METRIC_IMAGES, outcome, NULL, 1);
    if (status != NULL)
        count(metrics, PM_METRIC_FAILURES, status, step_name(metrics->pipeline, result->error->step), 1);
    if (status != NULL && result->fate == PM_FATE_RETRY) count(metrics, PM_METRIC_RETRIES, status, NULL, 1);
    count(metrics, PM_METRIC_SOURCE_BYTES, NULL, NULL, (double)result->source_size);
    count(metrics, PM_METRIC_SOURCE_PIXELS, NULL, NULL,
          fact(result->facts, "width") * fact(result->facts, "height") * (pages > 0 ? pages : 1));
    add_outputs(metrics, result);
    observe(metrics, PM_METRIC_DURATION, NULL, (double)result->ms / 1000);
    add_timings(metrics, result->timings);
}
