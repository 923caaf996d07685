// SPDX-License-Identifier: Apache-2.0
#include "fonts.h"

#include <glib.h>

enum { FILES_MAX = 10 };

typedef struct Use {
    int users;
    int files; /* that its text of the most scripts may open */
} Use;

static GHashTable *uses; /* by name */
static int texts_of_jobs;

/* One file for the font, one for each further script that it may not have, and one for each symbol up to four: text
 * of jobs opens no others, but the box for missing characters has a font of its own. */
static int files_for(const char *text)
{
    if (text == NULL) return 2;
    GHashTable *scripts = g_hash_table_new(NULL, NULL), *symbols = g_hash_table_new(NULL, NULL);
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        GUnicodeScript script = g_unichar_get_script(c);
        bool shared = script == G_UNICODE_SCRIPT_COMMON || script == G_UNICODE_SCRIPT_INHERITED;
        if (!shared)
            g_hash_table_add(scripts, GINT_TO_POINTER((int)script + 1));
        else if (c >= 0x2100)
            g_hash_table_add(symbols, GUINT_TO_POINTER(c));
    }
    int files = MAX(1, (int)g_hash_table_size(scripts)) + MIN(4, (int)g_hash_table_size(symbols));
    g_hash_table_unref(scripts);
    g_hash_table_unref(symbols);
    return files;
}

static int all_files(void)
{
    int sum = 0;
    GHashTableIter iter;
    gpointer use;
    g_hash_table_iter_init(&iter, uses);
    while (g_hash_table_iter_next(&iter, NULL, &use)) sum += ((Use *)use)->files;
    return sum;
}

bool fonts_use(const char *name, const char *text)
{
    if (uses == NULL) uses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Use *use = g_hash_table_lookup(uses, name);
    if (use == NULL) {
        use = g_new0(Use, 1);
        g_hash_table_insert(uses, g_strdup(name), use);
    }
    int before = use->files;
    use->users++;
    use->files = MAX(before, files_for(text));
    if (text == NULL) texts_of_jobs++;
    if (texts_of_jobs == 0 || all_files() <= FILES_MAX) return true;
    use->files = before;
    fonts_release(name, text);
    return false;
}

void fonts_release(const char *name, const char *text)
{
    Use *use = g_hash_table_lookup(uses, name);
    if (text == NULL) texts_of_jobs--;
    if (--use->users == 0) g_hash_table_remove(uses, name);
}
