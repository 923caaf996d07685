/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: a pipeline with its plugins loaded, ready to turn bytes into renditions. Hides plugins, planning
 * and libvips from the worker. One engine per process; children inherit it by fork.
 */
#ifndef PM_ENGINE_ENGINE_H
#define PM_ENGINE_ENGINE_H

#include "base/ipc.h"
#include "pipeline/pipeline.h"

typedef struct PmEngine PmEngine;

/* Once per process, before anything else here: libvips, with untrusted operations blocked, no cache, one thread. */
PmStatus pm_engine_setup(PmError *err);

typedef struct PmEngineOptions {
    const char *const *plugin_dirs; /* absolute; NULL-terminated; searched in order for NAME.so */
    const char *plugin_file;        /* or NULL: one that lies anywhere, opened first; its folder is not looked at.
                                     * All are opened by path then: it is for debuggers. */
    PmProgress *progress;           /* may be NULL; pm_engine_set_progress later */
    bool fetch;                     /* the sink's fetch works; false: PmHost.fetch is NULL */
    const struct PmSink *log;       /* whose `log` gets the lines of create(); NULL: they go to our own log */
} PmEngineOptions;

/* Loads the plugins that the pipeline names, reads its assets, binds and creates every step. Errors to `errors`
 * with the places of pipeline (borrowed; outlives the engine); NULL when any was added. New otherwise. */
PmEngine *pm_engine_new(const PmPipeline *pipeline, const PmEngineOptions *options, PmErrorList *errors);
void pm_engine_free(PmEngine *engine);
/* Whether its plugins draw text, or its sources may hold some (SVG, PDF): then fonts are looked up. */
bool pm_engine_needs_fonts(const PmEngine *engine);
void pm_engine_set_progress(PmEngine *engine, PmProgress *progress);

/* The body of READY: plugins, facts, endpoints that the broker signs calls to, writes ({output: [format..]}), digest,
 * vips, formats, warnings. New. The digest changes whenever outputs might: pipeline text of the worker's part with
 * variables filled in, plugin versions and file digests, assets, libvips. */
json_t *pm_engine_describe(const PmEngine *engine);

/* {"plugins": [..], "errors": [..], "vips": "8.14.1", "formats": {..}} for the plugins in `dirs`: all, or those in
 * `names` (NULL-terminated). New. */
json_t *pm_engine_describe_plugins(const char *const *dirs, const char *const *names);

/* --- one job --- */

typedef struct PmJobInput {
    const void *bytes; /* borrowed; outlives the run */
    size_t size;
    const PmFacts *facts;       /* key and its parts, borrowed */
    const char *const *outputs; /* names wanted, NULL-terminated; NULL: all */
    int64_t deadline_ms;        /* pm_clock_mono_ms() at which the job is ended; 0: none */
    /* Called when it is known how many frames will be decoded, and how many pixels written; or NULL. */
    void (*planned)(void *data, int64_t frames, int64_t written);
    void *data;
} PmJobInput;

typedef struct PmRendition {
    const char *output; /* name */
    const char *format, *mime, *extension;
    int32_t width, height, pages;
    /* What the memory file holds, not to be read by a sink that gave the file; NULL when the source itself is the
     * result (keep_smaller). */
    const void *bytes;
    size_t size;
    const PmFacts *facts; /* job facts plus those of this output's steps; width, height, format, ext, output set */
} PmRendition;

/* What the run tells while it goes on; a status other than PM_OK ends the run with it. All calls on the
 * running thread; everything in them is borrowed for the call. */
typedef struct PmSink {
    void *data;
    PmStatus (*rendition)(void *data, const PmRendition *rendition, PmError *err);
    /* Or NULL. An empty memory file of the sink's for the rendition that began last, which is encoded into it: what
     * `rendition` gets is there already. Without, the engine makes a file of its own. */
    PmStatus (*file)(void *data, int *fd, PmError *err);
    /* Or NULL. The same rendition, before its pixels are computed and without bytes: what is known of it by then. */
    PmStatus (*begins)(void *data, const PmRendition *rendition, PmError *err);
    PmStatus (*skipped)(void *data, const char *output, const char *reason, PmError *err);
    PmStatus (*fetch)(void *data, const char *url, const PmRequest *request, PmResponse *response, PmError *err);
    /* `plugin` and `step` (its path): "" where none is at work. */
    void (*log)(void *data, int level, const char *plugin, const char *step, const char *text);
} PmSink;

typedef struct PmReport {
    PmOnReject rejected_as; /* when the status is PM_REJECTED: quarantine or drop */
    json_t *facts;          /* {name: value}: all facts at the end */
    json_t *verdicts;       /* [{step, decision, score, label, consequence}..] */
    json_t *warnings;       /* [error..]: broken promises and the like */
    json_t *timings; /* {plan_ms, decode_ms, run_ms, steps_us: {step: us}}. Pixels are computed when they are asked for:
                        by inspectors and encoders, whose time includes that of the steps before them */
} PmReport;
void pm_report_finish(PmReport *report);

/* Runs the pipeline on one image. Outputs arrive at the sink as each is complete. `report` is filled even on failure.
 * PM_BAD_INPUT, PM_LIMIT, PM_REJECTED, PM_BUG with step and plugin named, as err says. */
PmStatus pm_engine_run(PmEngine *engine, const PmJobInput *input, const PmSink *sink, PmReport *report, PmError *err);

/* The plan as JSON for `explain`: {source: {format, width, ..}, load: {loader, options, shape, access, why},
 * trunk: [step..], outputs: [{name, from, steps: [{step, plugin, line, in, out, need, flags}..], encode: {..},
 * skipped?}..], shared: [..], memory_bytes}. With bytes NULL, planned for `format` of width x height. New; NULL and err
 * set on failure. */
json_t *pm_engine_explain(PmEngine *engine, const PmJobInput *input, const char *format, int32_t width, int32_t height,
                          PmError *err);

#endif
