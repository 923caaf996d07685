/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

enum { KEY_MAX = 1024, PATH_MAX_BYTES = 4096, SEGMENT_MAX = 255, TEXT_MAX = 16 * 1024, PARTS_MAX = 64 };

typedef struct Part {
    char *text; /* literal text, or a fact's name */
    bool fact;
} Part;

struct PmTemplate {
    PmTemplateKind kind;
    char *source, *prefix;
    Part parts[PARTS_MAX];
    size_t count;
};

void pm_template_free(PmTemplate *tmpl)
{
    if (tmpl == NULL) return;
    for (size_t i = 0; i < tmpl->count; i++) free(tmpl->parts[i].text);
    free(tmpl->source);
    free(tmpl->prefix);
    free(tmpl);
}

const char *pm_template_fact(const PmTemplate *tmpl, size_t i)
{
    for (size_t k = 0; k < tmpl->count; k++)
        if (tmpl->parts[k].fact && i-- == 0) return tmpl->parts[k].text;
    return NULL;
}

const char *pm_template_prefix(const PmTemplate *tmpl)
{
    return tmpl->prefix;
}

const char *pm_template_text(const PmTemplate *tmpl)
{
    return tmpl->source;
}

static bool add_part(PmTemplate *tmpl, bool fact, const char *text, size_t size)
{
    if (size == 0 || tmpl->count == PARTS_MAX) return size == 0;
    tmpl->parts[tmpl->count] = (Part){strndup(text, size), fact};
    return tmpl->parts[tmpl->count++].text != NULL;
}

static bool fact_name(const char *text, size_t size)
{
    return size > 0 && size <= 128 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.") >= size;
}

/* "{ Stem }" means {stem} to its author. */
static void no_fact(const char *text, size_t size, PmError *err)
{
    char word[64];
    size_t n = 0;
    for (size_t i = 0; i < size && n + 1 < sizeof word; i++)
        if (text[i] != ' ') word[n++] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    word[n] = '\0';
    const PmFactInfo *info = pm_fact_info(word);
    const char *near = info != NULL ? info->name : pm_fact_also(word);
    pm_error_set(err, PM_BAD_CONFIG, "\"{%.*s}\" is not a fact", (int)(size < 60 ? size : 60), text);
    if (near != NULL)
        pm_error_hint(err, "did you mean {%s}?", near);
    else
        pm_error_hint(err, "facts are written {stem}, {width}, {step-name.fact}");
}

/* Splits the text into parts; the offset of what is wrong in *at. */
static PmStatus split(PmTemplate *tmpl, const char *text, size_t *at, PmError *err)
{
    PmBuffer literal;
    pm_buffer_init(&literal, TEXT_MAX);
    const char *p = text;
    PmStatus status = PM_OK;
    while (status == PM_OK && *p != '\0') { /* after an error, p may be beyond the end */
        *at = (size_t)(p - text);
        if ((p[0] == '{' || p[0] == '}') && p[1] == p[0]) {
            pm_buffer_add(&literal, p, 1);
            p += 2;
        } else if (p[0] == '}') {
            status = pm_error_set(err, PM_BAD_CONFIG, "\"}\" without \"{\"");
            pm_error_hint(err, "write }} for a literal brace");
        } else if (p[0] == '{') {
            size_t n = strcspn(p + 1, "{}");
            if (p[1 + n] != '}') {
                status = pm_error_set(err, PM_BAD_CONFIG, "\"{\" is not closed");
                pm_error_hint(err, "write {{ for a literal brace");
            } else if (!fact_name(p + 1, n)) {
                no_fact(p + 1, n, err);
                status = PM_BAD_CONFIG;
            } else if (!add_part(tmpl, false, literal.data, literal.size) || !add_part(tmpl, true, p + 1, n)) {
                status = pm_error_set(err, PM_BAD_CONFIG, "more than %d parts", (int)PARTS_MAX);
            }
            pm_buffer_clear(&literal);
            p += n + 2;
        } else {
            pm_buffer_add(&literal, p++, 1);
        }
    }
    if (status == PM_OK && (literal.failed || !add_part(tmpl, false, literal.data, literal.size)))
        status = pm_error_set(err, PM_BAD_CONFIG, "too long");
    pm_buffer_finish(&literal);
    return status;
}

static bool is_dots(const char *segment, size_t size)
{
    return size > 0 && size <= 2 && strspn(segment, ".") >= size;
}

/* Refuses "." and ".." as segments that no fact touches: those that a fact takes part in are judged when it is known,
 * by pm_template_expand. For a path, only beyond the prefix: "../out/{stem}.jpg" is the operator's own choice. */
static PmStatus check_segments(const PmTemplate *tmpl, PmError *err)
{
    for (size_t i = 0; i < tmpl->count; i++) {
        const Part *part = &tmpl->parts[i];
        if (part->fact) continue;
        bool after_fact = i > 0; /* parts alternate: literals are added whole */
        const char *p = part->text + (i == 0 && tmpl->kind == PM_TEMPLATE_PATH ? strlen(tmpl->prefix) : 0);
        for (bool first = true;; first = false) {
            size_t n = strcspn(p, "/");
            bool touched = (first && after_fact) || (p[n] == '\0' && i + 1 < tmpl->count);
            if (!touched && is_dots(p, n)) {
                pm_error_set(err, PM_BAD_CONFIG, "the segment \"%.*s\" leaves the fixed prefix \"%s\"", (int)n, p,
                             tmpl->prefix);
                return PM_BAD_CONFIG;
            }
            if (p[n] == '\0') break;
            p += n + 1;
        }
    }
    return PM_OK;
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7F) return true;
    return false;
}

static PmStatus check_rules(PmTemplate *tmpl, const char *text, PmError *err)
{
    const char *first = tmpl->count > 0 && !tmpl->parts[0].fact ? tmpl->parts[0].text : "";
    const char *slash = strrchr(first, '/');
    tmpl->prefix = strndup(first, slash != NULL ? (size_t)(slash - first) + 1 : 0);
    if (tmpl->prefix == NULL) return pm_error_set(err, PM_BAD_CONFIG, "out of memory");
    if (tmpl->kind == PM_TEMPLATE_TEXT) return PM_OK;
    if (text[0] == '\0') return pm_error_set(err, PM_BAD_CONFIG, "is empty");
    if (has_control(text)) return pm_error_set(err, PM_BAD_CONFIG, "holds a control character");
    if (text[strlen(text) - 1] == '/')
        return pm_error_set(err, PM_BAD_CONFIG, "ends in \"/\": it names a folder, not %s",
                            tmpl->kind == PM_TEMPLATE_KEY ? "an object" : "a file");
    if (tmpl->kind == PM_TEMPLATE_KEY && text[0] == '/') {
        pm_error_set(err, PM_BAD_CONFIG, "begins with \"/\"");
        pm_error_hint(err, "leave it out: that would be a folder without a name");
        return PM_BAD_CONFIG;
    }
    return check_segments(tmpl, err);
}

PmTemplate *pm_template_new(PmTemplateKind kind, const char *text, size_t *at, PmError *err)
{
    size_t ignored = 0;
    if (at == NULL) at = &ignored;
    *at = 0;
    PmTemplate *tmpl = calloc(1, sizeof *tmpl);
    if (tmpl != NULL) tmpl->kind = kind;
    if (tmpl == NULL || (tmpl->source = strdup(text)) == NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "out of memory");
    } else if (split(tmpl, text, at, err) == PM_OK) {
        *at = 0;
        if (check_rules(tmpl, text, err) == PM_OK) return tmpl;
    }
    pm_template_free(tmpl);
    return NULL;
}

/* key and dir are paths of their own; every other fact is one segment at most. */
static bool may_hold_slashes(const char *fact)
{
    return strcmp(fact, "key") == 0 || strcmp(fact, "dir") == 0;
}

static bool check_value(const PmTemplate *tmpl, const char *fact, const char *value, PmError *err)
{
    if (has_control(value)) {
        pm_error_set(err, PM_BAD_INPUT, "{%s} holds a control character, which cannot stand in \"%s\"", fact,
                     tmpl->source);
        return false;
    }
    if (!may_hold_slashes(fact) && strchr(value, '/') != NULL) {
        pm_error_set(err, PM_BAD_INPUT, "{%s} holds a \"/\", which cannot stand in \"%s\"", fact, tmpl->source);
        return false;
    }
    return true;
}

static bool check_result(const PmTemplate *tmpl, const char *result, PmError *err)
{
    size_t n = strlen(result), max = tmpl->kind == PM_TEMPLATE_KEY ? KEY_MAX : PATH_MAX_BYTES;
    if (n == 0 || n > max) {
        pm_error_set(err, PM_BAD_INPUT, "\"%s\" gives %zu bytes; 1 to %zu are allowed", tmpl->source, n, max);
        return false;
    }
    /* What the facts brought. A key may have empty segments and long names: S3 knows no folders. Dots it must not have:
     * they mean a step upwards to a tool that mirrors the bucket into a folder. */
    bool is_path = tmpl->kind == PM_TEMPLATE_PATH;
    for (const char *segment = result + strlen(tmpl->prefix);; segment++) {
        size_t length = strcspn(segment, "/");
        const char *wrong = length == 0 && is_path            ? "an empty segment"
                            : is_dots(segment, length)        ? "a \"..\" or \".\" segment"
                            : length > SEGMENT_MAX && is_path ? "a name longer than 255 bytes"
                                                              : NULL;
        if (wrong != NULL) {
            pm_error_set(err, PM_BAD_INPUT, "\"%s\" gives \"%.200s\", which has %s", tmpl->source, result, wrong);
            return false;
        }
        segment += length;
        if (*segment == '\0') return true;
    }
}

/* --- where a template can lead --- */

const char *pm_template_suffix(const PmTemplate *tmpl)
{
    return tmpl->count > 0 && !tmpl->parts[tmpl->count - 1].fact ? tmpl->parts[tmpl->count - 1].text : "";
}

/* The places in a target up to which the parts so far can match it. */
typedef struct Reach {
    const char *target;
    size_t size;
    bool here[PATH_MAX_BYTES + 1];
    bool all; /* the whole target was matched */
} Reach;

static void reach_literal(Reach *reach, const char *text)
{
    size_t n = strlen(text);
    for (size_t p = reach->size; p-- > 0;) { /* from the end: a place is moved at most once */
        if (!reach->here[p]) continue;
        size_t left = reach->size - p;
        bool same = strncmp(reach->target + p, text, n < left ? n : left) == 0;
        if (n > 0) reach->here[p] = false;
        if (same && n >= left) reach->all = true;
        if (same && n < left) reach->here[p + n] = true;
    }
}

static void reach_fact(Reach *reach, bool slashes)
{
    for (size_t p = 0; p < reach->size; p++) {
        if (!reach->here[p] || (reach->target[p] == '/' && !slashes)) continue;
        if (p + 1 == reach->size) reach->all = true;
        reach->here[p + 1] = true;
    }
}

bool pm_template_reaches(const PmTemplate *tmpl, const char *root, const char *output, const char *target)
{
    Reach reach = {.target = target, .size = strlen(target), .here = {true}};
    if (reach.size == 0 || reach.size > PATH_MAX_BYTES) return true;
    for (size_t i = 0; i < tmpl->count && !reach.all; i++) {
        const Part *part = &tmpl->parts[i];
        if (!part->fact) {
            const char *text = part->text;
            if (i == 0 && root != NULL) {
                reach_literal(&reach, root);
                text += strlen(tmpl->prefix);
            }
            /* An empty {dir} took the slash along. */
            bool after_dir = i > 0 && strcmp(tmpl->parts[i - 1].text, "dir") == 0 && text[0] == '/';
            Reach without = reach;
            reach_literal(&reach, text);
            if (!after_dir) continue;
            reach_literal(&without, text + 1);
            reach.all = reach.all || without.all;
            for (size_t p = 0; p <= reach.size; p++) reach.here[p] = reach.here[p] || without.here[p];
            continue;
        }
        if (i == 0 && root != NULL) reach_literal(&reach, root);
        if (strcmp(part->text, "output") == 0)
            reach_literal(&reach, output);
        else
            reach_fact(&reach, may_hold_slashes(part->text));
    }
    return reach.all;
}

char *pm_template_expand(const PmTemplate *tmpl, const PmFacts *facts, PmError *err)
{
    PmBuffer out;
    pm_buffer_init(&out, TEXT_MAX);
    bool ok = true;
    const char *dir = pm_facts_get(facts, "dir");
    bool dir_is_empty = dir != NULL && dir[0] == '\0';
    for (size_t i = 0; ok && i < tmpl->count; i++) {
        const Part *part = &tmpl->parts[i];
        if (!part->fact) {
            /* "processed/{dir}/{stem}": an object at the top has no dir, and no empty segment either. */
            bool swallow = i > 0 && tmpl->kind != PM_TEMPLATE_TEXT && part->text[0] == '/' &&
                           strcmp(tmpl->parts[i - 1].text, "dir") == 0 && dir_is_empty &&
                           (out.size == 0 || out.data[out.size - 1] == '/');
            pm_buffer_adds(&out, part->text + swallow);
            continue;
        }
        const char *value = pm_facts_get(facts, part->text);
        if (value == NULL) {
            pm_error_set(err, PM_BUG, "{%s} is not known for this job", part->text);
            ok = false;
        } else {
            ok = tmpl->kind == PM_TEMPLATE_TEXT || check_value(tmpl, part->text, value, err);
            pm_buffer_adds(&out, value);
        }
    }
    if (ok && out.data == NULL) pm_buffer_adds(&out, "");
    if (ok && out.failed) {
        if (out.no_memory)
            pm_error_set(err, PM_TRANSIENT, "out of memory");
        else
            pm_error_set(err, PM_BAD_INPUT, "\"%s\" becomes too long", tmpl->source);
        ok = false;
    }
    if (ok && tmpl->kind != PM_TEMPLATE_TEXT) ok = check_result(tmpl, out.data, err);
    char *result = ok ? pm_buffer_steal(&out) : NULL;
    pm_buffer_finish(&out);
    return result;
}
