/* SPDX-License-Identifier: Apache-2.0
 *
 * Which fonts the text watermarks of this process use. Cairo keeps ten font files open and closes any of them for an
 * eleventh. Jobs that draw text depend on files that were opened before their sandbox closed: so there must never be
 * an eleventh.
 */
#ifndef WATERMARK_FONTS_H
#define WATERMARK_FONTS_H

#include <stdbool.h>

/* Whether text in the font `name` can be drawn: `text` is the text, NULL when jobs draw it. Counts the font until
 * fonts_release() with the same arguments; not when false, which is when texts with facts could no longer rely on their
 * font files. */
bool fonts_use(const char *name, const char *text);
void fonts_release(const char *name, const char *text);

#endif
