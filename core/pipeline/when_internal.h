/* SPDX-License-Identifier: Apache-2.0
 *
 * What when.c (reading, matching) and when_check.c (what can never hold) know of each other. Not for other files.
 */
#ifndef PM_PIPELINE_WHEN_INTERNAL_H
#define PM_PIPELINE_WHEN_INTERNAL_H

#include "pipeline/when.h"

typedef enum Operator { OP_IS, OP_NOT, OP_LESS, OP_LESS_EQUAL, OP_MORE, OP_MORE_EQUAL } Operator;

typedef struct Test {
    Operator op;
    const char *sign; /* as written; "" for none */
    char *text;       /* owned: without the sign */
    char *written;    /* owned: as written, variables not filled in */
    double number;
    bool numeric;
    int line, column;
} Test;

typedef struct Condition {
    char *fact;
    int line, column;
    bool any; /* a list: one of the tests; else all of them */
    Test *tests;
    size_t count;
} Condition;

struct PmWhen {
    Condition *conditions;
    size_t count;
};

bool pm_when_test_holds(const char *fact, const Test *test, const char *value);

#endif
