/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/said.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

enum { WARNINGS_MAX = 50, LABEL_MAX = 64, ENDPOINTS_MAX = 64 };

/* --- what the pipeline knows --- */

typedef bool StepTest(const PmStep *step, const void *text);

static const PmStep *find(const PmPipeline *pipeline, StepTest *test, const void *data)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (test(&pipeline->steps[i], data)) return &pipeline->steps[i];
    for (size_t o = 0; o < pipeline->output_count; o++)
        for (size_t i = 0; i < pipeline->outputs[o].step_count; i++)
            if (test(&pipeline->outputs[o].steps[i], data)) return &pipeline->outputs[o].steps[i];
    return NULL;
}

static bool has_path(const PmStep *step, const void *path)
{
    return strcmp(step->path, path) == 0;
}

static bool has_name(const PmStep *step, const void *name)
{
    return strcmp(step->name, name) == 0;
}

static bool has_plugin(const PmStep *step, const void *plugin)
{
    return strcmp(step->plugin, plugin) == 0;
}

static bool rejects(const PmStep *step, const void *how)
{
    return step->on_reject == *(const PmOnReject *)how;
}

const PmStep *pm_said_step(const PmPipeline *pipeline, const char *path)
{
    return path != NULL ? find(pipeline, has_path, path) : NULL;
}

const char *pm_said_plugin(const PmPipeline *pipeline, const char *name)
{
    const PmStep *step = name != NULL ? find(pipeline, has_plugin, name) : NULL;
    if (step != NULL) return step->plugin;
    /* An output that does not say how it is written is converted. */
    return name != NULL && strcmp(name, "convert") == 0 ? "convert" : NULL;
}

bool pm_said_may_reject(const PmPipeline *pipeline, PmOnReject how)
{
    return find(pipeline, rejects, &how) != NULL;
}

/* The name under which a step's time and verdicts are told. */
static bool is_step_name(const PmPipeline *pipeline, const char *name)
{
    return name != NULL && (find(pipeline, has_name, name) != NULL || strcmp(name, "convert") == 0);
}

/* --- facts --- */

json_t *pm_said_declared(const json_t *ready)
{
    json_t *declared = json_object();
    const json_t *facts = json_object_get(ready, "facts");
    for (size_t i = 0; i < json_array_size(facts); i++) {
        const char *name = json_string_value(json_array_get(facts, i));
        if (name != NULL) json_object_set_new(declared, name, json_true());
    }
    return declared;
}

json_t *pm_said_endpoints(const json_t *ready)
{
    json_t *declared = json_object();
    const json_t *endpoints = json_object_get(ready, "endpoints");
    for (size_t i = 0; i < json_array_size(endpoints) && json_object_size(declared) < ENDPOINTS_MAX; i++) {
        const char *url = json_string_value(json_object_get(json_array_get(endpoints, i), "url"));
        if (url != NULL) json_object_set_new(declared, url, json_true());
    }
    return declared;
}

json_t *pm_said_step_facts(const json_t *said, const json_t *declared)
{
    json_t *facts = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)said, name, value)
    {
        bool of_step = strchr(name, '.') != NULL;
        if (of_step && json_object_get(declared, name) == NULL) continue;
        if (json_is_string(value) && json_string_length(value) <= PM_FACT_VALUE_MAX &&
            pm_fact_from_worker(name, json_string_value(value)))
            json_object_set(facts, name, value);
    }
    return facts;
}

/* A number, or a short word such as a format's name or "true". */
static bool is_plain(const json_t *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const char *text = json_string_value(value);
    size_t n = text != NULL ? strlen(text) : 0;
    return n > 0 && n == json_string_length(value) && n <= LABEL_MAX && text[strspn(text, plain)] == '\0';
}

json_t *pm_said_facts(const json_t *said, const json_t *declared, const json_t *own)
{
    static const char *const of_header[] = {"format",    "width",       "height",     "pages",
                                            "has_alpha", "has_profile", "orientation"};
    json_t *facts = pm_said_step_facts(said, declared), *value;
    const char *name;
    for (size_t i = 0; i < sizeof of_header / sizeof of_header[0]; i++) {
        json_t *found = json_object_get(said, of_header[i]);
        if (is_plain(found)) json_object_set(facts, of_header[i], found);
    }
    json_object_foreach((json_t *)own, name, value) json_object_set(facts, name, value);
    return facts;
}

/* --- verdicts --- */

static const char *one_of(const json_t *value, const char *const *words)
{
    const char *text = json_string_value(value);
    for (; text != NULL && *words != NULL; words++)
        if (strcmp(text, *words) == 0) return *words;
    return NULL;
}

json_t *pm_said_verdicts(const json_t *said, const PmPipeline *pipeline)
{
    static const char *const decisions[] = {"pass", "flag", "reject", NULL};
    static const char *const consequences[] = {"quarantine", "drop", "blur", "placeholder", "flag", NULL};
    size_t max = pipeline->step_count;
    for (size_t o = 0; o < pipeline->output_count; o++) max += pipeline->outputs[o].step_count;
    json_t *verdicts = json_array();
    for (size_t i = 0; i < json_array_size(said) && i < max; i++) {
        const json_t *entry = json_array_get(said, i);
        const char *step = json_string_value(json_object_get(entry, "step"));
        const char *decision = one_of(json_object_get(entry, "decision"), decisions);
        const char *consequence = one_of(json_object_get(entry, "consequence"), consequences);
        const char *label = json_string_value(json_object_get(entry, "label"));
        double score = json_number_value(json_object_get(entry, "score"));
        char shown[LABEL_MAX];
        if (!is_step_name(pipeline, step) || decision == NULL) continue;
        pm_text_escape(shown, sizeof shown, label != NULL ? label : "");
        json_t *verdict = json_pack("{ss ss sf ss}", "step", step, "decision", decision, "score",
                                    isfinite(score) ? score : 0.0, "label", shown);
        if (consequence != NULL) json_object_set_new(verdict, "consequence", json_string(consequence));
        json_array_append_new(verdicts, verdict);
    }
    return verdicts;
}

/* --- errors, warnings --- */

/* Of a step that stands in no file: the `convert` of an output that does not say how it is written. */
static const PmOutput *output_of(const PmPipeline *pipeline, const char *path)
{
    static const char folder[] = "outputs.";
    for (size_t o = 0; o < pipeline->output_count; o++) {
        const char *name = pipeline->outputs[o].name;
        size_t n = strlen(name);
        if (strncmp(path, folder, sizeof folder - 1) == 0 && strncmp(path + sizeof folder - 1, name, n) == 0 &&
            path[sizeof folder - 1 + n] == '.')
            return &pipeline->outputs[o];
    }
    return NULL;
}

void pm_said_error(const json_t *said, const PmPipeline *pipeline, PmError *err)
{
    PmError raw = {0};
    pm_error_from_json(said, &raw);
    if (raw.status == PM_OK || raw.status == PM_BAD_CONFIG) raw.status = PM_BUG;
    if (raw.status == PM_REJECTED && !pm_said_may_reject(pipeline, PM_ON_REJECT_QUARANTINE) &&
        !pm_said_may_reject(pipeline, PM_ON_REJECT_DROP))
        raw.status = PM_BUG;
    const PmStep *step = pm_said_step(pipeline, raw.step);
    const PmOutput *output = step == NULL ? output_of(pipeline, raw.step) : NULL;
    const char *plugin = pm_said_plugin(pipeline, raw.plugin);
    *err = (PmError){0};
    pm_error_set(err, raw.status, "%s", raw.message);
    pm_error_hint(err, "%s", raw.hint);
    pm_text_copy(err->where, sizeof err->where, raw.where);
    pm_text_copy(err->plugin, sizeof err->plugin, plugin != NULL ? plugin : "");
    if (step != NULL) {
        pm_text_copy(err->step, sizeof err->step, step->path);
        pm_error_place(err, pipeline->file, step->line, step->column);
    } else if (output != NULL) {
        pm_error_place(err, pipeline->file, output->line, output->column);
    }
}

json_t *pm_said_warnings(const json_t *said, const PmPipeline *pipeline)
{
    json_t *warnings = json_array();
    for (size_t i = 0; i < json_array_size(said) && i < WARNINGS_MAX; i++) {
        PmError warning;
        pm_said_error(json_array_get(said, i), pipeline, &warning);
        json_array_append_new(warnings, pm_error_to_json(&warning));
    }
    return warnings;
}

/* --- timings --- */

static void copy_time(json_t *to, const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);
    double time = json_number_value(value);
    if (json_is_number(value) && isfinite(time) && time >= 0 && time < 1e12)
        json_object_set_new(to, name, json_integer((json_int_t)time));
}

json_t *pm_said_timings(const json_t *said, const PmPipeline *pipeline)
{
    static const char *const phases[] = {"plan_ms", "decode_ms", "run_ms", "cpu_ms"};
    json_t *timings = json_object(), *steps = json_object(), *value;
    const json_t *told = json_object_get(said, "steps_us");
    const char *name;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) copy_time(timings, said, phases[i]);
    json_object_foreach((json_t *)told, name, value) if (is_step_name(pipeline, name)) copy_time(steps, told, name);
    json_object_set_new(timings, "steps_us", steps);
    return timings;
}
