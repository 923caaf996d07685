/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline can be connected to, as its file names it: plain data that every connector brings (connectors/), and
 * that the reader, the JSON Schema and the reference pages work from. A worker reads without any.
 */
#ifndef PM_PIPELINE_KIND_H
#define PM_PIPELINE_KIND_H

#include "base/buffer.h"
#include "pipeline/decode_params.h"
#include "pipeline/template.h"

/* Settings below one key of the file. */
typedef struct PmSection {
    const char *path; /* "limits", "trigger.directory"; NULL: there is no such section */
    const char *doc;
    const PmParam *params;
    size_t count, config_size;
} PmSection;

/* For a table of PmParam that fills a Config. */
#define PM_SECTION(path_, Config, table, doc_)                                 \
    {                                                                          \
        path_, doc_, table, sizeof(table) / sizeof((table)[0]), sizeof(Config) \
    }

struct PmPipeline;
struct PmPlace;

typedef struct PmKind {
    const char *name; /* the key in the file: "sqs", "s3", "directory" */
    /* Its settings in each role; those of a place count for `quarantine` too. Settings whose names end in _url are
     * addresses: they may carry no user, no query. */
    PmSection trigger, source, place, notify;
    const char *quarantine_doc; /* with `place` */
    const PmSection *shared;    /* top-level settings that it has in common with others of its family, or NULL */

    /* as a trigger */
    const char *delivers;                   /* the source that reads what it hands over: "file", "s3" */
    const char *needs_source, *source_hint; /* that source must be written: why, after "needs source: s3 ", and how */
    const char *beside; /* it may stand beside this other trigger, and is the one that counts where the environment has
                           it (see connectors/connector.h); always read, with its defaults when it is not written */
    /* as a source */
    const char *objects; /* what it reads, as a plural: "files" */
    /* as a place, and to be notified where `notify` has that setting, too */
    const char *key; /* the setting that is a template: "path" */
    PmTemplateKind key_kind;
    /* Appends where that is, for people: "s3://bucket/key". Two places whose addresses are equal are the same. */
    void (*address)(const struct PmPlace *place, const char *key, PmBuffer *out);

    /* What only it can judge of a pipeline, as far as that could be read: loops. Called for every kind. */
    void (*check)(const struct PmPipeline *pipeline, PmErrorList *errors);
    /* What is allowed and odd, of a pipeline that has it as its trigger; or NULL. */
    void (*warn)(const struct PmPipeline *pipeline, PmErrorList *warnings);
} PmKind;

typedef enum PmKindRole { PM_ROLE_TRIGGER, PM_ROLE_SOURCE, PM_ROLE_PLACE, PM_ROLE_NOTIFY } PmKindRole;

/* The settings of a kind in that role; NULL: it has not that role. */
const PmSection *pm_kind_section(const PmKind *kind, PmKindRole role);

#endif
