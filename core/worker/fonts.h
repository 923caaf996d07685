/* SPDX-License-Identifier: Apache-2.0
 *
 * Where fonts lie: text is drawn with files that FreeType opens when a size is first used, so these folders, and no
 * others, stay readable to children.
 */
#ifndef PM_WORKER_FONTS_H
#define PM_WORKER_FONTS_H

#include <stdbool.h>

enum { PM_FONT_FOLDERS = 10 };

typedef struct PmFonts {
    const char *folders[PM_FONT_FOLDERS]; /* absolute, NULL-terminated; some need not exist; borrowed from below */
    char named[1024];                     /* the folder that the environment names, when it is one of fonts */
    char refused[1024];                   /* the one that it names, when it is not */
} PmFonts;

/* From the fixed places and FONTCONFIG_FILE or FONTCONFIG_PATH. Such a folder counts when its name, after following
 * links, has "font" in it: /etc, a home or / would open what is not a font to a decoder that was taken over. */
void pm_fonts_find(PmFonts *fonts);

/* Sets fonts->folders; needed again after *fonts was copied. */
void pm_fonts_list(PmFonts *fonts);

#endif
