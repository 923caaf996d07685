/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks across sections: outputs that overwrite each other, and what only the kinds themselves can judge.
 */
#include <string.h>

#include "pipeline/read.h"

enum { ADDRESS_MAX = 8192 };

static bool same_place(const PmPlace *a, const PmPlace *b)
{
    if (a->kind != b->kind || a->kind == NULL) return false;
    const char *key = pm_template_text(a->key);
    if (strcmp(key, pm_template_text(b->key)) != 0 || strstr(key, "{output}") != NULL) return false;
    PmBuffer x, y;
    pm_buffer_init(&x, ADDRESS_MAX);
    pm_buffer_init(&y, ADDRESS_MAX);
    a->kind->address(a, key, &x);
    b->kind->address(b, key, &y);
    bool same = !x.failed && !y.failed && strcmp(x.data, y.data) == 0;
    pm_buffer_finish(&x);
    pm_buffer_finish(&y);
    return same;
}

static void check_overwrites(const PmReading *r)
{
    const PmPipeline *p = r->pipeline;
    for (size_t i = 0; i < p->output_count; i++)
        for (size_t k = 0; k < i; k++)
            if (same_place(&p->outputs[i].to, &p->outputs[k].to)) {
                PmNode at = {.line = p->outputs[i].to.line, .column = p->outputs[i].to.column};
                PmError *err = pm_read_error(r, &at, p->outputs[i].where, "writes to the same place as output %s",
                                             p->outputs[k].name);
                if (err != NULL) pm_error_hint(err, "put {output} into the name");
                break;
            }
}

void pm_read_crossings(const PmReading *r)
{
    for (size_t i = 0; r->kinds[i] != NULL; i++)
        if (r->kinds[i]->check != NULL) r->kinds[i]->check(r->pipeline, r->errors);
    check_overwrites(r);
}
