/* SPDX-License-Identifier: Apache-2.0
 *
 * Are the facts that templates and `when` name known where they stand? pixmill's own depend on the place; a plugin's
 * is known after the step that sets it.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/pipeline.h"
#include "pipeline/sections.h"

enum { WORDS_MAX = 400 };

/* A place in which facts are named, and the steps that have run when it is reached. */
typedef struct Scope {
    const PmPipeline *pipeline;
    const PmOutput *output;           /* NULL: the trunk, or quarantine */
    size_t trunk_steps, output_steps; /* how many of them have run */
    unsigned flag;                    /* PM_FACT_KEY or PM_FACT_WHEN */
    const char *what;                 /* "a key", "when" */
    const char *const *not_here;      /* facts of pixmill's that the flag allows and this place does not; or NULL */
    const json_t *plugin_facts;       /* all that any step sets; NULL: not known yet */
    PmErrorList *errors;
} Scope;

static bool own_fact_known(const Scope *scope, const char *name)
{
    const PmFactInfo *info = pm_fact_info(name);
    return info != NULL && (info->flags & scope->flag) != 0 && !pm_text_is_one_of(name, scope->not_here);
}

/* The step among steps[from..to) that sets "step.fact". */
static const PmStep *setter(const PmStep *steps, size_t from, size_t to, const char *fact)
{
    for (size_t i = from; i < to; i++) {
        size_t n = strlen(steps[i].name);
        if (n > 0 && strncmp(steps[i].name, fact, n) == 0 && fact[n] == '.') return &steps[i];
    }
    return NULL;
}

static bool set_by_plugins(const json_t *facts, const char *name)
{
    for (size_t i = 0; i < json_array_size(facts); i++) {
        const char *fact = json_string_value(json_array_get(facts, i));
        if (fact != NULL && strcmp(fact, name) == 0) return true;
    }
    return facts == NULL; /* the plugins are not loaded: only the step can be checked */
}

static bool step_has_run(const Scope *scope, const char *fact)
{
    return setter(scope->pipeline->steps, 0, scope->trunk_steps, fact) != NULL ||
           (scope->output != NULL && setter(scope->output->steps, 0, scope->output_steps, fact) != NULL);
}

/* The step that sets the fact later on, or in another output. */
static const PmStep *step_elsewhere(const Scope *scope, const char *fact)
{
    const PmPipeline *p = scope->pipeline;
    const PmStep *step = setter(p->steps, scope->trunk_steps, p->step_count, fact);
    for (size_t i = 0; step == NULL && i < p->output_count; i++)
        step = setter(p->outputs[i].steps, 0, p->outputs[i].step_count, fact);
    return step;
}

static const char *nearest(const Scope *scope, const char *name)
{
    const char *words[WORDS_MAX + 1];
    size_t n = 0;
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL && n < WORDS_MAX; info++)
        if (own_fact_known(scope, info->name)) words[n++] = info->name;
    for (size_t i = 0; i < json_array_size(scope->plugin_facts) && n < WORDS_MAX; i++) {
        const char *fact = json_string_value(json_array_get(scope->plugin_facts, i));
        if (fact != NULL && step_has_run(scope, fact)) words[n++] = fact;
    }
    words[n] = NULL;
    return pm_text_nearest(name, words);
}

/* All of pixmill's own that may stand here, and the setters' when there are few. */
static void list_known(const Scope *scope, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL && used < size; info++) {
        if (!own_fact_known(scope, info->name)) continue;
        int n = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", info->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

/* The words that people use elsewhere come before those that only look alike: {size} is file_size. */
static void suggest(const Scope *scope, const char *name, PmError *err)
{
    const char *also = pm_fact_also(name),
               *near = also != NULL && own_fact_known(scope, also) ? also : nearest(scope, name);
    char known[320];
    list_known(scope, known, sizeof known);
    if (err == NULL) return;
    if (near != NULL)
        pm_error_hint(err, "did you mean \"%s\"?", near);
    else
        pm_error_hint(err, "known here: %s", known);
}

static void check_fact(const Scope *scope, const char *name, int line, int column, const char *where)
{
    bool of_step = strchr(name, '.') != NULL;
    if (own_fact_known(scope, name)) return;
    if (of_step && step_has_run(scope, name) && set_by_plugins(scope->plugin_facts, name)) return;
    const PmStep *later = of_step && !step_has_run(scope, name) ? step_elsewhere(scope, name) : NULL;
    const char *file = scope->pipeline->file;
    PmError *err;
    if (pm_fact_info(name) != NULL)
        err = pm_error_list_addf(scope->errors, PM_BAD_CONFIG, file, line, column, where,
                                 "the fact \"%s\" is not known in %s", name, scope->what);
    else if (later != NULL)
        err = pm_error_list_addf(scope->errors, PM_BAD_CONFIG, file, line, column, where,
                                 "the fact \"%s\" is not known here: the step on line %d sets it", name, later->line);
    else if (of_step)
        err = pm_error_list_addf(scope->errors, PM_BAD_CONFIG, file, line, column, where,
                                 "no step sets the fact \"%s\"", name);
    else
        err = pm_error_list_addf(scope->errors, PM_BAD_CONFIG, file, line, column, where, "unknown fact \"%s\"", name);
    if (later == NULL) suggest(scope, name, err);
}

static void check_place(const Scope *scope, const PmPlace *place, const char *where)
{
    const char *name;
    for (size_t i = 0; place->key != NULL && (name = pm_template_fact(place->key, i)) != NULL; i++)
        check_fact(scope, name, place->key_line, place->key_column, where);
}

/* What an inspector's verdict can be: it sets all three, and no other step does. */
static const PmFactInfo *verdict_info(const Scope *scope, const char *name)
{
    static const char *const parts[] = {"decision", "score", "label"};
    const char *dot = strrchr(name, '.');
    if (dot == NULL || scope->plugin_facts == NULL) return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char fact[200];
        snprintf(fact, sizeof fact, "%.*s.%s", (int)(dot - name), name, parts[i]);
        if (!set_by_plugins(scope->plugin_facts, fact)) return NULL;
    }
    return pm_fact_of_verdict(dot + 1);
}

static void check_when(const Scope *scope, const PmWhen *when, const char *where)
{
    int line = 0, column = 0;
    const char *name;
    for (size_t i = 0; when != NULL && (name = pm_when_fact(when, i, &line, &column)) != NULL; i++) {
        check_fact(scope, name, line, column, where);
        const PmFactInfo *info = verdict_info(scope, name);
        if (info != NULL) pm_when_check(when, i, info, scope->pipeline->file, where, scope->errors);
    }
}

static void check_output(Scope scope, const PmOutput *output)
{
    scope.output = output;
    scope.trunk_steps = scope.pipeline->step_count;
    check_when(&scope, output->when, output->where);
    for (size_t i = 0; i < output->step_count; i++) {
        scope.output_steps = i;
        check_when(&scope, output->steps[i].when, output->steps[i].where);
    }
    scope.output_steps = output->step_count;
    scope.flag = PM_FACT_KEY;
    scope.what = "a key";
    check_place(&scope, &output->to, output->where);
}

void pm_pipeline_check_facts(const PmPipeline *pipeline, const json_t *plugin_facts, PmErrorList *errors)
{
    /* A picture is set aside before there is any output; a record is of all outputs together. */
    static const char *const of_outputs[] = {"output", "ext", NULL};
    Scope scope = {
        .pipeline = pipeline, .flag = PM_FACT_WHEN, .what = "when", .plugin_facts = plugin_facts, .errors = errors};
    for (size_t i = 0; i < pipeline->step_count; i++) {
        scope.trunk_steps = i;
        check_when(&scope, pipeline->steps[i].when, pipeline->steps[i].where);
    }
    for (size_t i = 0; i < pipeline->output_count; i++) check_output(scope, &pipeline->outputs[i]);
    Scope aside = scope;
    aside.trunk_steps = 0; /* any step may be the one that rejects */
    aside.flag = PM_FACT_KEY;
    aside.what = "a quarantine's key";
    aside.not_here = of_outputs;
    check_place(&aside, &pipeline->quarantine, PM_KEY_QUARANTINE);
    aside.what = "a record's path";
    check_place(&aside, &pipeline->notify, PM_KEY_NOTIFY);
}
