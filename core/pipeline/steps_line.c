/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/steps_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "pipeline/tree.h"

enum { TEXT_MAX = 64 * 1024 };

typedef struct Scan {
    const char *at;
    int line, column; /* of `at`, from 1; columns count characters, as libyaml does */
    PmBuffer yaml;
    int *lines;
    size_t line_count, line_room;
    bool failed; /* no memory */
    PmError *err;
} Scan;

static void step_over(Scan *s)
{
    if (*s->at == '\n') {
        s->line++;
        s->column = 1;
    } else if (((unsigned char)*s->at & 0xC0) != 0x80) {
        s->column++;
    }
    s->at++;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(Scan *s)
{
    while (is_space(*s->at)) step_over(s);
}

static PmStatus refuse(const Scan *s, int line, int column, const char *message, const char *hint)
{
    pm_error_at(s->err, PM_BAD_CONFIG, PM_STEPS_LINE_FILE, line, column, "%s", message);
    if (hint != NULL) pm_error_hint(s->err, "%s", hint);
    return PM_BAD_CONFIG;
}

/* A new line of YAML for a token at this place: `size` bytes in its column. */
static void emit(Scan *s, int line, int column, const char *text, size_t size)
{
    if (s->line_count == s->line_room) {
        size_t room = s->line_room == 0 ? 64 : 2 * s->line_room;
        int *lines = realloc(s->lines, room * sizeof *lines);
        if (lines == NULL) {
            s->failed = true;
            return;
        }
        s->lines = lines;
        s->line_room = room;
    }
    s->lines[s->line_count++] = line;
    pm_buffer_addf(&s->yaml, "%*s", column - 1, "");
    pm_buffer_add(&s->yaml, text, size);
    pm_buffer_adds(&s->yaml, "\n");
}

/* What belongs to no token. */
static void emit_between(Scan *s, const char *text)
{
    emit(s, s->line, 1, text, strlen(text));
}

static bool is_plain(const char *text, size_t size)
{
    const char *const inside = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+/%-";
    return size > 0 && text[0] != '%' && !(size == 1 && text[0] == '-') && strspn(text, inside) >= size;
}

static void emit_quoted(Scan *s, int line, int column, const char *text, size_t size)
{
    PmBuffer quoted;
    pm_buffer_init(&quoted, 2 * TEXT_MAX + 2);
    pm_buffer_adds(&quoted, "'");
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\'')
            pm_buffer_adds(&quoted, "''");
        else
            pm_buffer_add(&quoted, &text[i], 1);
    pm_buffer_adds(&quoted, "'");
    if (quoted.failed)
        s->failed = true;
    else
        emit(s, line, column, quoted.data, quoted.size);
    pm_buffer_finish(&quoted);
}

/* '...' or "...": the quote doubled, or behind a backslash, stands for itself. */
static PmStatus read_quoted(Scan *s)
{
    int line = s->line, column = s->column;
    char quote = *s->at;
    PmBuffer text;
    pm_buffer_init(&text, TEXT_MAX);
    for (step_over(s); *s->at != '\0' && (*s->at != quote || s->at[1] == quote); step_over(s)) {
        if (*s->at == quote || (*s->at == '\\' && s->at[1] == quote)) step_over(s);
        pm_buffer_add(&text, s->at, 1);
    }
    PmStatus status = PM_OK;
    if (*s->at == '\0') {
        status = refuse(s, line, column, "the quotes are not closed", NULL);
    } else {
        step_over(s);
        if (text.failed)
            s->failed = true;
        else
            emit_quoted(s, line, column, text.data != NULL ? text.data : "", text.size);
    }
    pm_buffer_finish(&text);
    return status;
}

/* [a, b] and { a: b } are YAML already. */
static PmStatus read_bracketed(Scan *s)
{
    int line = s->line, column = s->column, depth = 0;
    const char *from = s->at;
    do {
        if (*s->at == '[' || *s->at == '{') depth++;
        if (*s->at == ']' || *s->at == '}') depth--;
        if (*s->at == '\0' || *s->at == '\n') return refuse(s, line, column, "the brackets are not closed", NULL);
        step_over(s);
    } while (depth > 0);
    emit(s, line, column, from, (size_t)(s->at - from));
    return PM_OK;
}

static bool ends_word(char c)
{
    return c == '\0' || c == ',' || is_space(c);
}

static PmStatus read_value(Scan *s)
{
    int line = s->line, column = s->column;
    const char *from = s->at;
    if (*s->at == '\'' || *s->at == '"') {
        PmStatus status = read_quoted(s);
        if (status != PM_OK) return status;
    } else if (*s->at == '[' || *s->at == '{') {
        PmStatus status = read_bracketed(s);
        if (status != PM_OK) return status;
    } else {
        while (!ends_word(*s->at)) step_over(s);
        size_t size = (size_t)(s->at - from);
        if (is_plain(from, size))
            emit(s, line, column, from, size);
        else /* YAML would take it for something else: #ff0000 */
            emit_quoted(s, line, column, from, size);
        return PM_OK;
    }
    return ends_word(*s->at) ? PM_OK : refuse(s, s->line, s->column, "expected a space or a comma here", NULL);
}

/* NAME=, or nothing: the size of NAME. */
static size_t name_size(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return size > 0 && text[size] == '=' ? size : 0;
}

static PmStatus read_words(Scan *s)
{
    bool first = true;
    for (skip_spaces(s); *s->at != '\0' && *s->at != ','; skip_spaces(s)) {
        size_t size = name_size(s->at);
        if (size == 0 && !first)
            return refuse(s, s->line, s->column, "expected NAME=VALUE here",
                          "put quotes around a value with spaces: text=\"two words\"");
        if (size == 0) {
            emit_between(s, "\"\":");
        } else {
            char key[80];
            if (size + 2 > sizeof key)
                return refuse(s, s->line, s->column, "the name of the parameter is too long", NULL);
            memcpy(key, s->at, size);
            key[size] = ':';
            emit(s, s->line, s->column, key, size + 1);
            for (size_t i = 0; i <= size; i++) step_over(s);
            if (ends_word(*s->at))
                return refuse(s, s->line, s->column, "a value is missing after =", "an empty text is written \"\"");
        }
        PmStatus status = read_value(s);
        if (status != PM_OK) return status;
        emit_between(s, ",");
        first = false;
    }
    return PM_OK;
}

static PmStatus read_step(Scan *s)
{
    skip_spaces(s);
    int line = s->line, column = s->column;
    const char *from = s->at;
    while (!ends_word(*s->at)) step_over(s);
    size_t size = (size_t)(s->at - from);
    if (size == 0)
        return refuse(s, line, column, "a step is missing here", "write for instance: resize 400, convert webp");
    char key[80];
    if (size + 2 > sizeof key || memchr(from, '=', size) != NULL || !is_plain(from, size))
        return refuse(s, line, column, "expected the name of a plugin here",
                      "a value with a comma stands in quotes; steps are divided by commas");
    memcpy(key, from, size);
    key[size] = ':';
    emit_between(s, "{");
    emit(s, line, column, key, size + 1);
    emit_between(s, "{");
    PmStatus status = read_words(s);
    emit_between(s, "}");
    emit_between(s, "},");
    return status;
}

PmStatus pm_steps_line_read(const char *text, PmStepsLine *out, PmError *err)
{
    Scan s = {.at = text, .line = 1, .column = 1, .err = err};
    *out = (PmStepsLine){0};
    if (strlen(text) > TEXT_MAX) return refuse(&s, 1, 1, "more than 64 KiB of steps", "write a pipeline file");
    pm_buffer_init(&s.yaml, PM_TREE_TEXT_MAX);
    emit_between(&s, "{ version: 1, name: steps, outputs: { " PM_STEPS_LINE_OUTPUT
                     ": { to: { file: { path: \"{dir}/{stem}.{ext}\" } }, steps: [");
    PmStatus status = read_step(&s);
    while (status == PM_OK && *s.at == ',') {
        step_over(&s);
        status = read_step(&s);
    }
    emit_between(&s, "] } } }");
    bool failed = s.failed || s.yaml.failed;
    out->size = s.yaml.size;
    out->yaml = pm_buffer_steal(&s.yaml);
    out->lines = s.lines;
    out->line_count = s.line_count;
    if (status == PM_OK && failed) return pm_error_set(err, PM_LIMIT, "the steps are too long, or memory is short");
    return status;
}

void pm_steps_line_finish(PmStepsLine *line)
{
    free(line->yaml);
    free(line->lines);
    *line = (PmStepsLine){0};
}

void pm_steps_line_place(const PmStepsLine *line, PmError *err)
{
    if (strcmp(err->file, PM_STEPS_LINE_FILE) == 0 && err->line >= 1 && (size_t)err->line <= line->line_count)
        err->line = line->lines[err->line - 1];
}
