/* SPDX-License-Identifier: Apache-2.0
 *
 * A YAML document as a tree of nodes that know their line and column. Hides libyaml (its event API: the
 * document loader is quadratic on nested input). Caps: 1 MiB of text, depth 64, 10,000 nodes, aliases
 * counted as what they stand for. One document; duplicate keys and tags other than the core schema's are errors.
 * Merge keys (`<<`) are carried out: nobody sees them.
 */
#ifndef PM_PIPELINE_TREE_H
#define PM_PIPELINE_TREE_H

#include <jansson.h>

#include "base/error.h"

typedef enum PmNodeKind { PM_NODE_SCALAR, PM_NODE_SEQUENCE, PM_NODE_MAPPING } PmNodeKind;

typedef struct PmNode PmNode;
typedef struct PmPair {
    const PmNode *key; /* a scalar */
    const PmNode *value;
} PmPair;

struct PmNode {
    PmNodeKind kind;
    int line, column;    /* from 1 */
    const char *text;    /* scalar: its value, ${VAR} already replaced where the tree was expanded */
    const char *written; /* when `variable`: as the file has it, with its ${VAR} */
    bool plain;          /* scalar without quotes: may be a number, a boolean or null */
    bool variable; /* a ${VAR} stood in the scalar: it may be a number even in quotes, as `{ a: "${N}" }` needs them */
    bool failed;   /* its ${VAR} could not be replaced and was reported: no error is worth adding */
    bool expanded; /* ${VAR} was replaced: never again, also when an alias leads here twice */
    size_t count;
    const PmNode **items; /* sequence */
    const PmPair *pairs;  /* mapping, in the file's order */
};

typedef struct PmTree PmTree;

enum { PM_TREE_TEXT_MAX = 1024 * 1024, PM_TREE_DEPTH_MAX = 64, PM_TREE_NODES_MAX = 10000 };

/* New. `file` names the text in errors (copied). Every error goes to `errors`; NULL only when nothing of use
 * could be read (a syntax error, a cap). Duplicate keys are reported and the first one kept. */
PmTree *pm_tree_parse(const char *file, const char *text, size_t size, PmErrorList *errors);
void pm_tree_free(PmTree *tree);
const PmNode *pm_tree_root(const PmTree *tree); /* NULL for an empty document */
const char *pm_tree_file(const PmTree *tree);

/* A scalar as messages may quote it: as the file has it, since what a ${VAR} brings can be a secret. */
const char *pm_node_quoted(const PmNode *node);

/* The value of `key` in a mapping, or NULL. */
const PmNode *pm_node_get(const PmNode *mapping, const char *key);
bool pm_node_is_null(const PmNode *node);          /* NULL, or plain ~, null, or empty */
const char *pm_node_kind_name(const PmNode *node); /* "a mapping", "a list", "a number", "text", "a boolean" */

/* Replaces ${NAME}, ${NAME:-default} and the escape $${ in the scalars below `node`, once: what a variable brings is
 * not read again. `lookup` returns a variable's value or NULL; as in a shell, the default stands in for an empty one
 * too. An unset variable without a default is an error at its place. Mapping keys are left alone.
 * `node` must belong to `tree`. */
typedef const char *PmEnvLookup(void *data, const char *name);
void pm_tree_expand(PmTree *tree, const PmNode *node, PmEnvLookup *lookup, void *data, PmErrorList *errors);

/* Adds the names of variables used below `node` to `names`, an array of strings, each once. Before pm_tree_expand. */
void pm_tree_variables(const PmNode *node, json_t *names);

#endif
