/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml's messages speak of tokens and states. Here they become what the writer of the file can act on.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/tree_internal.h"

typedef struct Phrase {
    const char *problem;        /* part of libyaml's */
    const char *context;        /* part of libyaml's, or NULL for any */
    const char *message, *hint; /* hint may be NULL */
    bool opened;                /* the message goes on with where the thing was opened */
} Phrase;

/* The first that matches counts. */
static const Phrase phrases[] = {
    {"mapping values are not allowed", NULL, "a \":\" is not expected here",
     "put a value that contains \": \" in quotes, and check that the keys of one mapping are equally far indented",
     false},
    {"could not find expected ':'", NULL, "a key without \":\" after it", "write \"key: value\"", false},
    {"did not find expected key", "block mapping", "this line does not fit the mapping",
     "keys of one mapping are equally far indented", true},
    {"did not find expected '-' indicator", NULL, "this line does not fit the list",
     "items of one list begin with \"- \" and are equally far indented", true},
    {"did not find expected ',' or '}'", NULL, "expected \",\" or \"}\" in the mapping", "every { needs its }", true},
    {"did not find expected ',' or ']'", NULL, "expected \",\" or \"]\" in the list", "every [ needs its ]", true},
    {"did not find expected node content", NULL, "a value is missing here", NULL, false},
    {"found unexpected end of stream", "quoted scalar", "no closing quote for the text", NULL, true},
    {"found unexpected document indicator", NULL, "no closing quote for the text", NULL, true},
    {"found unknown escape character", NULL, "no such escape in a text in double quotes",
     "write \\\\ for a backslash, or use single quotes", false},
    {"did not find expected hexdecimal number", NULL, "expected hexadecimal digits after \\x, \\u or \\U", NULL, false},
    {"found invalid Unicode character escape code", NULL, "this escape is no Unicode character", NULL, false},
    {"block sequence entries are not allowed", NULL, "a \"- \" is not expected here",
     "a list begins on a line of its own below its key", false},
    {"block mapping keys are not allowed", NULL, "a key is not expected here", NULL, false},
    {"mapping keys are not allowed", NULL, "a key is not expected here", NULL, false},
    {"found undefined tag handle", NULL, "this tag is not known", "a pipeline file needs no tags", false},
    {"found undefined alias", NULL, "no anchor of this name comes before", NULL, false},
    {"did not find expected alphabetic or numeric", "anchor",
     "\"&\" begins an anchor; its name is made of letters, digits, - and _", "put a text that begins with & in quotes",
     false},
    {"did not find expected alphabetic or numeric", "alias",
     "\"*\" begins an alias; its name is made of letters, digits, - and _", "put a glob such as \"*.jpg\" in quotes",
     false},
    {"found a tab character where an indentation", NULL, "a tab cannot indent a line", "use spaces", false},
    {"found a tab character that violates", NULL, "a tab cannot indent a line", "use spaces", false},
    {"found incompatible YAML document", NULL, "this YAML version is not supported", "leave the %YAML line out", false},
    {"did not find expected <document start>", NULL, "expected the end of the file",
     "the file holds one mapping, with its keys at the left margin", false},
    {"exceeded maximum nesting", NULL, "nested too deeply", NULL, false},
    {"control characters are not allowed", NULL, "a control character is not allowed", NULL, false},
    {"invalid leading UTF-8 octet", NULL, "the file is not valid UTF-8 here", "save it as UTF-8", false},
    {"invalid trailing UTF-8 octet", NULL, "the file is not valid UTF-8 here", "save it as UTF-8", false},
    {"incomplete UTF-8 octet sequence", NULL, "the file is not valid UTF-8 here", "save it as UTF-8", false},
    {"invalid length of a UTF-8 sequence", NULL, "the file is not valid UTF-8 here", "save it as UTF-8", false},
    {"invalid Unicode character", NULL, "the file is not valid UTF-8 here", "save it as UTF-8", false},
};

static bool contains(const char *text, const char *part)
{
    return part == NULL || (text != NULL && strstr(text, part) != NULL);
}

static const Phrase *find_phrase(const yaml_parser_t *parser)
{
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (contains(parser->problem, phrases[i].problem) && contains(parser->context, phrases[i].context))
            return &phrases[i];
    return NULL;
}

/* Line and column, from 1, of a byte; columns count characters as libyaml's do. */
static void locate(const char *text, size_t offset, int *line, int *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

/* --- texts that need quotes --- */

/* Bytes of the line break at `p`, 0 for none: those of YAML 1.1, which libyaml counts its lines by. */
static size_t break_size(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);
    if (p[0] == '\n') return 1;
    if (p[0] == '\r') return left > 1 && p[1] == '\n' ? 2 : 1;
    if (left > 1 && memcmp(p, "\xC2\x85", 2) == 0) return 2;
    if (left > 2 && (memcmp(p, "\xE2\x80\xA8", 3) == 0 || memcmp(p, "\xE2\x80\xA9", 3) == 0)) return 3;
    return 0;
}

/* Bytes of the line at `p`, without its break. */
static size_t line_length(const char *p, const char *end)
{
    const char *q = p;
    while (q < end && break_size(q, end) == 0) q++;
    return (size_t)(q - p);
}

/* The line after the one of `length` bytes at `p`; `end` where it is the last. */
static const char *next_line(const char *p, size_t length, const char *end)
{
    p += length;
    return p < end ? p + break_size(p, end) : end;
}

/* The text's line, from 1, up to but without its break; empty behind the last. */
static const char *line_of(const char *text, size_t size, int line, size_t *length)
{
    const char *p = text, *end = text + size;
    *length = line_length(p, end);
    for (int l = 1; l < line && p < end; l++) {
        p = next_line(p, *length, end);
        *length = line_length(p, end);
    }
    return p;
}

/* How many bytes of `text` were meant as one value: up to what ends it in a list or mapping, or the line. */
static size_t meant(const char *text, size_t size)
{
    int open = 0;
    size_t n = 0;
    for (; n < size && text[n] != ',' && text[n] != ']' && text[n] != '\r'; n++) {
        if (text[n] == '{') open++;
        if (text[n] == '}' && open-- == 0) break;
        if (text[n] == ' ' && n + 1 < size && text[n + 1] == '#') break;
    }
    while (n > 0 && text[n - 1] == ' ') n--;
    return n < 60 ? n : 60;
}

/* Whether a value may begin at text[at]: behind "key: ", "- ", "[", "{" or ",". */
static bool begins_value(const char *text, size_t at)
{
    size_t p = at;
    while (p > 0 && text[p - 1] == ' ') p--;
    if (p == 0 || text[p - 1] == '\0') return false;
    return strchr("[{,", text[p - 1]) != NULL || (p < at && strchr(":-", text[p - 1]) != NULL);
}

/* Bytes of "{fact}" at `text`, 0 for something else. */
static size_t fact_size(const char *text, size_t size)
{
    size_t n = 1;
    if (size == 0 || text[0] != '{') return 0;
    while (n < size && text[n] != '\0' && (isalnum((unsigned char)text[n]) || strchr("_.-", text[n]) != NULL)) n++;
    return n > 1 && n < size && text[n] == '}' ? n + 1 : 0;
}

/* `path: {stem}.{ext}` is a mapping to YAML, with something behind it; `{ path: out/{stem} }` ends at the first }. */
static bool find_fact(const char *text, size_t size, size_t *at)
{
    bool quoted = false;
    size_t value = 0; /* where the value began that we are in */
    for (size_t i = 0; i < size; i++) {
        quoted = quoted != (text[i] == '"');
        if (text[i] != ' ' && begins_value(text, i)) value = i;
        size_t n = quoted ? 0 : fact_size(text + i, size - i);
        if (n == 0) continue;
        char next = i + n < size ? text[i + n] : '\0';
        bool goes_on = next != '\0' && (isalnum((unsigned char)next) || strchr("{_-./", next) != NULL);
        bool inside = i > 0 && (isalnum((unsigned char)text[i - 1]) || strchr("}_-./", text[i - 1]) != NULL);
        if (!(value == i && goes_on) && !(inside && value > 0)) continue;
        *at = value;
        return true;
    }
    return false;
}

/* `{ background: #ff0000, ... }`: the rest of the line is a comment, the closing bracket with it. */
static bool find_color(const char *text, size_t size, size_t *at)
{
    for (size_t i = 1; i < size; i++) {
        size_t digits = 0;
        if (text[i] != '#' || text[i - 1] != ' ' || !begins_value(text, i)) continue;
        while (i + 1 + digits < size && isxdigit((unsigned char)text[i + 1 + digits])) digits++;
        if (digits < 3 || digits > 8) continue;
        *at = i;
        return true;
    }
    return false;
}

/* Columns count characters. */
static int column_of(const char *line, size_t at)
{
    int column = 1;
    for (size_t i = 0; i < at; i++) column += ((unsigned char)line[i] & 0xC0) != 0x80;
    return column;
}

/* The byte at a column, from 1, of a line of `length` bytes; its length where the line is shorter. */
static size_t at_column(const char *line, size_t length, int column)
{
    size_t at = 0;
    for (int c = 1; at < length && c < column; c++) {
        at++;
        while (at < length && ((unsigned char)line[at] & 0xC0) == 0x80) at++;
    }
    return at;
}

/* A text without quotes on the lines that libyaml's problem is about. */
static bool unquoted(const yaml_parser_t *parser, const char *text, size_t size, const char *file, PmError *err)
{
    enum { BACK = 20 }; /* a comment that swallows closing brackets shows only where the file goes on */
    int last = (int)parser->problem_mark.line + 1, first = last;
    if (contains(parser->problem, "did not find expected node content")) first = last > BACK ? last - BACK : 1;
    if (parser->context != NULL && (int)parser->context_mark.line + 1 < first)
        first = (int)parser->context_mark.line + 1;
    size_t length, at = 0;
    const char *p = line_of(text, size, first, &length), *end = text + size;
    for (int line = first; line <= last; line++, p = next_line(p, length, end), length = line_length(p, end)) {
        if (find_fact(p, length, &at)) {
            pm_error_at(err, PM_BAD_CONFIG, file, line, column_of(p, at), "a \"{\" outside of quotes begins a mapping");
            pm_error_hint(err, "put quotes around it: \"%.*s\"", (int)meant(p + at, length - at), p + at);
            return true;
        }
        if (find_color(p, length, &at)) {
            pm_error_at(err, PM_BAD_CONFIG, file, line, column_of(p, at), "\"#\" begins a comment");
            pm_error_hint(err, "put quotes around it: \"%.*s\"", (int)meant(p + at, length - at), p + at);
            return true;
        }
    }
    return false;
}

/* `width: >=64`: to YAML a folded text, with a strange header. */
static bool comparison(const yaml_parser_t *parser, const char *text, size_t size, const char *file, PmError *err)
{
    if (!contains(parser->context, "scanning a block scalar")) return false;
    int line = (int)parser->context_mark.line + 1, column = (int)parser->context_mark.column + 1;
    size_t length;
    const char *p = line_of(text, size, line, &length);
    size_t at = at_column(p, length, column);
    if (at >= length || p[at] != '>') return false;
    pm_error_at(err, PM_BAD_CONFIG, file, line, column, "\">\" begins a folded text");
    pm_error_hint(err, "put quotes around it: \"%.*s\"", (int)meant(p + at, length - at), p + at);
    return true;
}

/* A character that begins no value: by far the most frequent are a tab and an unquoted @ or `. */
static void cannot_start(const char *text, size_t size, PmError *err, int line, int column, const char *file)
{
    size_t length;
    const char *p = line_of(text, size, line, &length);
    size_t at = at_column(p, length, column), left = length - at;
    char c = left > 0 ? p[at] : '\0';
    if (c == '\t') {
        pm_error_at(err, PM_BAD_CONFIG, file, line, column, "a tab cannot indent a line");
        pm_error_hint(err, "use spaces");
    } else {
        pm_error_at(err, PM_BAD_CONFIG, file, line, column, "a value cannot begin with \"%c\"", c != '\0' ? c : '?');
        pm_error_hint(err, "put quotes around it: \"%.*s\"", (int)meant(p + at, left), p + at);
    }
}

void pm_tree_syntax_error(const yaml_parser_t *parser, const char *file, PmErrorList *errors)
{
    const char *text = (const char *)parser->input.string.start;
    size_t size = (size_t)(parser->input.string.end - parser->input.string.start);
    PmError err = {0};
    int line = (int)parser->problem_mark.line + 1, column = (int)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR)
        locate(text, parser->problem_offset < size ? parser->problem_offset : size, &line, &column);
    const Phrase *phrase = find_phrase(parser);
    if (contains(parser->context, "scanning an a")) { /* an anchor or alias: its sign is what is meant */
        line = (int)parser->context_mark.line + 1;
        column = (int)parser->context_mark.column + 1;
    }
    if (parser->error == YAML_MEMORY_ERROR) {
        pm_error_set(&err, PM_TRANSIENT, "not enough memory to read the file");
    } else if (parser->error != YAML_READER_ERROR &&
               (comparison(parser, text, size, file, &err) || unquoted(parser, text, size, file, &err))) {
        phrase = NULL; /* said */
    } else if (contains(parser->problem, "found character that cannot start any token")) {
        cannot_start(text, size, &err, line, column, file);
    } else if (phrase != NULL && phrase->opened && parser->context != NULL) {
        pm_error_at(&err, PM_BAD_CONFIG, file, line, column, "%s that begins at line %d, column %d", phrase->message,
                    (int)parser->context_mark.line + 1, (int)parser->context_mark.column + 1);
    } else {
        pm_error_at(&err, PM_BAD_CONFIG, file, line, column, "%s",
                    phrase != NULL            ? phrase->message
                    : parser->problem != NULL ? parser->problem
                                              : "this is not YAML");
    }
    if (phrase != NULL && phrase->hint != NULL) pm_error_hint(&err, "%s", phrase->hint);
    pm_error_list_add(errors, &err);
}
