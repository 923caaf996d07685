/* SPDX-License-Identifier: Apache-2.0 */
#include "session/notify.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "connectors/record.h"

struct PmNotice {
    const PmRunContext *run;
    char *text;
    PmNotifierCall *call;
    PmNoticeDone *done;
    void *data;
};

static void free_notice(PmNotice *notice)
{
    PmNotifier *notifier = notice->run->notifier;
    if (notice->call != NULL) notifier->ops->cancel(notifier, notice->call);
    free(notice->text);
    free(notice);
}

static void place_error(const PmRunContext *run, PmError *err)
{
    const PmPlace *notify = &run->context.pipeline->notify;
    pm_error_context(err, "notify");
    pm_error_place(err, run->context.pipeline->file, notify->line, notify->column);
}

static void on_notified(void *data, const PmError *why)
{
    PmNotice *notice = data;
    PmNoticeDone *done = notice->done;
    void *whom = notice->data;
    PmError err = why != NULL ? *why : (PmError){0};
    place_error(notice->run, &err);
    notice->call = NULL;
    free_notice(notice);
    done(whom, why != NULL ? &err : NULL);
}

static char *text_of(const PmRunContext *run, const PmJobResult *result)
{
    json_t *record = pm_record_of(result);
    bool whole = json_object_set_new(record, "version", json_integer(1)) == 0 &&
                 json_object_set_new(record, "pipeline", json_string(run->context.pipeline->name)) == 0 &&
                 json_object_set_new(record, "digest", json_string(run->context.digest)) == 0 &&
                 json_object_set_new(record, "time_ms", json_integer(pm_clock_wall_ms())) == 0;
    char *text = whole ? pm_json_text(record, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(record);
    return text;
}

PmNotice *pm_notice_start(const PmRunContext *run, const PmJobResult *result, PmNoticeDone *done, void *data,
                          PmError *err)
{
    PmNotifier *notifier = run->notifier;
    PmNotice *notice = calloc(1, sizeof *notice);
    if (notice == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *notice = (PmNotice){.run = run, .text = text_of(run, result), .done = done, .data = data};
    if (notice->text == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else
        notice->call = notifier->ops->send(notifier, result->object, notice->text, on_notified, notice, err);
    if (notice->call != NULL) return notice;
    place_error(run, err);
    free_notice(notice);
    return NULL;
}

void pm_notice_cancel(PmNotice *notice)
{
    if (notice != NULL) free_notice(notice);
}
