/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/tree_internal.h"

enum { ANCHORS_MAX = 256 };

typedef struct Anchor {
    const char *name;
    PmNode *node;
    size_t nodes; /* how many it stands for */
    bool open;    /* still being read: an alias to it would be a cycle */
} Anchor;

typedef struct Reader {
    PmTree *tree;
    yaml_parser_t parser;
    PmErrorList *errors;
    size_t nodes, depth;
    Anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    bool failed; /* nothing after this can be trusted */
} Reader;

static void fail(Reader *reader, int line, int column, const char *hint, const char *fmt, ...) PM_PRINTF(5, 6);
static void fail(Reader *reader, int line, int column, const char *hint, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    PmError *err =
        pm_error_list_addf(reader->errors, PM_BAD_CONFIG, reader->tree->file, line, column, NULL, "%s", message);
    if (err != NULL && hint != NULL) pm_error_hint(err, "%s", hint);
}

static void give_up(Reader *reader, yaml_mark_t at, const char *fmt, ...) PM_PRINTF(3, 4);
static void give_up(Reader *reader, yaml_mark_t at, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (!reader->failed) fail(reader, (int)at.line + 1, (int)at.column + 1, NULL, "%s", message);
    reader->failed = true;
}

static bool next_event(Reader *reader, yaml_event_t *event)
{
    if (reader->failed) return false;
    if (yaml_parser_parse(&reader->parser, event)) return true;
    pm_tree_syntax_error(&reader->parser, reader->tree->file, reader->errors);
    reader->failed = true;
    return false;
}

static PmNode *new_node(Reader *reader, PmNodeKind kind, yaml_mark_t at)
{
    if (++reader->nodes > PM_TREE_NODES_MAX) {
        give_up(reader, at, "the file has more than %d values (aliases count as what they stand for)",
                (int)PM_TREE_NODES_MAX);
        return NULL;
    }
    PmNode *node = pm_arena_alloc(reader->tree->arena, sizeof *node);
    node->kind = kind;
    node->line = (int)at.line + 1;
    node->column = (int)at.column + 1;
    node->text = "";
    return node;
}

static Anchor *remember(Reader *reader, const yaml_char_t *name, PmNode *node, yaml_mark_t at)
{
    if (name == NULL) return NULL;
    if (reader->anchor_count == ANCHORS_MAX) {
        give_up(reader, at, "the file has more than %d anchors", (int)ANCHORS_MAX);
        return NULL;
    }
    Anchor *anchor = &reader->anchors[reader->anchor_count++];
    *anchor = (Anchor){.name = pm_arena_strdup(reader->tree->arena, (const char *)name),
                       .node = node,
                       .nodes = reader->nodes,
                       .open = true};
    return anchor;
}

static void close_anchor(Reader *reader, Anchor *anchor)
{
    if (anchor == NULL) return;
    anchor->open = false;
    anchor->nodes = reader->nodes - anchor->nodes + 1;
}

/* The short name of a core schema tag ("int"), "" when there is none, NULL when the tag is another. */
static const char *core_tag(Reader *reader, const yaml_char_t *tag, yaml_mark_t at)
{
    static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    const char *text = (const char *)tag, *prefix = "tag:yaml.org,2002:";
    if (text == NULL) return "";
    if (strcmp(text, "!") == 0) return "str"; /* YAML 1.2: the non-specific tag forces text */
    for (size_t i = 0; strncmp(text, prefix, strlen(prefix)) == 0 && i < sizeof core / sizeof core[0]; i++)
        if (strcmp(text + strlen(prefix), core[i]) == 0) return core[i];
    const char *hint =
        strncmp(text, "!=", 2) == 0 ? "put a comparison such as \"!=png\" in quotes" : "a pipeline file needs no tags";
    fail(reader, (int)at.line + 1, (int)at.column + 1, hint, "unknown tag %.100s", text);
    return NULL;
}

static void check_tag(Reader *reader, const yaml_char_t *tag, yaml_mark_t at, const char *fitting)
{
    const char *name = core_tag(reader, tag, at);
    if (name == NULL || name[0] == '\0' || strcmp(name, fitting) == 0 || strcmp((const char *)tag, "!") == 0) return;
    fail(reader, (int)at.line + 1, (int)at.column + 1, "a pipeline file needs no tags",
         "the tag !!%s does not fit here", name);
}

static PmNode *read_node(Reader *reader, yaml_event_t *event);

typedef struct Growing {
    void *items; /* malloced while it grows */
    size_t count, room, size;
} Growing;

static void *grow(Growing *list)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 8;
        void *items = realloc(list->items, room * list->size);
        if (items == NULL) return NULL;
        list->items = items;
        list->room = room;
    }
    return (char *)list->items + list->count++ * list->size;
}

static void *settle(Reader *reader, Growing *list)
{
    void *items = list->count > 0 ? pm_arena_alloc(reader->tree->arena, list->count * list->size) : NULL;
    if (items != NULL) memcpy(items, list->items, list->count * list->size);
    free(list->items);
    return items;
}

static void read_sequence(Reader *reader, PmNode *node)
{
    Growing list = {.size = sizeof(const PmNode *)};
    yaml_event_t event;
    while (next_event(reader, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        PmNode *item = read_node(reader, &event);
        const PmNode **slot = item != NULL ? grow(&list) : NULL;
        if (slot != NULL) *slot = item;
    }
    node->items = settle(reader, &list);
    node->count = list.count;
}

static const PmPair *find_pair(const Growing *list, const char *key)
{
    const PmPair *pairs = list->items;
    for (size_t i = 0; pairs != NULL && i < list->count; i++)
        if (strcmp(pairs[i].key->text, key) == 0) return &pairs[i];
    return NULL;
}

static bool check_key(Reader *reader, const Growing *list, const PmNode *key)
{
    if (key->kind != PM_NODE_SCALAR) {
        fail(reader, key->line, key->column, NULL, "a key must be a word, not %s", pm_node_kind_name(key));
        return false;
    }
    const PmPair *before = find_pair(list, key->text);
    if (before == NULL) return true;
    fail(reader, key->line, key->column, NULL, "key \"%.100s\" is written twice (first on line %d)", key->text,
         before->key->line);
    return false;
}

/* Adds the pairs of `from` whose keys are not there yet. */
static void merge_mapping(Reader *reader, Growing *list, const PmNode *from)
{
    if (from->kind != PM_NODE_MAPPING) {
        fail(reader, from->line, from->column, "name a mapping that an anchor (&name) stands before: <<: *name",
             "<< takes a mapping, or a list of mappings, not %s", pm_node_kind_name(from));
        return;
    }
    for (size_t i = 0; i < from->count; i++) {
        PmPair *slot = find_pair(list, from->pairs[i].key->text) == NULL ? grow(list) : NULL;
        if (slot != NULL) *slot = from->pairs[i];
    }
}

/* YAML 1.1's `<<`: what the mapping says itself counts, then the first of those that are merged. */
static void merge(Reader *reader, Growing *list, const PmNode *from)
{
    if (from->kind != PM_NODE_SEQUENCE) {
        merge_mapping(reader, list, from);
        return;
    }
    for (size_t i = 0; i < from->count; i++) merge_mapping(reader, list, from->items[i]);
}

static bool is_merge(const PmNode *key)
{
    return key->kind == PM_NODE_SCALAR && key->plain && strcmp(key->text, "<<") == 0;
}

static void read_mapping(Reader *reader, PmNode *node)
{
    Growing list = {.size = sizeof(PmPair)};
    PmPair merged = {NULL, NULL};
    yaml_event_t event;
    while (next_event(reader, &event)) {
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        PmNode *key = read_node(reader, &event);
        if (key == NULL || !next_event(reader, &event)) break;
        PmNode *value = read_node(reader, &event);
        if (value == NULL) break;
        bool merges = is_merge(key);
        if (merges && merged.key != NULL)
            fail(reader, key->line, key->column, "merge a list: <<: [*a, *b]",
                 "key \"<<\" is written twice (first on line %d)", merged.key->line);
        else if (merges)
            merged = (PmPair){key, value};
        if (merges) continue;
        PmPair *slot = check_key(reader, &list, key) ? grow(&list) : NULL;
        if (slot != NULL) *slot = (PmPair){key, value};
    }
    if (merged.value != NULL && !reader->failed) merge(reader, &list, merged.value);
    node->pairs = settle(reader, &list);
    node->count = list.count;
}

/* Levels of collections in a node: 0 for a scalar. Walks no more nodes than the cap allows: see its caller. */
static size_t levels_of(const PmNode *node)
{
    size_t most = 0;
    for (size_t i = 0; i < node->count; i++) {
        size_t levels = levels_of(node->kind == PM_NODE_SEQUENCE ? node->items[i] : node->pairs[i].value);
        if (levels > most) most = levels;
    }
    return node->kind == PM_NODE_SCALAR ? 0 : most + 1;
}

static PmNode *read_alias(Reader *reader, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = reader->anchor_count; i-- > 0;) {
        const Anchor *anchor = &reader->anchors[i];
        if (strcmp(anchor->name, name) != 0) continue;
        if (anchor->open) {
            give_up(reader, event->start_mark, "alias *%.60s stands inside what it names", name);
            return NULL;
        }
        reader->nodes += anchor->nodes;
        if (reader->nodes > PM_TREE_NODES_MAX) {
            give_up(reader, event->start_mark,
                    "the file has more than %d values (aliases count as what they stand for)", (int)PM_TREE_NODES_MAX);
            return NULL;
        }
        if (reader->depth + levels_of(anchor->node) > PM_TREE_DEPTH_MAX) {
            give_up(reader, event->start_mark, "the file nests deeper than %d levels", (int)PM_TREE_DEPTH_MAX);
            return NULL;
        }
        return anchor->node;
    }
    give_up(reader, event->start_mark, "alias *%.60s names no anchor", name);
    return NULL;
}

static PmNode *read_scalar(Reader *reader, const yaml_event_t *event)
{
    PmNode *node = new_node(reader, PM_NODE_SCALAR, event->start_mark);
    if (node == NULL) return NULL;
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        give_up(reader, event->start_mark, "a value contains a NUL character");
        return NULL;
    }
    node->text = pm_arena_strdup(reader->tree->arena, text);
    const char *tag = core_tag(reader, event->data.scalar.tag, event->start_mark);
    bool untagged = tag == NULL || tag[0] == '\0';
    node->plain = untagged ? event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE : strcmp(tag, "str") != 0;
    /* U+2018 to U+201F: what word processors make of quotes. */
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strncmp(text, "\xE2\x80", 2) == 0 &&
        (unsigned char)text[2] >= 0x98 && (unsigned char)text[2] <= 0x9F)
        fail(reader, node->line, node->column, "write \" or '", "a curly quote does not quote");
    close_anchor(reader, remember(reader, event->data.scalar.anchor, node, event->start_mark));
    return node;
}

/* Takes `event`. NULL when reading cannot go on. */
static PmNode *read_node(Reader *reader, yaml_event_t *event)
{
    PmNode *node = NULL;
    bool sequence = event->type == YAML_SEQUENCE_START_EVENT;
    if (event->type == YAML_ALIAS_EVENT) {
        node = read_alias(reader, event);
    } else if (event->type == YAML_SCALAR_EVENT) {
        node = read_scalar(reader, event);
    } else if (sequence || event->type == YAML_MAPPING_START_EVENT) {
        if (reader->depth == PM_TREE_DEPTH_MAX) {
            give_up(reader, event->start_mark, "the file nests deeper than %d levels", (int)PM_TREE_DEPTH_MAX);
        } else if ((node = new_node(reader, sequence ? PM_NODE_SEQUENCE : PM_NODE_MAPPING, event->start_mark)) !=
                   NULL) {
            const yaml_char_t *name = sequence ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
            check_tag(reader, sequence ? event->data.sequence_start.tag : event->data.mapping_start.tag,
                      event->start_mark, sequence ? "seq" : "map");
            Anchor *anchor = remember(reader, name, node, event->start_mark);
            reader->depth++;
            if (sequence)
                read_sequence(reader, node);
            else
                read_mapping(reader, node);
            reader->depth--;
            close_anchor(reader, anchor);
        }
    }
    yaml_event_delete(event);
    return reader->failed ? NULL : node;
}

static void read_document(Reader *reader)
{
    yaml_event_t event;
    bool seen = false;
    while (next_event(reader, &event)) {
        yaml_event_type_t type = event.type;
        yaml_mark_t at = event.start_mark;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
        } else if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            return;
        } else if (type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            if (seen) give_up(reader, at, "a pipeline file holds one document, and a second one begins here");
            seen = true;
        } else {
            reader->tree->root = read_node(reader, &event);
        }
    }
}

PmTree *pm_tree_parse(const char *file, const char *text, size_t size, PmErrorList *errors)
{
    PmTree *tree = calloc(1, sizeof *tree);
    Reader *reader = calloc(1, sizeof *reader);
    bool ok = false;
    if (tree == NULL || reader == NULL || (tree->file = strdup(file)) == NULL) goto out;
    tree->arena = pm_arena_new();
    reader->tree = tree;
    reader->errors = errors;
    if (size > PM_TREE_TEXT_MAX) {
        pm_error_list_addf(errors, PM_BAD_CONFIG, file, 0, 0, NULL, "the file is larger than 1 MiB");
        goto out;
    }
    if (!yaml_parser_initialize(&reader->parser)) goto out;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    /* libyaml counts a byte order mark as a column, so that the first key stands beside the others. */
    size_t mark = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text + mark, size - mark);
    read_document(reader);
    yaml_parser_delete(&reader->parser);
    ok = !reader->failed;
out:
    free(reader);
    if (ok) return tree;
    pm_tree_free(tree);
    return NULL;
}

void pm_tree_free(PmTree *tree)
{
    if (tree == NULL) return;
    pm_arena_free(tree->arena);
    free(tree->file);
    free(tree);
}

const PmNode *pm_tree_root(const PmTree *tree)
{
    return tree->root;
}

const char *pm_tree_file(const PmTree *tree)
{
    return tree->file;
}

const PmNode *pm_node_get(const PmNode *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != PM_NODE_MAPPING) return NULL;
    for (size_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->pairs[i].key->text, key) == 0) return mapping->pairs[i].value;
    return NULL;
}

bool pm_node_is_null(const PmNode *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node == NULL) return true;
    for (size_t i = 0; node->kind == PM_NODE_SCALAR && node->plain && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(node->text, words[i]) == 0) return true;
    return false;
}

const char *pm_node_kind_name(const PmNode *node)
{
    if (node->kind == PM_NODE_MAPPING) return "a mapping";
    if (node->kind == PM_NODE_SEQUENCE) return "a list";
    if (pm_node_is_null(node)) return "nothing";
    if (!node->plain) return "text";
    double number;
    bool truth;
    if (pm_parse_number(node->text, &number, NULL, 0)) return "a number";
    return pm_parse_bool(node->text, &truth, NULL, 0) ? "a boolean" : "text";
}
