/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/decode_params.h"
#include "pipeline/when_internal.h"

static const struct {
    const char *sign;
    Operator op;
} operators[] = {{">=", OP_MORE_EQUAL}, {"<=", OP_LESS_EQUAL}, {"!=", OP_NOT}, {">", OP_MORE},
                 {"<", OP_LESS},        {"==", OP_IS},         {"=", OP_IS}};

void pm_when_free(PmWhen *when)
{
    if (when == NULL) return;
    for (size_t i = 0; i < when->count; i++) {
        Condition *condition = &when->conditions[i];
        for (size_t k = 0; k < condition->count; k++) {
            free(condition->tests[k].text);
            free(condition->tests[k].written);
        }
        free(condition->tests);
        free(condition->fact);
    }
    free(when->conditions);
    free(when);
}

/* Facts count as numbers when they are one: 320, 1MiB, 2M. */
static bool as_number(const char *text, double *number)
{
    int64_t whole;
    if (pm_parse_number(text, number, NULL, 0)) return true;
    if (pm_parse_bytes(text, &whole, NULL, 0) || pm_parse_count(text, &whole, NULL, 0)) {
        *number = (double)whole;
        return true;
    }
    return false;
}

typedef struct Source {
    const char *file, *where;
    PmErrorList *errors;
} Source;

static PmError *complain(const Source *source, const PmNode *node, const char *fmt, const char *a, const char *b)
{
    return pm_error_list_addf(source->errors, PM_BAD_CONFIG, source->file, node->line, node->column, source->where, fmt,
                              a, b);
}

/* What is probably meant by a comparison that cannot be read. */
static void suggest(PmError *err, const char *sign, const char *text)
{
    static const char *const swapped[][2] = {{"=>", ">="}, {"=<", "<="}, {"<>", "!="}, {">>", ">"}, {"<<", "<"}};
    if (err == NULL) return;
    PmLength length;
    const char *both = strstr(text, " and "), *dash = strpbrk(text, "-.");
    for (size_t i = 0; i < sizeof swapped / sizeof swapped[0]; i++)
        if (sign[0] == swapped[i][0][0] && sign[1] == '\0' && text[0] == swapped[i][0][1]) {
            pm_error_hint(err, "did you mean \"%s%.60s\"?", swapped[i][1], text + 1 + strspn(text + 1, " "));
            return;
        }
    if (both != NULL) {
        pm_error_hint(err, "join comparisons by a comma: \"%s%.*s, %.60s\"", sign, (int)(both - text), text, both + 5);
    } else if (pm_parse_length(text, &length, NULL, 0)) {
        pm_error_hint(err, "write the number alone: \"%s%.10g\"", sign, length.value);
    } else if (dash != NULL && dash > text && strspn(text, "0123456789") == (size_t)(dash - text)) {
        const char *to = dash + strspn(dash, "-. ");
        if (to[0] != '\0' && strspn(to, "0123456789") == strlen(to))
            pm_error_hint(err, "write a range as \">=%.*s, <=%.20s\"", (int)(dash - text), text, to);
    }
}

/* A bare True means what the fact says as "true". */
static const char *text_of(const PmNode *node)
{
    bool truth;
    if (node->plain && pm_parse_bool(node->text, &truth, NULL, 0)) return truth ? "true" : "false";
    return node->text;
}

static bool add_test(const Source *source, Condition *condition, const PmNode *node, const char *text)
{
    Test *tests = realloc(condition->tests, (condition->count + 1) * sizeof *tests);
    if (tests == NULL) return false;
    condition->tests = tests;
    Test *test = &tests[condition->count];
    *test = (Test){.op = OP_IS, .sign = "", .line = node->line, .column = node->column};
    test->written = strdup(node->variable ? pm_node_quoted(node) : text);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strncmp(text, operators[i].sign, strlen(operators[i].sign)) == 0) {
            test->op = operators[i].op;
            test->sign = operators[i].sign;
            text += strlen(operators[i].sign);
            break;
        }
    text += strspn(text, " ");
    bool ordered = test->op != OP_IS && test->op != OP_NOT;
    const PmFactInfo *info = pm_fact_info(condition->fact);
    /* "1e3" is the number 1000 as a width, and just a word as a stem. */
    test->numeric = (info == NULL || (info->flags & PM_FACT_NUMBER) != 0 || ordered) && as_number(text, &test->number);
    test->text = strdup(text);
    condition->count++;
    if (test->text == NULL || test->written == NULL) return false;
    if (test->sign[0] != '\0' && text[0] == '\0') {
        complain(source, node, "when: %s: a comparison needs a value after its sign%s", condition->fact, "");
        return false;
    }
    bool number = info != NULL && (info->flags & PM_FACT_NUMBER) != 0;
    if (ordered && !test->numeric) {
        suggest(complain(source, node, "when: %s: \"%s\" is not a number to compare with", condition->fact,
                         node->variable ? test->written : text),
                test->sign, text);
        return false;
    }
    if (ordered && info != NULL && !number) {
        PmError *err =
            complain(source, node, "when: %s is text and cannot be compared with < or >%s", condition->fact, "");
        if (err != NULL) pm_error_hint(err, "write a value, a list, \"!=value\" or a pattern with *");
        return false;
    }
    if (!ordered && number && !test->numeric && strpbrk(text, "*?[") == NULL) {
        PmError *err =
            complain(source, node, "when: %s is a number, and \"%s\" is none", condition->fact, test->written);
        suggest(err, test->sign, text);
        if (err != NULL && text[0] == '\0' && !node->plain)
            pm_error_hint(err, "\">\" begins a folded text: put a comparison such as \">=64\" in quotes");
        if (err != NULL && info->max > 0) pm_error_hint(err, "%s", info->doc); /* "landscape" */
        return false;
    }
    return true;
}

/* ">=64, <2000": each comparison of a joined string is a test of its own. */
static bool add_scalar(const Source *source, Condition *condition, const PmNode *node)
{
    static const char signs[] = "<>!=";
    if (node->text[0] == '\0' || strchr(signs, node->text[0]) == NULL)
        return add_test(source, condition, node, text_of(node));
    bool ok = true;
    char *copy = strdup(node->text), *rest = copy;
    if (copy == NULL) return false;
    while (ok && rest != NULL) {
        char *comma = strchr(rest, ',');
        while (comma != NULL) { /* a comma that a comparison follows */
            const char *next = comma + 1 + strspn(comma + 1, " ");
            if (*next != '\0' && strchr(signs, *next) != NULL) break;
            comma = strchr(comma + 1, ',');
        }
        if (comma != NULL) *comma = '\0';
        rest += strspn(rest, " ");
        size_t n = strlen(rest);
        while (n > 0 && rest[n - 1] == ' ') rest[--n] = '\0';
        ok = add_test(source, condition, node, rest);
        rest = comma != NULL ? comma + 1 : NULL;
    }
    free(copy);
    return ok;
}

static bool read_condition(const Source *source, Condition *condition, const PmPair *pair)
{
    const PmNode *value = pair->value;
    condition->fact = strdup(pair->key->text);
    condition->line = pair->key->line;
    condition->column = pair->key->column;
    if (condition->fact == NULL) return false;
    if (value->failed) return true;
    if (value->kind == PM_NODE_SCALAR && !(pm_node_is_null(value) && value->plain))
        return add_scalar(source, condition, value);
    if (value->kind != PM_NODE_SEQUENCE || value->count == 0) {
        PmError *err =
            complain(source, value, "when: %s must be a value, a list of values or a comparison, not %s",
                     condition->fact, value->kind == PM_NODE_SEQUENCE ? "an empty list" : pm_node_kind_name(value));
        size_t name = strspn(condition->fact, "abcdefghijklmnopqrstuvwxyz0123456789_-.");
        const char *sign = condition->fact + name + strspn(condition->fact + name, " ");
        if (err != NULL && name > 0 && pm_node_is_null(value) && sign[0] != '\0' && strchr("<>=!", sign[0]) != NULL)
            pm_error_hint(err, "write %.*s: \"%.60s\"", (int)name, condition->fact, sign);
        if (err != NULL && value->kind == PM_NODE_MAPPING)
            pm_error_hint(err, "write a comparison as text: %.60s: \">=64, <2000\"", condition->fact);
        return false;
    }
    condition->any = true;
    bool ok = true;
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i]->kind == PM_NODE_SCALAR) {
            ok = add_test(source, condition, value->items[i], text_of(value->items[i])) && ok;
        } else {
            complain(source, value->items[i], "when: %s: a list holds values, not %s", condition->fact,
                     pm_node_kind_name(value->items[i]));
            ok = false;
        }
    }
    return ok;
}

PmWhen *pm_when_new(const char *file, const char *where, const PmNode *node, PmErrorList *errors)
{
    Source source = {file, where, errors};
    if (node->failed) return NULL;
    if (node->kind != PM_NODE_MAPPING || node->count == 0) {
        PmError *err = complain(&source, node, "when must be a mapping of facts, not %s%s",
                                node->kind == PM_NODE_MAPPING ? "an empty one" : pm_node_kind_name(node), "");
        if (err != NULL) pm_error_hint(err, "for example: when: { width: \">=64\", format: [jpeg, png] }");
        return NULL;
    }
    PmWhen *when = calloc(1, sizeof *when);
    if (when != NULL) when->conditions = calloc(node->count, sizeof *when->conditions);
    bool ok = when != NULL && when->conditions != NULL;
    for (size_t i = 0; when != NULL && when->conditions != NULL && i < node->count; i++) {
        bool read = read_condition(&source, &when->conditions[when->count++], &node->pairs[i]);
        const PmFactInfo *info = read ? pm_fact_info(node->pairs[i].key->text) : NULL;
        ok = read && (info == NULL || pm_when_check(when, i, info, file, where, errors)) && ok;
    }
    if (ok) return when;
    pm_when_free(when);
    return NULL;
}

const char *pm_when_fact(const PmWhen *when, size_t i, int *line, int *column)
{
    if (i >= when->count) return NULL;
    if (line != NULL) *line = when->conditions[i].line;
    if (column != NULL) *column = when->conditions[i].column;
    return when->conditions[i].fact;
}

/* A pattern without a slash looks at a key's last part, so that "*.jpg" finds a/b.jpg. */
static bool text_matches(const char *fact, const char *pattern, const char *value)
{
    const char *slash = strcmp(fact, "key") == 0 && strchr(pattern, '/') == NULL && strstr(pattern, "**") == NULL
                            ? strrchr(value, '/')
                            : NULL;
    return strcmp(pattern, value) == 0 || pm_text_glob(pattern, slash != NULL ? slash + 1 : value);
}

bool pm_when_test_holds(const char *fact, const Test *test, const char *value)
{
    double number = 0;
    bool numbers = test->numeric && as_number(value, &number);
    switch (test->op) {
    case OP_IS:
        return (numbers && number == test->number) || text_matches(fact, test->text, value);
    case OP_NOT:
        return !(numbers && number == test->number) && !text_matches(fact, test->text, value);
    case OP_LESS:
        return numbers && number < test->number;
    case OP_LESS_EQUAL:
        return numbers && number <= test->number;
    case OP_MORE:
        return numbers && number > test->number;
    case OP_MORE_EQUAL:
        return numbers && number >= test->number;
    }
    return false;
}

static const char *sign_of(Operator op)
{
    return op == OP_IS           ? ""
           : op == OP_NOT        ? "!="
           : op == OP_LESS       ? "<"
           : op == OP_LESS_EQUAL ? "<="
           : op == OP_MORE       ? ">"
                                 : ">=";
}

static void explain(const Condition *condition, const Test *test, const char *value, char *why, size_t size)
{
    if (value == NULL)
        snprintf(why, size, "%s is not known", condition->fact);
    else if (condition->any)
        snprintf(why, size, "%s is %.80s, none of those listed", condition->fact, value);
    else
        snprintf(why, size, "%s is %.80s, not %s%.80s", condition->fact, value[0] != '\0' ? value : "empty",
                 sign_of(test->op), test->text);
}

bool pm_when_matches(const PmWhen *when, const PmFacts *facts, char *why, size_t why_size)
{
    for (size_t i = 0; i < when->count; i++) {
        const Condition *condition = &when->conditions[i];
        const char *value = pm_facts_get(facts, condition->fact);
        bool holds = value != NULL && !condition->any;
        const Test *failed = condition->count > 0 ? &condition->tests[0] : NULL;
        for (size_t k = 0; value != NULL && k < condition->count; k++) {
            bool one = pm_when_test_holds(condition->fact, &condition->tests[k], value);
            if (condition->any && one) holds = true;
            if (!condition->any && !one && holds) {
                holds = false;
                failed = &condition->tests[k];
            }
        }
        if (holds) continue;
        if (why != NULL && failed != NULL) explain(condition, failed, value, why, why_size);
        return false;
    }
    return true;
}
