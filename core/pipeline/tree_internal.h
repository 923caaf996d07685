/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by tree.c, tree_syntax.c and expand.c. Not for others.
 */
#ifndef PM_PIPELINE_TREE_INTERNAL_H
#define PM_PIPELINE_TREE_INTERNAL_H

#include <yaml.h>

#include "pipeline/decode_params.h"
#include "pipeline/tree.h"

struct PmTree {
    char *file;
    PmArena *arena;
    PmNode *root;
    size_t expanded; /* bytes of the scalars in which variables were replaced */
};

/* Adds what libyaml found wrong, in the words of who wrote the file. */
void pm_tree_syntax_error(const yaml_parser_t *parser, const char *file, PmErrorList *errors);

#endif
