/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fonts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "worker/sanitized.h"

static const char *const places[] = {
#ifdef PM_SANITIZED
    "/", /* AddressSanitizer reads /proc and the binaries to report */
#endif
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/etc/fonts",
    "/var/cache/fontconfig",
    "/opt/fonts" /* of a Lambda layer */
};

static bool is_of_fonts(const char *folder)
{
    const char *name = strrchr(folder, '/');
    return name != NULL && strcasestr(name, "font") != NULL;
}

/* Without the last name of an absolute path. */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (path[0] == '\0') memcpy(path, "/", 2);
}

void pm_fonts_list(PmFonts *fonts)
{
    size_t n = 0;
    for (; n < sizeof places / sizeof places[0]; n++) fonts->folders[n] = places[n];
    fonts->folders[n++] = fonts->named[0] != '\0' ? fonts->named : NULL;
    fonts->folders[n] = NULL;
}

void pm_fonts_find(PmFonts *fonts)
{
    const char *file = getenv("FONTCONFIG_FILE"), *folder = getenv("FONTCONFIG_PATH");
    char path[PATH_MAX] = "";
    *fonts = (PmFonts){.named = ""};
    /* The folder in which the file was said to lie, not that to which it may be a link. */
    if (file != NULL && file[0] == '/') {
        pm_text_copy(path, sizeof path, file);
        cut_name(path);
    } else if (folder != NULL && folder[0] == '/') {
        pm_text_copy(path, sizeof path, folder);
    }
    char *real = path[0] != '\0' ? realpath(path, NULL) : NULL;
    if (real != NULL) pm_text_copy(is_of_fonts(real) ? fonts->named : fonts->refused, sizeof fonts->named, real);
    free(real);
    pm_fonts_list(fonts);
}
