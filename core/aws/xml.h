/* SPDX-License-Identifier: Apache-2.0
 *
 * The small XML documents that S3 and STS answer with, as a tree. Hides expat. No DTD, no entities of its own, no
 * namespaces, bounded depth and size.
 */
#ifndef PM_AWS_XML_H
#define PM_AWS_XML_H

#include <stdbool.h>
#include <stddef.h>

typedef struct PmXml PmXml;

enum { PM_XML_DEPTH_MAX = 16, PM_XML_NODES_MAX = 20000, PM_XML_TEXT_MAX = 8192 };

/* New; NULL when it is not well-formed or beyond a bound. */
PmXml *pm_xml_parse(const char *text, size_t size);
void pm_xml_free(PmXml *xml);

const char *pm_xml_name(const PmXml *node); /* "Error", a prefix left out */
const char *pm_xml_text(const PmXml *node); /* the text directly in it; "" when node is NULL */
/* The n-th child of that name, or NULL. node may be NULL. */
const PmXml *pm_xml_child(const PmXml *node, const char *name, size_t n);
/* Text of the node reached by first children of these names: pm_xml_get(root, "Contents/Key"); "" when absent. */
const char *pm_xml_get(const PmXml *node, const char *path);

#endif
