/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking without running: is the pipeline fine, and what would it do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/signers.h"
#include "session/check.h"

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

typedef struct Check {
    PmLoop *loop;
    PmChecked *checked;
    PmErrorList *errors;
    PmError *err;
    /* explain */
    PmPool *pool;
    const json_t *body;
    int fd;
    bool asked;
    json_t *plan;
} Check;

static void on_ready(void *data, const json_t *info)
{
    Check *check = data;
    if (check->checked != NULL) {
        check->checked->info = json_incref((json_t *)info);
        pm_loop_stop(check->loop);
    }
}

static void on_refused(void *data, const PmErrorList *errors)
{
    Check *check = data;
    for (size_t i = 0; i < errors->count; i++) {
        if (check->errors != NULL)
            pm_error_list_add(check->errors, &errors->items[i]);
        else if (check->err->status == PM_OK)
            *check->err = errors->items[i];
    }
    pm_loop_stop(check->loop);
}

static void on_failed(void *data, const PmError *err)
{
    Check *check = data;
    if (check->err->status == PM_OK) *check->err = *err;
    pm_loop_stop(check->loop);
}

static PmStatus ask_worker(const PmPoolOptions *options, PmChecked *checked, PmErrorList *errors, PmError *err)
{
    Check check = {.checked = checked, .errors = errors, .err = err, .loop = pm_loop_new(err)};
    PmPoolSink sink = {.data = &check, .ready = on_ready, .refused = on_refused, .failed = on_failed};
    PmPoolOptions only_check = *options;
    only_check.check = true;
    if (check.loop != NULL)
        check.pool = pm_pool_new(check.loop, checked->pipeline, checked->text, checked->size, &only_check, &sink, err);
    if (check.pool != NULL) pm_loop_run(check.loop);
    pm_pool_free(check.pool);
    pm_loop_free(check.loop);
    return err->status;
}

PmStatus pm_check_text(const char *file, const char *dir, char *text, size_t size, const PmPoolOptions *options,
                       PmChecked *checked, PmErrorList *errors, PmError *err)
{
    *checked = (PmChecked){.text = text, .size = size};
    checked->pipeline = pm_pipeline_read(file, dir, text, size, pm_kinds, environment, NULL, errors);
    if (checked->pipeline != NULL) ask_worker(options, checked, errors, err);
    /* When the worker refuses the file nobody says what facts the steps set; all the others can be told. */
    if (checked->pipeline != NULL)
        pm_pipeline_check_facts(checked->pipeline, json_object_get(checked->info, "facts"), errors);
    if (checked->info != NULL)
        pm_pipeline_check_places(checked->pipeline, json_object_get(checked->info, "writes"), errors);
    if (checked->info != NULL) pm_signed_endpoints_check(checked->pipeline, checked->info, errors);
    pm_error_list_sort(errors);
    if (err->status == PM_OK && errors->count == 0) return PM_OK;
    pm_checked_finish(checked);
    return err->status != PM_OK ? err->status : PM_BAD_CONFIG;
}

PmStatus pm_check(const char *file, const PmPoolOptions *options, PmChecked *checked, PmErrorList *errors, PmError *err)
{
    char *dir = NULL, *text = NULL;
    size_t size = 0;
    *checked = (PmChecked){0};
    if (pm_pipeline_load_text(file, &text, &size, &dir, err) != PM_OK) {
        pm_error_list_add(errors, err);
        pm_error_clear(err);
        return PM_BAD_CONFIG;
    }
    PmStatus status = pm_check_text(file, dir, text, size, options, checked, errors, err);
    free(dir);
    return status;
}

void pm_checked_finish(PmChecked *checked)
{
    pm_pipeline_free(checked->pipeline);
    free(checked->text);
    json_decref(checked->info);
    *checked = (PmChecked){0};
}

/* --- explain --- */

static void on_planned(void *data, const json_t *plan, const PmError *err)
{
    Check *check = data;
    if (err != NULL && check->err->status == PM_OK) *check->err = *err;
    check->plan = json_incref((json_t *)plan);
    pm_loop_stop(check->loop);
}

static void on_idle(void *data)
{
    Check *check = data;
    if (check->asked) return;
    check->asked = true;
    if (pm_pool_plan(check->pool, check->body, check->fd, on_planned, check, check->err) != PM_OK)
        pm_loop_stop(check->loop);
}

static int read_source(const PmPipeline *pipeline, const char *file, const char *key, json_t *body, PmError *err)
{
    int64_t max = pipeline->limits.file_size;
    PmFacts *facts = pm_facts_new();
    char *bytes = malloc((size_t)max + 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC), memfd = -1;
    ssize_t n = 0;
    size_t size = 0;
    while (fd >= 0 && bytes != NULL && size <= (size_t)max && (n = read(fd, bytes + size, (size_t)max + 1 - size)) > 0)
        size += (size_t)n;
    if (facts == NULL || bytes == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else if (fd < 0 || n < 0)
        pm_error_set(err, PM_BAD_CONFIG, "%s: %s", file, strerror(errno));
    else if (size > (size_t)max)
        pm_error_set(err, PM_LIMIT, "%s is larger than limits.file_size", file);
    else
        memfd = pm_memfd_new("source", bytes, size, err);
    const char *slash = strrchr(file, '/');
    if (memfd >= 0) {
        pm_facts_set_key(facts, key != NULL ? key : slash != NULL ? slash + 1 : file);
        pm_facts_setf(facts, "file_size", "%zu", size);
        json_object_set_new(body, "facts", pm_facts_to_json(facts));
    }
    if (fd >= 0) close(fd);
    free(bytes);
    pm_facts_free(facts);
    return memfd;
}

json_t *pm_explain(const PmChecked *checked, const PmPoolOptions *options, const char *file, const char *format,
                   int32_t width, int32_t height, PmError *err)
{
    json_t *body = file != NULL ? json_object()
                                : json_pack("{ss si si}", "format", format, "width", (int)width, "height", (int)height);
    Check check = {.err = err, .body = body, .fd = -1, .loop = pm_loop_new(err)};
    PmPoolSink sink = {.data = &check, .ready = on_ready, .refused = on_refused, .failed = on_failed, .idle = on_idle};
    PmPoolOptions one = *options;
    one.workers = 1;
    if (file != NULL) check.fd = read_source(checked->pipeline, file, NULL, body, err);
    if (check.loop != NULL && err->status == PM_OK)
        check.pool = pm_pool_new(check.loop, checked->pipeline, checked->text, checked->size, &one, &sink, err);
    if (check.pool != NULL) pm_loop_run(check.loop);
    pm_pool_free(check.pool);
    pm_loop_free(check.loop);
    if (check.fd >= 0) close(check.fd);
    json_decref(body);
    return check.plan;
}

/* --- the plans of many files --- */

typedef struct Plans {
    PmLoop *loop;
    PmPool *pool;
    const PmPipeline *pipeline;
    const PmObject *const *objects;
    size_t count, next;
    bool busy; /* objects[next] is with a worker */
    json_t *body;
    int fd;
    PmPlanned *planned;
    void *data;
    PmError *err;
} Plans;

static void end_plan(Plans *plans)
{
    if (plans->fd >= 0) close(plans->fd);
    json_decref(plans->body);
    plans->fd = -1;
    plans->body = NULL;
    plans->busy = false;
    plans->next++;
}

static void on_next_planned(void *data, const json_t *plan, const PmError *err)
{
    Plans *plans = data;
    plans->planned(plans->data, plans->next, err == NULL ? plan : NULL);
    end_plan(plans);
    if (plans->next == plans->count) pm_loop_stop(plans->loop);
}

static void on_next_idle(void *data)
{
    Plans *plans = data;
    while (!plans->busy && plans->next < plans->count) {
        const PmObject *object = plans->objects[plans->next];
        PmError why = {0};
        plans->busy = true;
        plans->body = json_object();
        plans->fd = read_source(plans->pipeline, object->path, object->key, plans->body, &why);
        if (plans->fd >= 0 &&
            pm_pool_plan(plans->pool, plans->body, plans->fd, on_next_planned, plans, plans->err) == PM_OK)
            return;
        if (plans->err->status != PM_OK) {
            end_plan(plans);
            pm_loop_stop(plans->loop);
            return;
        }
        plans->planned(plans->data, plans->next, NULL); /* it cannot be read: the run will tell */
        end_plan(plans);
    }
    if (!plans->busy) pm_loop_stop(plans->loop);
}

static void on_plans_refused(void *data, const PmErrorList *errors)
{
    Plans *plans = data;
    (void)errors; /* the run is refused for the same, and tells all of it */
    pm_loop_stop(plans->loop);
}

static void on_plans_failed(void *data, const PmError *err)
{
    Plans *plans = data;
    if (plans->err->status == PM_OK) *plans->err = *err;
    pm_loop_stop(plans->loop);
}

static void on_plans_ready(void *data, const json_t *info)
{
    (void)data;
    (void)info;
}

PmStatus pm_explain_files(const PmPipeline *pipeline, const char *text, size_t size, const PmPoolOptions *options,
                          const PmObject *const *objects, size_t count, PmPlanned *planned, void *data, PmError *err)
{
    Plans plans = {.pipeline = pipeline,
                   .objects = objects,
                   .count = count,
                   .fd = -1,
                   .planned = planned,
                   .data = data,
                   .err = err,
                   .loop = pm_loop_new(err)};
    PmPoolSink sink = {.data = &plans,
                       .ready = on_plans_ready,
                       .refused = on_plans_refused,
                       .failed = on_plans_failed,
                       .idle = on_next_idle};
    PmPoolOptions one = *options;
    one.workers = 1;
    if (plans.loop != NULL) plans.pool = pm_pool_new(plans.loop, pipeline, text, size, &one, &sink, err);
    if (plans.pool != NULL) pm_loop_run(plans.loop);
    pm_pool_free(plans.pool);
    pm_loop_free(plans.loop);
    if (plans.fd >= 0) close(plans.fd);
    json_decref(plans.body);
    return err->status;
}
