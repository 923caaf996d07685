/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins use of GLib only what every libvips brings with it: a prebuilt one has GLib inside and shows no more of it
 * than libvips itself needs, and GMarkup and GChecksum are not among that.
 */
#ifndef PLUGINS_COMMON_XML_ESCAPE_H
#define PLUGINS_COMMON_XML_ESCAPE_H

#include <glib.h>

/* Appends `size` bytes of UTF-8 so that they read as text, and as an attribute's value in quotes of either kind
 * (XML 1.0, 2.4). The text holds no control characters but tab and line ends: XML 1.0 cannot say the others. */
void xml_escape_append(GString *out, const char *text, size_t size);
/* The same as a string of its own; the caller frees it with g_free(). */
char *xml_escape(const char *text);

#endif
