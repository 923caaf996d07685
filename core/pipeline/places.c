/* SPDX-License-Identifier: Apache-2.0
 *
 * Where outputs write to, seen together with what they write: outputs that overwrite each other, endings that belong to
 * another format, names that are the same for every image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "pipeline/pipeline.h"
#include "pipeline/sections.h"
#include "pipeline/sniff.h"

enum { LOCATION_MAX = 8192 };

/* The format that a name ends in, of those that can be written; NULL: none. */
static const char *format_of_ending(const char *name)
{
    PmFormat format = pm_format_from_ending(name);
    bool written = format != PM_FORMAT_UNKNOWN && format != PM_FORMAT_SVG && format != PM_FORMAT_PDF;
    return written ? pm_format_name(format) : NULL;
}

/* The one format that the output can write, when it is one of those that we know; NULL: it depends. */
static const char *only_format(const json_t *writes, const PmOutput *output)
{
    const json_t *formats = json_object_get(writes, output->name);
    const char *name = json_array_size(formats) == 1 ? json_string_value(json_array_get(formats, 0)) : NULL;
    return name != NULL && pm_format_from_name(name) != PM_FORMAT_UNKNOWN ? name : NULL;
}

/* --- outputs that overwrite each other --- */

/* The place as far as it is the same for all images: facts stand in it by name. New; NULL: none, or out of memory. */
static char *location(const PmPipeline *p, const PmOutput *output, const char *format)
{
    const char *text = output->to.key != NULL ? pm_template_text(output->to.key) : NULL;
    char *clean = NULL;
    PmBuffer out;
    pm_buffer_init(&out, LOCATION_MAX);
    for (const char *at = text; at != NULL && *at != '\0';) {
        static const char *const facts[] = {"{ext}", "{format}", "{output}"};
        const char *values[] = {format != NULL ? pm_format_extension(pm_format_from_name(format)) : NULL, format,
                                output->name};
        size_t i = 0;
        while (i < 3 && (values[i] == NULL || strncmp(at, facts[i], strlen(facts[i])) != 0)) i++;
        if (i < 3)
            pm_buffer_adds(&out, values[i]);
        else
            pm_buffer_add(&out, at, 1);
        at += i < 3 ? strlen(facts[i]) : 1;
    }
    if (!out.failed && out.size > 0)
        clean = output->to.kind->key_kind == PM_TEMPLATE_PATH ? pm_pipeline_clean_path(p, out.data) : strdup(out.data);
    pm_buffer_finish(&out);
    return clean;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool overwrites(const PmPipeline *p, const json_t *writes, const PmOutput *a, const PmOutput *b)
{
    if (a->to.kind != b->to.kind || a->to.kind == NULL || pm_when_excludes(a->when, b->when)) return false;
    const char *one_format = only_format(writes, a), *other_format = only_format(writes, b);
    /* A format that depends on the image can be the other's. */
    bool told = one_format != NULL && other_format != NULL;
    char *one = location(p, a, told ? one_format : NULL), *other = location(p, b, told ? other_format : NULL);
    PmBuffer x, y;
    pm_buffer_init(&x, 2 * LOCATION_MAX);
    pm_buffer_init(&y, 2 * LOCATION_MAX);
    bool same = one != NULL && other != NULL;
    if (same) a->to.kind->address(&a->to, one, &x);
    if (same) b->to.kind->address(&b->to, other, &y);
    same = same && !x.failed && !y.failed && x.data != NULL && y.data != NULL && strcmp(x.data, y.data) == 0;
    pm_buffer_finish(&x);
    pm_buffer_finish(&y);
    free(one);
    free(other);
    return same;
}

void pm_pipeline_check_places(const PmPipeline *p, const json_t *writes, PmErrorList *errors)
{
    for (size_t i = 0; i < p->output_count; i++)
        for (size_t k = 0; k < i; k++) {
            const PmOutput *output = &p->outputs[i];
            if (!overwrites(p, writes, output, &p->outputs[k])) continue;
            PmError *err =
                pm_error_list_addf(errors, PM_BAD_CONFIG, p->file, output->to.key_line, output->to.key_column,
                                   output->where, "writes to the same place as output %s", p->outputs[k].name);
            if (err != NULL)
                pm_error_hint(err, "put {output} into the name, or give them `when`s that exclude each other");
            break;
        }
}

/* --- warnings --- */

static PmError *warn(const PmPipeline *p, PmErrorList *warnings, const PmPlace *place, const char *where,
                     const char *fmt, const char *a, const char *b)
{
    return pm_error_list_addf(warnings, PM_BAD_CONFIG, p->file, place->key_line, place->key_column, where, fmt, a, b);
}

static void check_ending(const PmPipeline *p, const json_t *writes, const PmOutput *output, PmErrorList *warnings)
{
    const char *suffix = pm_template_suffix(output->to.key), *dot = strrchr(suffix, '.');
    const char *ending = dot != NULL ? dot + 1 : "", *said = format_of_ending(suffix);
    const char *format = only_format(writes, output);
    if (said == NULL || json_object_get(writes, output->name) == NULL || same_text(format, said)) return;
    PmError *err;
    if (format != NULL) {
        err = warn(p, warnings, &output->to, output->where, "the name ends in .%.8s, and the file will be %s", ending,
                   format);
        if (err != NULL)
            pm_error_hint(err, "end it in .{ext}, which is always right, or say format: %s in the output's convert",
                          said);
    } else {
        err = warn(p, warnings, &output->to, output->where,
                   "the name ends in .%.8s, and the format depends on the image%s", ending, "");
        if (err != NULL)
            pm_error_hint(err, "end it in .{ext}, or let the output's last step be convert: { format: %s }", said);
    }
}

static void check_facts_of_name(const PmPipeline *p, const PmPlace *place, const char *where, PmErrorList *warnings)
{
    static const char *const telling[] = {"key", "dir", "name", "stem", "etag", "sha256"};
    const char *fact;
    bool tells = false;
    for (size_t i = 0; (fact = pm_template_fact(place->key, i)) != NULL; i++) {
        tells = tells || strchr(fact, '.') != NULL;
        for (size_t k = 0; k < sizeof telling / sizeof telling[0]; k++) tells = tells || strcmp(fact, telling[k]) == 0;
    }
    /* {{stem}} is how other template languages write it. */
    const char *text = pm_template_text(place->key), *open = strstr(text, "{{"), *close = NULL;
    char word[40] = "";
    if (open != NULL) close = strstr(open, "}}");
    if (close != NULL && (size_t)(close - open - 2) < sizeof word)
        snprintf(word, sizeof word, "%.*s", (int)(close - open - 2), open + 2);
    if (pm_fact_info(word) != NULL) {
        PmError *err = warn(p, warnings, place, where, "{{%s}} is the text {%s}, not the fact", word, word);
        if (err != NULL) pm_error_hint(err, "write {%s}", word);
    } else if (!tells) {
        PmError *err = warn(p, warnings, place, where, "the name is the same for every image%s%s", "", "");
        if (err != NULL) pm_error_hint(err, "put {stem}, {name} or {key} into it");
    }
}

void pm_pipeline_warn_places(const PmPipeline *p, const json_t *writes, PmErrorList *warnings)
{
    if (p->trigger.kind != NULL && p->trigger.kind->warn != NULL) p->trigger.kind->warn(p, warnings);
    for (size_t i = 0; i < p->output_count; i++) {
        const PmOutput *output = &p->outputs[i];
        if (output->to.key == NULL) continue;
        check_ending(p, writes, output, warnings);
        check_facts_of_name(p, &output->to, output->where, warnings);
    }
    if (p->quarantine.key != NULL) check_facts_of_name(p, &p->quarantine, PM_KEY_QUARANTINE, warnings);
}
