/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/library_log.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 1024 };

static PmLibraryLog *emit;
static void *emit_data;
static PmProgress *page;

static const char *field(const GLogField *fields, gsize count, const char *key)
{
    for (gsize i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0 && fields[i].length < 0) return fields[i].value;
    return NULL;
}

/* A GLib warning is about one image ("ignoring nclx profile"): for those who look into it. A critical one is a bug. */
static int level_of(GLogLevelFlags flags)
{
    if ((flags & G_LOG_LEVEL_ERROR) != 0) return PM_LOG_ERROR;
    if ((flags & G_LOG_LEVEL_CRITICAL) != 0) return PM_LOG_WARN;
    return PM_LOG_DEBUG;
}

static GLogWriterOutput write_line(GLogLevelFlags flags, const GLogField *fields, gsize count, gpointer data)
{
    (void)data;
    int level = level_of(flags);
    const char *message = field(fields, count, "MESSAGE"), *domain = field(fields, count, "GLIB_DOMAIN");
    if (message == NULL) return G_LOG_WRITER_HANDLED;
    if (level == PM_LOG_ERROR && strstr(message, "failed to allocate") != NULL) {
        if (page != NULL) page->out_of_memory = 1;
        return G_LOG_WRITER_HANDLED; /* GLib aborts after this; sending would need memory */
    }
    if (emit == NULL || (flags & G_LOG_LEVEL_MASK) > G_LOG_LEVEL_WARNING) return G_LOG_WRITER_HANDLED;
    char text[TEXT_MAX_BYTES];
    snprintf(text, sizeof text, "%s: %s", domain != NULL ? domain : "library", message);
    emit(emit_data, level, text);
    return G_LOG_WRITER_HANDLED;
}

void pm_library_log_to(PmLibraryLog *call, void *data, PmProgress *progress)
{
    static bool installed; /* GLib takes a writer once */
    emit = call;
    emit_data = data;
    page = progress;
    if (!installed) g_log_set_writer_func(write_line, NULL, NULL);
    installed = true;
}
