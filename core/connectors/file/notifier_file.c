/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/notifier_file.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/file/stores.h"

typedef struct FileNotifier {
    PmNotifier base;
    const PmPlace *place;
    PmStore *store; /* owned */
} FileNotifier;

struct PmNotifierCall {
    FileNotifier *notifier;
    PmStoreCall *put;
    PmNotified *done;
    void *data;
};

static void on_stored(void *data, const PmStored *stored)
{
    PmNotifierCall *call = data;
    PmNotified *done = call->done;
    void *whom = call->data;
    free(call);
    done(whom, stored->outcome == PM_STORE_FAILED ? stored->err : NULL);
}

static char *key_of(const FileNotifier *notifier, const PmObject *object, PmError *err)
{
    PmFacts *facts = pm_facts_new();
    char *key = NULL;
    if (facts == NULL || !pm_object_facts(object, facts))
        pm_error_set(err, PM_BAD_INPUT, "the source's key can be no part of a path");
    else
        key = pm_template_expand(notifier->place->key, facts, err);
    pm_facts_free(facts);
    return key;
}

static PmNotifierCall *send(PmNotifier *base, const PmObject *object, const char *record, PmNotified *done, void *data,
                            PmError *err)
{
    FileNotifier *notifier = (FileNotifier *)base;
    char *key = key_of(notifier, object, err);
    PmNotifierCall *call = key != NULL ? calloc(1, sizeof *call) : NULL;
    if (call != NULL) {
        *call = (PmNotifierCall){.notifier = notifier, .done = done, .data = data};
        PmStorePut put = {.place = notifier->place,
                          .key = key,
                          .key_prefix = pm_template_prefix(notifier->place->key),
                          .bytes = record,
                          .size = strlen(record),
                          .content_type = "application/json",
                          .output = "notify",
                          .record = true,
                          .source = object};
        call->put = notifier->store->ops->put(notifier->store, &put, on_stored, call, err);
    }
    free(key);
    if (call != NULL && call->put != NULL) return call;
    free(call);
    if (err->status == PM_OK) pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

static void cancel(PmNotifier *base, PmNotifierCall *call)
{
    FileNotifier *notifier = (FileNotifier *)base;
    if (call == NULL) return;
    notifier->store->ops->cancel(notifier->store, call->put);
    free(call);
}

static void free_notifier(PmNotifier *base)
{
    FileNotifier *notifier = (FileNotifier *)base;
    if (notifier->store != NULL) notifier->store->ops->free(notifier->store);
    free(notifier);
}

PmNotifier *pm_notifier_file_new(PmHelper *helper, const PmPipeline *pipeline, PmError *err)
{
    static const PmNotifierOps ops = {.send = send, .cancel = cancel, .free = free_notifier};
    FileNotifier *notifier = calloc(1, sizeof *notifier);
    if (notifier == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    notifier->base = (PmNotifier){.ops = &ops, .name = "notify.file"};
    notifier->place = &pipeline->notify;
    notifier->store = pm_store_file_new(helper, pipeline->dir, false, err);
    if (notifier->store != NULL) return &notifier->base;
    free_notifier(&notifier->base);
    return NULL;
}
