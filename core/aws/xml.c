/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

struct PmXml {
    char *name; /* owned */
    PmBuffer text;
    PmXml *parent, *first, *last, *next;
};

typedef struct Builder {
    XML_Parser parser;
    PmXml *root, *at;
    size_t depth, nodes;
    bool failed;
} Builder;

static void give_up(Builder *b)
{
    b->failed = true;
    XML_StopParser(b->parser, XML_FALSE);
}

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    Builder *b = data;
    PmXml *node = b->depth < PM_XML_DEPTH_MAX && b->nodes < PM_XML_NODES_MAX ? calloc(1, sizeof *node) : NULL;
    if (node == NULL) {
        give_up(b);
        return;
    }
    const char *colon = strrchr(name, ':');
    node->name = strdup(colon != NULL ? colon + 1 : name);
    pm_buffer_init(&node->text, PM_XML_TEXT_MAX);
    node->parent = b->at;
    if (b->at == NULL)
        b->root = node;
    else if (b->at->last == NULL)
        b->at->first = b->at->last = node;
    else
        b->at->last = b->at->last->next = node;
    b->at = node;
    b->depth++;
    b->nodes++;
    if (node->name == NULL) give_up(b);
}

static void on_end(void *data, const XML_Char *name)
{
    (void)name;
    Builder *b = data;
    b->at = b->at->parent;
    b->depth--;
}

static void on_text(void *data, const XML_Char *text, int size)
{
    Builder *b = data;
    if (b->at != NULL && !pm_buffer_add(&b->at->text, text, (size_t)size)) give_up(b);
}

static void on_doctype(void *data, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
    (void)name, (void)sysid, (void)pubid, (void)internal;
    give_up(data);
}

PmXml *pm_xml_parse(const char *text, size_t size)
{
    Builder b = {.parser = XML_ParserCreate(NULL)};
    if (b.parser == NULL || size > INT_MAX) {
        if (b.parser != NULL) XML_ParserFree(b.parser);
        return NULL;
    }
    XML_SetUserData(b.parser, &b);
    XML_SetElementHandler(b.parser, on_start, on_end);
    XML_SetCharacterDataHandler(b.parser, on_text);
    XML_SetStartDoctypeDeclHandler(b.parser, on_doctype);
    bool ok = XML_Parse(b.parser, text, (int)size, 1) == XML_STATUS_OK && !b.failed;
    XML_ParserFree(b.parser);
    if (ok) return b.root;
    pm_xml_free(b.root);
    return NULL;
}

void pm_xml_free(PmXml *xml)
{
    if (xml == NULL) return;
    for (PmXml *child = xml->first, *next; child != NULL; child = next) {
        next = child->next;
        pm_xml_free(child); /* as deep as PM_XML_DEPTH_MAX */
    }
    free(xml->name);
    pm_buffer_finish(&xml->text);
    free(xml);
}

const char *pm_xml_name(const PmXml *node)
{
    return node->name;
}

const char *pm_xml_text(const PmXml *node)
{
    return node != NULL && node->text.data != NULL ? node->text.data : "";
}

static const PmXml *find(const PmXml *node, const char *name, size_t length, size_t n)
{
    for (const PmXml *child = node != NULL ? node->first : NULL; child != NULL; child = child->next)
        if (strncmp(child->name, name, length) == 0 && child->name[length] == '\0' && n-- == 0) return child;
    return NULL;
}

const PmXml *pm_xml_child(const PmXml *node, const char *name, size_t n)
{
    return find(node, name, strlen(name), n);
}

const char *pm_xml_get(const PmXml *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        size_t n = strcspn(path, "/");
        node = find(node, path, n, 0);
        path += n;
        if (*path == '/') path++;
    }
    return pm_xml_text(node);
}
