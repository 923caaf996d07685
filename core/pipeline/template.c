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

/* Splits the text into parts; the offset of what is wrong in *at. */
static PmStatus split(PmTemplate *tmpl, const char *text, size_t *at, PmError *err)
{
    PmBuffer literal;
    pm_buffer_init(&literal, TEXT_MAX);
    const char *p = text;
    PmStatus status = PM_OK;
    while (*p != '\0' && status == PM_OK) {
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
                status = pm_error_set(err, PM_BAD_CONFIG, "\"{%.*s}\" is no fact", (int)(n < 60 ? n : 60), p + 1);
                pm_error_hint(err, "facts are written {stem}, {width}, {step-name.fact}");
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

/* A segment made of dots alone, or that a fact could turn into one, would step out of the prefix. */
static PmStatus check_segments(const PmTemplate *tmpl, PmError *err)
{
    size_t dots = 0, others = 0, facts = 0;
    for (size_t i = 0; i <= tmpl->count; i++) {
        bool end = i == tmpl->count;
        if (!end && tmpl->parts[i].fact) {
            facts++;
            continue;
        }
        for (const char *p = end ? "/" : tmpl->parts[i].text; *p != '\0'; p++) {
            if (*p != '/') {
                if (*p == '.')
                    dots++;
                else
                    others++;
                continue;
            }
            if (others == 0 && dots > 0 && (facts > 0 || dots <= 2)) {
                pm_error_set(err, PM_BAD_CONFIG, "a segment of dots%s could leave the fixed prefix \"%s\"",
                             facts > 0 ? " and facts" : "", tmpl->prefix);
                pm_error_hint(err, "give the segment a letter of its own, or remove it");
                return PM_BAD_CONFIG;
            }
            dots = others = facts = 0;
        }
    }
    return PM_OK;
}

static PmStatus check_rules(PmTemplate *tmpl, const char *text, PmError *err)
{
    const char *first = tmpl->count > 0 && !tmpl->parts[0].fact ? tmpl->parts[0].text : "";
    const char *slash = strrchr(first, '/');
    tmpl->prefix = strndup(first, slash != NULL ? (size_t)(slash - first) + 1 : 0);
    if (tmpl->prefix == NULL) return pm_error_set(err, PM_BAD_CONFIG, "out of memory");
    if (tmpl->kind == PM_TEMPLATE_TEXT) return PM_OK;
    if (text[0] == '\0') return pm_error_set(err, PM_BAD_CONFIG, "is empty");
    if (text[strlen(text) - 1] == '/')
        return pm_error_set(err, PM_BAD_CONFIG, "ends in \"/\": it names a folder, not %s",
                            tmpl->kind == PM_TEMPLATE_KEY ? "an object" : "a file");
    if (tmpl->kind == PM_TEMPLATE_KEY && text[0] == '/') return pm_error_set(err, PM_BAD_CONFIG, "begins with \"/\"");
    if (tmpl->kind == PM_TEMPLATE_PATH) {
        /* "../out/{stem}.jpg" is the operator's own choice: only what follows the prefix can be steered from outside.
         */
        const char *rest = text + strlen(tmpl->prefix);
        PmTemplate tail = *tmpl;
        char *literal = NULL;
        if (tail.count > 0 && !tail.parts[0].fact) {
            literal = strdup(tail.parts[0].text + strlen(tmpl->prefix));
            if (literal == NULL) return pm_error_set(err, PM_BAD_CONFIG, "out of memory");
            tail.parts[0].text = literal;
        }
        (void)rest;
        PmStatus status = check_segments(&tail, err);
        free(literal);
        return status;
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
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7F) {
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
    if (strncmp(result, tmpl->prefix, strlen(tmpl->prefix)) != 0) {
        pm_error_set(err, PM_BAD_INPUT, "\"%s\" gives \"%.200s\", which leaves its prefix", tmpl->source, result);
        return false;
    }
    if (tmpl->kind == PM_TEMPLATE_KEY) return true;
    for (const char *segment = result + strlen(tmpl->prefix);; segment++) {
        size_t length = strcspn(segment, "/");
        bool dots = length <= 2 && strspn(segment, ".") >= length;
        if (dots || length > SEGMENT_MAX) {
            pm_error_set(err, PM_BAD_INPUT, "\"%s\" gives \"%.200s\", which has %s", tmpl->source, result,
                         length == 0 ? "an empty segment"
                         : dots      ? "a \"..\" or \".\" segment"
                                     : "a name longer than 255 bytes");
            return false;
        }
        segment += length;
        if (*segment == '\0') return true;
    }
}

char *pm_template_expand(const PmTemplate *tmpl, const PmFacts *facts, PmError *err)
{
    PmBuffer out;
    pm_buffer_init(&out, TEXT_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < tmpl->count; i++) {
        const Part *part = &tmpl->parts[i];
        if (!part->fact) {
            /* "processed/{dir}/{stem}": an object at the top has no dir, and no empty segment either. */
            bool swallow = i > 0 && tmpl->parts[i - 1].fact && tmpl->kind != PM_TEMPLATE_TEXT && part->text[0] == '/' &&
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
    if (ok && out.failed) {
        pm_error_set(err, PM_BAD_INPUT, "\"%s\" becomes too long", tmpl->source);
        ok = false;
    }
    if (ok && out.data == NULL) pm_buffer_adds(&out, "");
    if (ok && tmpl->kind != PM_TEMPLATE_TEXT) ok = check_result(tmpl, out.data, err);
    char *result = ok ? pm_buffer_steal(&out) : NULL;
    pm_buffer_finish(&out);
    return result;
}
