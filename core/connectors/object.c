/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void pm_object_finish(PmObject *object)
{
    if (object == NULL) return;
    free(object->bucket);
    free(object->key);
    free(object->path);
    free(object->version_id);
    free(object->etag);
    free(object->sequencer);
    *object = (PmObject){0};
}

static bool copy(char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

bool pm_object_copy(PmObject *to, const PmObject *from)
{
    *to = (PmObject){.size = from->size, .time_ms = from->time_ms};
    bool ok = copy(&to->bucket, from->bucket) && copy(&to->key, from->key) && copy(&to->path, from->path) &&
              copy(&to->version_id, from->version_id) && copy(&to->etag, from->etag) &&
              copy(&to->sequencer, from->sequencer);
    if (!ok) pm_object_finish(to);
    return ok;
}

void pm_object_label(const PmObject *object, char *out, size_t size)
{
    if (object->path != NULL)
        pm_text_copy(out, size, object->key != NULL ? object->key : object->path);
    else
        snprintf(out, size, "s3://%s/%s", object->bucket != NULL ? object->bucket : "",
                 object->key != NULL ? object->key : "");
}

bool pm_object_facts(const PmObject *object, PmFacts *facts)
{
    bool ok = pm_facts_set_key(facts, object->key);
    ok = pm_facts_set_date(facts, object->time_ms > 0 ? object->time_ms : pm_clock_wall_ms()) && ok;
    if (object->bucket != NULL) ok = pm_facts_set(facts, "bucket", object->bucket) && ok;
    if (object->etag != NULL) ok = pm_facts_set(facts, "etag", object->etag) && ok;
    return ok;
}
