/* SPDX-License-Identifier: Apache-2.0
 *
 * Which folders the environment can open to children.
 */
#include "worker/fonts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/sanitized.h"

static char folder[] = "/tmp/pixmill-test-XXXXXX";

static bool lists(const PmFonts *fonts, const char *path)
{
    for (size_t i = 0; fonts->folders[i] != NULL; i++)
        if (strcmp(fonts->folders[i], path) == 0) return true;
    return false;
}

static PmFonts find(const char *variable, const char *path)
{
    PmFonts fonts;
    unsetenv("FONTCONFIG_FILE");
    unsetenv("FONTCONFIG_PATH");
    if (variable != NULL) assert_int_equal(setenv(variable, path, 1), 0);
    pm_fonts_find(&fonts);
    pm_fonts_list(&fonts);
    return fonts;
}

static void fixed_places_are_there(void **state)
{
    (void)state;
    PmFonts fonts = find(NULL, NULL);
    pm_fonts_list(&fonts);
    assert_true(lists(&fonts, "/usr/share/fonts"));
    assert_true(lists(&fonts, "/etc/fonts"));
    assert_string_equal(fonts.named, "");
    assert_string_equal(fonts.refused, "");
}

static void a_folder_of_fonts_is_opened(void **state)
{
    (void)state;
    char path[128], file[160];
    snprintf(path, sizeof path, "%s/our-Fonts", folder);
    snprintf(file, sizeof file, "%s/fonts.conf", path);
    PmFonts fonts = find("FONTCONFIG_FILE", file);
    pm_fonts_list(&fonts);
    assert_true(lists(&fonts, path));
    fonts = find("FONTCONFIG_PATH", path);
    pm_fonts_list(&fonts);
    assert_true(lists(&fonts, path));
}

/* /etc/fonts.conf used to open all of /etc, with shadow and keys. */
static void no_other_folder_is_opened(void **state)
{
    (void)state;
    char link[128], file[160], other[128];
    snprintf(link, sizeof link, "%s/fonts-of-etc", folder);
    snprintf(file, sizeof file, "%s/fonts.conf", link);
    snprintf(other, sizeof other, "%s/other", folder);
    const struct {
        const char *variable, *path, *refused;
    } tries[] = {{"FONTCONFIG_FILE", "/etc/fonts.conf", "/etc"},
                 {"FONTCONFIG_FILE", "/fonts.conf", "/"},
                 {"FONTCONFIG_PATH", "/", "/"},
                 {"FONTCONFIG_PATH", "/etc", "/etc"},
                 {"FONTCONFIG_PATH", "/etc/fonts/..", "/etc"},
                 {"FONTCONFIG_PATH", link, "/etc"}, /* a link is what it leads to */
                 {"FONTCONFIG_FILE", file, "/etc"},
                 {"FONTCONFIG_PATH", other, other}};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        PmFonts fonts = find(tries[i].variable, tries[i].path);
        pm_fonts_list(&fonts);
        assert_string_equal(fonts.named, "");
        assert_string_equal(fonts.refused, tries[i].refused);
#ifndef PM_SANITIZED /* which lists / */
        assert_false(lists(&fonts, tries[i].path));
#endif
    }
    PmFonts fonts = find("FONTCONFIG_PATH", "relative/fonts");
    assert_string_equal(fonts.named, "");
}

static int make_folders(void **state)
{
    (void)state;
    char path[128];
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/our-Fonts", folder);
    int bad = mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/other", folder);
    bad |= mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/fonts-of-etc", folder);
    return bad | symlink("/etc", path);
}

static int remove_folders(void **state)
{
    (void)state;
    static const char *const names[] = {"our-Fonts", "other", "fonts-of-etc"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_places_are_there),
        cmocka_unit_test(a_folder_of_fonts_is_opened),
        cmocka_unit_test(no_other_folder_is_opened),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
