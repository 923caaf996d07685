/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fact can be decides what may be asked of it. A condition that nothing can meet is a slip: the output or step
 * would be left out for ever, and nobody would hear why.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/when_internal.h"

enum { CANDIDATES_MAX = 400, VALUE_BYTES = 64 };

/* The reason why a test never holds, and what to do. */
typedef struct Never {
    char why[300], hint[200];
} Never;

static bool is_pattern(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

static void lower_case(char *out, size_t size, const char *text)
{
    pm_text_copy(out, size, text);
    for (char *p = out; *p != '\0'; p++) *p = (char)tolower((unsigned char)*p);
}

/* --- one test --- */

/* "yes" is what other YAML readers take for true; "image/jpeg" is the type of what we call jpeg. */
static const char *near_choice(const PmFactInfo *info, const char *text)
{
    static const char *const yes[] = {"yes", "y", "on", "1"}, *const no[] = {"no", "n", "off", "0"};
    char lower[VALUE_BYTES];
    lower_case(lower, sizeof lower, strncmp(text, "image/", 6) == 0 ? text + 6 : text);
    const char *first = info->choices[0];
    for (size_t i = 0; i < 4 && first != NULL && strcmp(first, "true") == 0; i++) {
        if (strcmp(lower, yes[i]) == 0) return "true";
        if (strcmp(lower, no[i]) == 0) return "false";
    }
    for (const char *const *choice = info->choices; *choice != NULL && strlen(lower) > 1; choice++)
        if (strncmp(lower, *choice, strlen(lower)) == 0) return *choice; /* "tif" */
    return pm_text_nearest(lower, info->choices);
}

/* As written; of "!=jpg" what it is not. */
static const char *shown(const Test *test)
{
    size_t n = strlen(test->sign);
    if (test->op != OP_NOT || strncmp(test->written, test->sign, n) != 0) return test->written;
    return test->written + n + strspn(test->written + n, " ");
}

static bool choice_possible(const PmFactInfo *info, const Test *test, Never *never)
{
    for (const char *const *choice = info->choices; *choice != NULL; choice++)
        if (strcmp(test->text, *choice) == 0 || (is_pattern(test->text) && pm_text_glob(test->text, *choice)))
            return true;
    char all[200];
    pm_text_join(info->choices, " or ", all, sizeof all);
    snprintf(never->why, sizeof never->why, "is %s, never \"%.60s\"", all, shown(test));
    const char *near = near_choice(info, test->text);
    if (near != NULL) snprintf(never->hint, sizeof never->hint, "did you mean \"%s%s\"?", test->sign, near);
    return false;
}

static bool number_possible(const PmFactInfo *info, const Test *test, Never *never)
{
    if (!test->numeric) { /* a pattern; or a word, of a verdict's score */
        if (is_pattern(test->text)) return true;
        snprintf(never->why, sizeof never->why, "is a number, and \"%.60s\" is none", test->written);
        return false;
    }
    double n = test->number;
    bool whole = (info->flags & PM_FACT_FRACTION) != 0 || n == floor(n) || test->op != OP_IS, bounded = info->max > 0;
    bool low = test->op == OP_IS || test->op == OP_LESS_EQUAL ? n < info->min : test->op == OP_LESS && n <= info->min;
    bool high = bounded && (test->op == OP_IS || test->op == OP_MORE_EQUAL ? n > info->max
                                                                           : test->op == OP_MORE && n >= info->max);
    if (whole && !low && !high) return true;
    char range[80];
    if (bounded)
        snprintf(range, sizeof range, "%.10g to %.10g", info->min, info->max);
    else
        snprintf(range, sizeof range, "%.10g or more", info->min);
    snprintf(never->why, sizeof never->why, "is %s, never \"%.60s\"", whole ? range : "a whole number", test->written);
    return false;
}

static bool text_possible(const PmFactInfo *info, const Test *test, Never *never)
{
    char lower[VALUE_BYTES];
    lower_case(lower, sizeof lower, test->text);
    bool cased = (info->flags & PM_FACT_LOWER) != 0 && strncmp(lower, test->text, strlen(lower)) != 0;
    const char *bad = info->never != NULL ? strpbrk(test->text, info->never) : NULL;
    if (!cased && bad == NULL) return true;
    if (bad != NULL)
        snprintf(never->why, sizeof never->why, "has no \"%c\" in it, so it is never \"%.60s\"", *bad, shown(test));
    else
        snprintf(never->why, sizeof never->why, "is in lower case, never \"%.60s\"", shown(test));
    const char *last = lower;
    for (const char *p = lower; info->never != NULL && *p != '\0'; p++)
        if (strchr(info->never, *p) != NULL) last = p + 1;
    if (last[0] != '\0') snprintf(never->hint, sizeof never->hint, "did you mean \"%s%s\"?", test->sign, last);
    return false;
}

static bool test_possible(const PmFactInfo *info, const Test *test, Never *never)
{
    if (info->choices != NULL) return choice_possible(info, test, never);
    if ((info->flags & PM_FACT_NUMBER) != 0) return number_possible(info, test, never);
    return text_possible(info, test, never);
}

/* --- values that decide: if none of them meets a condition, no value does --- */

typedef struct Candidates {
    char values[CANDIDATES_MAX][VALUE_BYTES];
    size_t count;
    bool all; /* nothing beyond them needs to be looked at */
} Candidates;

static void add_text(Candidates *c, const char *text)
{
    if (c->count == CANDIDATES_MAX || strlen(text) >= VALUE_BYTES)
        c->all = false;
    else
        pm_text_copy(c->values[c->count++], VALUE_BYTES, text);
}

static void add_number(Candidates *c, double n, const PmFactInfo *info)
{
    char text[VALUE_BYTES];
    if (info != NULL && (n < info->min || (info->max > 0 && n > info->max))) return;
    snprintf(text, sizeof text, "%.17g", n);
    add_text(c, text);
}

/* Of whole numbers each end and its neighbours; of others what lies between two ends, too. */
static void add_numbers(Candidates *c, const Condition *condition, const Condition *other, const PmFactInfo *info)
{
    bool whole = info != NULL && (info->flags & PM_FACT_FRACTION) == 0;
    if (info != NULL) add_number(c, info->min, info);
    if (info != NULL && info->max > 0) add_number(c, info->max, info);
    for (size_t i = 0; i < condition->count && c->all; i++) {
        double n = condition->tests[i].number;
        for (int step = -1; step <= 1; step++) add_number(c, whole ? floor(n) + step : n + step, info);
        if (whole) continue;
        if (info != NULL) add_number(c, (n + info->min) / 2, info);
        if (info != NULL && info->max > 0) add_number(c, (n + info->max) / 2, info);
        for (const Condition *with = condition; with != NULL; with = with == condition ? other : NULL)
            for (size_t k = 0; k < with->count && c->all; k++) add_number(c, (n + with->tests[k].number) / 2, info);
    }
}

static bool all_numeric(const Condition *condition)
{
    for (size_t i = 0; i < condition->count; i++)
        if (!condition->tests[i].numeric) return false;
    return true;
}

/* True when the condition itself names every text that meets it. */
static bool add_texts(Candidates *c, const Condition *condition)
{
    size_t literal = 0;
    if (strcmp(condition->fact, "key") == 0) return false; /* a name without a slash meets keys in every folder */
    for (size_t i = 0; i < condition->count; i++) {
        const Test *test = &condition->tests[i];
        if (test->op != OP_IS || is_pattern(test->text)) continue;
        add_text(c, test->text);
        literal++;
    }
    return condition->any ? literal == condition->count : literal > 0;
}

static void find_candidates(Candidates *c, const Condition *a, const Condition *b, const PmFactInfo *info)
{
    c->count = 0;
    c->all = true;
    if (info != NULL && info->choices != NULL) {
        for (const char *const *choice = info->choices; *choice != NULL; choice++) add_text(c, *choice);
    } else if (all_numeric(a) && (b == NULL || all_numeric(b))) {
        add_numbers(c, a, b, info);
        if (b != NULL) add_numbers(c, b, a, info);
    } else if (info != NULL && (info->flags & PM_FACT_NUMBER) != 0) {
        c->all = false; /* a pattern */
    } else {
        bool named = add_texts(c, a);
        if (!named && b != NULL) named = add_texts(c, b);
        c->all = c->all && named;
    }
}

static bool meets(const Condition *condition, const char *value)
{
    for (size_t i = 0; i < condition->count; i++) {
        bool holds = pm_when_test_holds(condition->fact, &condition->tests[i], value);
        if (holds == condition->any) return holds;
    }
    return !condition->any;
}

/* Whether a value may meet both. `b` may be NULL. */
static bool can_meet(const Condition *a, const Condition *b, const PmFactInfo *info)
{
    Candidates *c = malloc(sizeof *c);
    if (c == NULL) return true;
    find_candidates(c, a, b, info);
    bool can = !c->all;
    for (size_t i = 0; i < c->count && !can; i++) can = meets(a, c->values[i]) && (b == NULL || meets(b, c->values[i]));
    free(c);
    return can;
}

bool pm_when_check(const PmWhen *when, size_t i, const PmFactInfo *info, const char *file, const char *where,
                   PmErrorList *errors)
{
    const Condition *condition = &when->conditions[i];
    bool ok = true;
    for (size_t k = 0; k < condition->count; k++) {
        const Test *test = &condition->tests[k];
        Never never = {0};
        if (test_possible(info, test, &never)) continue;
        ok = false;
        PmError *err = pm_error_list_addf(errors, PM_BAD_CONFIG, file, test->line, test->column, where, "when: %s %s",
                                          condition->fact, never.why);
        if (err != NULL && never.hint[0] != '\0') pm_error_hint(err, "%s", never.hint);
    }
    if (!ok || condition->count == 0 || can_meet(condition, NULL, info)) return ok;
    pm_error_list_addf(errors, PM_BAD_CONFIG, file, condition->tests[0].line, condition->tests[0].column, where,
                       "when: %s: no value meets all of this", condition->fact);
    return false;
}

bool pm_when_excludes(const PmWhen *a, const PmWhen *b)
{
    for (size_t i = 0; a != NULL && b != NULL && i < a->count; i++)
        for (size_t k = 0; k < b->count; k++) {
            const Condition *one = &a->conditions[i], *other = &b->conditions[k];
            if (strcmp(one->fact, other->fact) == 0 && !can_meet(one, other, pm_fact_info(one->fact))) return true;
        }
    return false;
}
