/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "connectors/record.h"

enum { BAR_WIDTH = 30 };

bool pm_print_colours(FILE *stream)
{
    const char *off = getenv("NO_COLOR");
    return (off == NULL || off[0] == '\0') && isatty(fileno(stream)) != 0;
}

void pm_print_error(const PmError *err)
{
    char text[4000];
    pm_error_format(err, text, sizeof text);
    bool coloured = pm_print_colours(stderr);
    char *hint = strstr(text, "\n  hint: ");
    if (hint != NULL) *hint = '\0';
    fprintf(stderr, coloured ? "\033[31m%s\033[0m\n" : "%s\n", text);
    if (hint != NULL) fprintf(stderr, "%s\n", hint + 1);
}

void pm_print_errors(const PmErrorList *errors)
{
    for (size_t i = 0; i < errors->count; i++) pm_print_error(&errors->items[i]);
    if (errors->dropped > 0) fprintf(stderr, "... and %zu more\n", errors->dropped);
}

const char *pm_plural(size_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

void pm_print_progress(size_t done, size_t all, const char *what)
{
    if (isatty(STDERR_FILENO) == 0) return;
    size_t filled = all > 0 ? done * BAR_WIDTH / all : 0;
    char bar[BAR_WIDTH + 1], name[60];
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', filled < BAR_WIDTH ? filled : BAR_WIDTH);
    bar[BAR_WIDTH] = '\0';
    pm_text_escape(name, sizeof name, what);
    fprintf(stderr, "\r\033[K[%s] %zu/%zu %s", bar, done, all, name);
    fflush(stderr);
}

void pm_print_progress_end(void)
{
    if (isatty(STDERR_FILENO) != 0) fputs("\r\033[K", stderr);
}

static void add_outputs(const PmJobResult *result, PmBuffer *out)
{
    for (size_t i = 0; i < result->output_count; i++) {
        const PmOutputResult *output = &result->outputs[i];
        char size[32];
        pm_text_bytes(size, sizeof size, output->size);
        pm_buffer_addf(out, "%s%s", i > 0 ? ", " : "", output->output);
        if (output->format != NULL)
            pm_buffer_addf(out, " %dx%d %s", (int)output->width, (int)output->height, output->format);
        if (output->pages > 1) pm_buffer_addf(out, " %d frames", (int)output->pages);
        pm_buffer_addf(out, " %s", size);
    }
    const char *name, *separator = result->output_count > 0 ? ", " : "";
    json_t *reason;
    json_object_foreach((json_t *)result->not_made, name, reason)
    {
        pm_buffer_addf(out, "%s%s not made (%s)", separator, name, json_string_value(reason));
        separator = ", ";
    }
}

void pm_result_to_text(const PmJobResult *result, PmBuffer *out)
{
    char label[1200], safe[1200], text[4000];
    pm_object_label(result->object, label, sizeof label);
    pm_text_escape(safe, sizeof safe, label);
    pm_buffer_addf(out, "%-8s %s: ", pm_record_status(result), safe);
    if (result->error != NULL) {
        pm_error_format(result->error, text, sizeof text);
        pm_buffer_adds(out, text);
    } else if (result->skipped != NULL) {
        pm_buffer_adds(out, result->skipped);
    } else {
        add_outputs(result, out);
        pm_buffer_addf(out, " (%lld ms)", (long long)result->ms);
    }
    for (size_t i = 0; i < json_array_size(result->warnings); i++) {
        PmError warning;
        pm_error_from_json(json_array_get(result->warnings, i), &warning);
        pm_error_format(&warning, text, sizeof text);
        pm_buffer_addf(out, "\n  warning: %s", text);
    }
}
