/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as a mask. Hides Pango, and the two things that keep it out of reach of a job in its sandbox: no font file can
 * be opened there, and in a forked child Pango must never look for a font that it has not used before (since 1.52 a
 * helper thread does that, which fork does not copy: the child would wait for it for ever). So
 *   - text without {facts} is drawn once at start, and jobs only resize the result;
 *   - text with {facts} is drawn by jobs, at one size and in one font that was used once at start. Characters that this
 *     font does not have become boxes, symbols that Pango would look for elsewhere question marks.
 */
#ifndef WATERMARK_TEXT_H
#define WATERMARK_TEXT_H

#include "watermark.h"

enum { TEXT_CHARACTERS_MAX = 300 };

typedef struct Face {
    const Config *config; /* borrowed; NULL until text_open() */
    bool facts;           /* the text has some */
    char *spec;           /* Pango font description with the size */
    int size;             /* px of the em at which masks are drawn */
    VipsAlign align;
    VipsImage *fixed; /* the mask of a text without facts */
} Face;

/* Prepares the fonts for config->text, and draws it when it is fixed. PM_BAD_CONFIG as fail_param says: this libvips
 * has no text, the text is empty or too long, the font carries a size, there are too many fonts. */
PmStatus text_open(const PmHost *host, PmJob *job, const Config *config, Face *face);
void text_close(Face *face);

/* The mask of config->text with this job's facts: one band, 8 bit, in memory, cut to its ink, face->size px to the em.
 * `text` is what text_of() gave. New; NULL in *out when nothing would be visible. */
int text_draw(const Face *face, const char *text, VipsImage **out);

/* What this job's text is, cleaned; the caller frees it with g_free(). PM_BAD_INPUT when facts are missing. */
PmStatus text_of(const PmHost *host, PmJob *job, const Face *face, char **text);

#endif
