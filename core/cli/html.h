/* SPDX-License-Identifier: Apache-2.0
 *
 * Text and addresses as HTML may hold them. What comes from a picture, a file's name or a record never becomes markup.
 */
#ifndef PM_CLI_HTML_H
#define PM_CLI_HTML_H

#include "base/buffer.h"

/* Appends `text` (NULL: nothing) for text and quoted attributes: & < > " ' as references; bytes that are not UTF-8 as
 * '?', control characters but tab and newline left out. */
void pm_html_escape(PmBuffer *out, const char *text);

/* Appends a path as part of a URL, its slashes kept. What else could end it, a comma in a srcset included, is
 * percent-encoded. */
void pm_html_path(PmBuffer *out, const char *path);

#endif
