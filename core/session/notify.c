/* SPDX-License-Identifier: Apache-2.0 */
#include "session/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "connectors/aws/cloud.h"
#include "connectors/record.h"

struct PmNotifier {
    const PmJobWorld *world;
    PmPlace place; /* of files; PM_PLACE_NONE otherwise */
    PmSqs *sqs;
    bool fifo;
    size_t count;
};

struct PmNotice {
    PmNotifier *notifier;
    char *text;
    PmStoreCall *put;
    PmSqsCall *send;
    PmNoticeDone *done;
    void *data;
};

static void free_notice(PmNotice *notice)
{
    PmStore *files = notice->notifier->world->files;
    if (notice->put != NULL) files->ops->cancel(files, notice->put);
    pm_sqs_cancel(notice->send);
    free(notice->text);
    free(notice);
}

static void finish(PmNotice *notice, const PmError *why)
{
    PmNoticeDone *done = notice->done;
    void *data = notice->data;
    PmError err = why != NULL ? *why : (PmError){0};
    const PmPipeline *pipeline = notice->notifier->world->pipeline;
    pm_error_context(&err, "notify");
    pm_error_place(&err, pipeline->file, pipeline->notify.line, pipeline->notify.column);
    free_notice(notice);
    done(data, why != NULL ? &err : NULL);
}

static void on_sent(void *data, const PmError *err)
{
    PmNotice *notice = data;
    notice->send = NULL;
    PM_CRASH_POINT("notify.sent");
    finish(notice, err);
}

static void on_stored(void *data, const PmStored *stored)
{
    PmNotice *notice = data;
    notice->put = NULL;
    finish(notice, stored->outcome == PM_STORE_FAILED ? stored->err : NULL);
}

static char *text_of(const PmNotifier *notifier, const PmJobResult *result)
{
    const PmPipeline *pipeline = notifier->world->pipeline;
    json_t *record = pm_record_of(result);
    json_object_set_new(record, "version", json_integer(1));
    json_object_set_new(record, "pipeline", json_string(pipeline->name));
    json_object_set_new(record, "digest", json_string(notifier->world->digest));
    json_object_set_new(record, "time_ms", json_integer(pm_clock_wall_ms()));
    char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(record);
    return text;
}

static PmStoreCall *write_file(PmNotice *notice, const PmJobResult *result, PmError *err)
{
    const PmNotifier *notifier = notice->notifier;
    const PmJobWorld *world = notifier->world;
    PmFacts *facts = pm_facts_new();
    if (facts == NULL || !pm_object_facts(result->object, facts)) {
        pm_error_set(err, PM_BAD_INPUT, "the source's key can be no part of a path");
        pm_facts_free(facts);
        return NULL;
    }
    char *key = pm_template_expand(notifier->place.key, facts, err);
    pm_facts_free(facts);
    if (key == NULL) return NULL;
    PmStorePut put = {.place = &notifier->place,
                      .key = key,
                      .key_prefix = pm_template_prefix(notifier->place.key),
                      .bytes = notice->text,
                      .size = strlen(notice->text),
                      .content_type = "application/json",
                      .output = "notify",
                      .record = true,
                      .source = result->object,
                      .digest = world->digest};
    PmStoreCall *call = world->files->ops->put(world->files, &put, on_stored, notice, err);
    free(key);
    return call;
}

PmNotice *pm_notice_start(PmNotifier *notifier, const PmJobResult *result, PmNoticeDone *done, void *data, PmError *err)
{
    PmNotice *notice = calloc(1, sizeof *notice);
    if (notice == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *notice = (PmNotice){.notifier = notifier, .text = text_of(notifier, result), .done = done, .data = data};
    if (notice->text == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    } else if (notifier->sqs != NULL) {
        char id[64]; /* each record is one of its own, whatever it says */
        snprintf(id, sizeof id, "%lld-%d-%zu", (long long)pm_clock_wall_ms(), (int)getpid(), ++notifier->count);
        PmSqsSend send = {.body = notice->text,
                          .group_id = notifier->fifo ? "pixmill" : NULL,
                          .deduplication_id = notifier->fifo ? id : NULL};
        PM_CRASH_POINT("notify.next");
        notice->send = pm_sqs_send(notifier->sqs, &send, on_sent, notice, err);
        PM_CRASH_POINT("notify.under_way");
    } else {
        notice->put = write_file(notice, result, err);
    }
    if (notice->send != NULL || notice->put != NULL) return notice;
    pm_error_context(err, "notify");
    pm_error_place(err, notifier->world->pipeline->file, notifier->world->pipeline->notify.line,
                   notifier->world->pipeline->notify.column);
    free_notice(notice);
    return NULL;
}

void pm_notice_cancel(PmNotice *notice)
{
    if (notice != NULL) free_notice(notice);
}

PmNotifier *pm_notifier_new(const PmJobWorld *world, PmError *err)
{
    const PmNotifyConfig *config = &world->pipeline->notify;
    if (config->queue_url == NULL && (config->path == NULL || world->files == NULL)) return NULL;
    if (config->queue_url != NULL && world->cloud == NULL) return NULL; /* apply: nobody waits for a record */
    PmNotifier *notifier = calloc(1, sizeof *notifier);
    if (notifier == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    notifier->world = world;
    notifier->place =
        (PmPlace){.kind = PM_PLACE_FILE, .key = config->path, .line = config->line, .column = config->column};
    if (config->queue_url == NULL) return notifier;
    notifier->fifo = pm_sqs_is_fifo(config->queue_url);
    notifier->sqs = pm_cloud_sqs(world->cloud, config->queue_url, NULL, NULL, err);
    if (notifier->sqs != NULL) return notifier;
    pm_error_context(err, "notify");
    pm_error_place(err, world->pipeline->file, config->line, config->column);
    free(notifier);
    return NULL;
}

void pm_notifier_free(PmNotifier *notifier)
{
    if (notifier == NULL) return;
    pm_sqs_free(notifier->sqs);
    free(notifier);
}
