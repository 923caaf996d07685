/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/connectors.h"

#include "connectors/file/dead_files.h"
#include "connectors/file/notifier_file.h"
#include "connectors/file/stores.h"
#include "connectors/file/triggers.h"

static PmTrigger *open_directory(PmContext *context, const PmTriggerSink *sink, PmError *err)
{
    return pm_trigger_directory_new(context->loop, context->helper, context->pipeline, context->digest, context->once,
                                    sink, err);
}

static PmSource *open_source(PmContext *context, PmError *err)
{
    return pm_source_file_new(context->helper, context->pipeline, err);
}

static PmStore *open_store(PmContext *context, PmError *err)
{
    return pm_store_file_new(context->helper, context->pipeline->dir, false, err);
}

static PmNotifier *open_notifier(PmContext *context, PmError *err)
{
    return pm_notifier_file_new(context->helper, context->pipeline, err);
}

static const PmDeadLetterOps failed_files = {.one = "file",
                                             .many = "files",
                                             .back = "in the folder",
                                             .list = pm_dead_files_list,
                                             .redrive = pm_dead_files_redrive};

const PmConnector pm_connector_directory = {
    .kind = &pm_kind_directory, .open_trigger = open_directory, .dead_letters = &failed_files};

const PmConnector pm_connector_file = {
    .kind = &pm_kind_file, .open_source = open_source, .open_store = open_store, .open_notifier = open_notifier};
