/* SPDX-License-Identifier: Apache-2.0 */
#include "session/job_names.h"

#include "base/text.h"

static void take(char *out, size_t size, const char *text)
{
    pm_text_copy(out, size, text != NULL ? text : "");
}

PmJobNames pm_job_names(const PmObject *object, const char *event_id)
{
    PmJobNames names;
    pm_object_label(object, names.source, sizeof names.source);
    take(names.message_id, sizeof names.message_id, object->path == NULL ? event_id : NULL);
    take(names.version_id, sizeof names.version_id, object->version_id);
    take(names.etag, sizeof names.etag, object->etag);
    take(names.sequencer, sizeof names.sequencer, object->sequencer);
    return names;
}
