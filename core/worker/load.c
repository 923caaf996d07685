/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/load.h"

#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "worker/capture.h"
#include "worker/confine.h"
#include "worker/fault.h"
#include "worker/idle_threads.h"
#include "worker/warmup.h"

enum { STRINGS_MAX = 1000, LONG_WAIT_MS = 1000, JOBS_PER_CHILD = 64 };

const char **pm_load_strings(const json_t *names, const char *what, PmError *err)
{
    size_t count = json_array_size(names);
    const char **strings = calloc(count + 1, sizeof *strings);
    bool fine = strings != NULL && json_is_array(names) && count <= STRINGS_MAX;
    for (size_t i = 0; fine && i < count; i++)
        fine = (strings[i] = json_string_value(json_array_get(names, i))) != NULL;
    if (fine) return strings;
    free(strings);
    pm_error_set(err, PM_BUG, "LOAD: %s is not a list of texts", what);
    return NULL;
}

static const char *look_up(void *data, const char *name)
{
    return json_string_value(json_object_get(data, name));
}

static void fail(PmErrorList *errors, const char *why)
{
    pm_error_list_addf(errors, PM_BUG, NULL, 0, 0, "LOAD", "%s", why);
}

/* The pipeline, as far as it can be read. */
static void read_pipeline(PmLoad *load, const PmMessage *message, PmErrorList *errors)
{
    const char *file = json_string_value(json_object_get(message->body, "file"));
    const char *dir = json_string_value(json_object_get(message->body, "dir"));
    if (file == NULL || dir == NULL || message->fd_count < 1) {
        fail(errors, "it lacks file, dir or the text");
        return;
    }
    PmError err = {0};
    PmMapping text;
    if (pm_memfd_map(message->fds[0], PM_TREE_TEXT_MAX, &text, &err) != PM_OK) {
        pm_error_context(&err, "LOAD");
        pm_error_list_add(errors, &err);
        return;
    }
    load->pipeline =
        pm_pipeline_read(file, dir, text.size > 0 ? text.bytes : "", text.size, NULL, look_up, load->env, errors);
    pm_memfd_unmap(&text);
}

void pm_load_probe(PmLoad *load)
{
    if (!load->probed) pm_sandbox_probe_end(&load->probe, &load->sandbox);
    load->probed = true;
}

PmStatus pm_load_confine(PmLoad *load, const char *const *plugin_dirs, PmError *err)
{
    pm_load_probe(load);
    return pm_confine(&load->sandbox, plugin_dirs, load->pipeline, err);
}

static void check_sandbox(PmLoad *load, PmErrorList *errors)
{
    PmError err = {0};
    PmStatus status = PM_OK;
    pm_load_probe(load);
    int64_t minimum = load->pipeline != NULL ? load->pipeline->worker.sandbox_minimum : 0;
    if (!load->check) status = pm_sandbox_check(&load->sandbox, minimum, &err);
    if (status == PM_OK) return;
    if (load->pipeline != NULL) pm_text_copy(err.file, sizeof err.file, load->pipeline->file);
    pm_error_list_add(errors, &err);
}

/* Before the first plugin is opened. */
static bool confine(PmLoad *load, PmErrorList *errors)
{
    PmError err = {0};
    load->plugin_dirs = pm_load_strings(json_object_get(load->message, "plugin_dirs"), "plugin_dirs", &err);
    if (load->plugin_dirs != NULL && pm_load_confine(load, load->plugin_dirs, &err) == PM_OK) return true;
    pm_error_list_add(errors, &err);
    return false;
}

/* --- code of libraries and plugins runs for the first time --- */

static PmLoad *at_work;                      /* between start and end of its create() calls */
static PmProgress nobody_reads;              /* where LOAD brings no page */
static PmProgress *progress = &nobody_reads; /* whose create() it is */

static const char *crash_text(char *out, size_t size, int signo)
{
    char *call = signo == SIGSYS ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, pm_fault_refused_call()) : NULL;
    if (call != NULL) {
        snprintf(out, size, "called %.30s(), which no plugin may,", call);
        free(call);
        return out;
    }
    if (signo == SIGALRM) return "did not come back";
    snprintf(out, size, "crashed (SIG%s)", sigabbrev_np(signo));
    return out;
}

static void start_libvips(void *data)
{
    pm_warm_up_names();
    pm_idle_threads_watch();
    pm_engine_setup(data);
}

void pm_load_begin(PmLoad *load)
{
    char what[64];
    *load = (PmLoad){.early = {0}};
    if (pm_fault_install(progress, &load->early) != PM_OK ||
        pm_sandbox_probe_begin(&load->probe, &load->early) != PM_OK)
        return;
    int signo = pm_fault_survive(start_libvips, &load->early, PM_LOAD_SECONDS);
    if (signo != 0)
        pm_error_set(&load->early, PM_BUG, "libvips %s when it was started", crash_text(what, sizeof what, signo));
}

typedef struct Start {
    PmLoad *load;
    PmErrorList *errors;
} Start;

static void start_engine(void *data)
{
    const Start *start = data;
    PmLoad *load = start->load;
    PmEngineOptions options = {
        .plugin_dirs = load->plugin_dirs, .progress = progress, .fetch = load->fetch, .log = &load->log};
    load->engine = pm_engine_new(load->pipeline, &options, start->errors);
    if (load->engine != NULL) pm_engine_set_progress(load->engine, NULL);
}

static void say_who(const PmLoad *load, PmError *err, const char *what)
{
    PmProgress at = pm_progress_read(progress);
    const char *plugin = at.plugin[0] != '\0' ? at.plugin : at.fault_plugin;
    pm_error_set(err, PM_BUG, "%s%s %s while the pipeline was loaded", plugin[0] != '\0' ? "plugin " : "a library",
                 plugin, what);
    pm_text_copy(err->plugin, sizeof err->plugin, plugin);
    pm_text_copy(err->step, sizeof err->step, at.step);
    pm_error_place(err, load->pipeline->file, at.line, 1);
}

/* What a plugin has printed that did not come back, or code that nobody called, such as constructors. */
static void log_rest(void *data, const char *text)
{
    const PmLoad *load = data;
    PmProgress at = pm_progress_read(progress);
    if (load->log.log != NULL) load->log.log(load->log.data, PM_LOG_WARN, at.plugin, at.step, text);
}

static void start_guarded(PmLoad *load, PmErrorList *errors)
{
    Start start = {load, errors};
    at_work = load;
    pm_capture_begin();
    int signo = pm_fault_survive(start_engine, &start, PM_LOAD_SECONDS);
    pm_capture_end(log_rest, load);
    at_work = NULL;
    if (signo == 0) return;
    PmError err = {0};
    char what[64];
    say_who(load, &err, crash_text(what, sizeof what, signo));
    pm_error_list_add(errors, &err);
}

bool pm_load_interrupted(PmError *err)
{
    if (at_work == NULL) return false;
    pm_capture_end(log_rest, at_work);
    say_who(at_work, err, "called exit()");
    return true;
}

/* Children are forked from here, and a fork copies one thread only. */
static void warm_up(PmLoad *load, json_t *ready, PmErrorList *errors)
{
    bool text_is_drawn = pm_warm_up(pm_engine_needs_fonts(load->engine));
    PmError err = {0};
    int64_t waited_ms = 0;
    if (pm_warm_up_settle(&waited_ms, &err) != PM_OK) pm_error_list_add(errors, &err);
    if (waited_ms > LONG_WAIT_MS) {
        PmError warning = {0};
        pm_error_set(&warning, PM_BUG, "threads that plugins left in create() took %lld ms to end",
                     (long long)waited_ms);
        json_array_append_new(json_object_get(ready, "warnings"), pm_error_to_json(&warning));
    }
    if (pm_engine_needs_fonts(load->engine) && load->sandbox.fonts.refused[0] != '\0') {
        PmError warning = {0};
        pm_error_set(&warning, PM_BAD_CONFIG, "children may not read the fonts of %.800s", load->sandbox.fonts.refused);
        pm_error_hint(&warning, "FONTCONFIG_FILE or FONTCONFIG_PATH must name a folder with \"font\" in its name");
        json_array_append_new(json_object_get(ready, "warnings"), pm_error_to_json(&warning));
    }
    if (!text_is_drawn) {
        PmError warning = {0};
        pm_error_set(&warning, PM_BAD_CONFIG, "no font is found, so that text of drawings is lost");
        pm_error_hint(&warning, "install one (fonts-dejavu-core), or name a folder of fonts with FONTCONFIG_PATH");
        json_array_append_new(json_object_get(ready, "warnings"), pm_error_to_json(&warning));
    }
    pm_fault_learn(json_object_get(ready, "plugins"));
    json_object_set_new(ready, "sandbox", pm_sandbox_to_json(&load->sandbox));
}

/* The broker's page: should this process be killed, the broker still knows where it was. */
static void show_progress(const PmMessage *message, PmErrorList *errors)
{
    PmError err = {0};
    if (message->fd_count < 2) return;
    PmProgress *page = pm_progress_map(message->fds[1]);
    if (page == NULL) {
        fail(errors, "its second descriptor is not a progress page");
        return;
    }
    progress = page;
    if (pm_fault_install(progress, &err) != PM_OK) pm_error_list_add(errors, &err);
}

/* Children would inherit it, one page that all of them can write to. */
static void hide_progress(PmErrorList *errors)
{
    PmError err = {0};
    PmProgress *page = progress;
    progress = &nobody_reads;
    if (pm_fault_install(progress, &err) != PM_OK) pm_error_list_add(errors, &err);
    if (page != &nobody_reads) pm_progress_unmap(page);
}

bool pm_load(PmLoad *load, PmMessage *message, json_t **ready, PmErrorList *errors)
{
    *ready = NULL;
    load->message = json_incref(message->body);
    load->env = json_incref(json_object_get(message->body, "env"));
    load->check = json_is_true(json_object_get(message->body, "check"));
    load->fetch = json_is_true(json_object_get(message->body, "fetch"));
    int64_t jobs = json_integer_value(json_object_get(message->body, "jobs_per_child"));
    load->jobs_per_child = jobs > 0 ? jobs : JOBS_PER_CHILD;
    if (load->early.status != PM_OK) {
        pm_error_list_add(errors, &load->early);
        return false;
    }
    show_progress(message, errors);
    read_pipeline(load, message, errors);
    check_sandbox(load, errors);
    if (!confine(load, errors)) return false;
    /* Also with errors in the file: the operator is to see the plugins' complaints at the same time. */
    if (load->pipeline != NULL) start_guarded(load, errors);
    if (load->engine == NULL || errors->count > 0) {
        if (errors->count == 0) fail(errors, "the engine gave no reason");
        return false;
    }
    json_t *body = pm_engine_describe(load->engine);
    if (json_object_get(body, "warnings") == NULL) json_object_set_new(body, "warnings", json_array());
    warm_up(load, body, errors);
    hide_progress(errors);
    if (errors->count > 0) {
        json_decref(body);
        return false;
    }
    *ready = body;
    return true;
}
