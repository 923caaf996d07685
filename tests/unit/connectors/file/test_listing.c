/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/file/listing.h"

static char folder[] = "/tmp/pixmill-listing-XXXXXX", before[4096];
static const char *const formats[] = {"jpeg", "png"};
static const PmLimits limits = {.formats = {formats, 2}};

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || getcwd(before, sizeof before) == NULL || chdir(folder) != 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return chdir(before) != 0 || nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* "key path reason, ..." of all that is listed. */
static void assert_lists(const char *const *paths, size_t count, const char *out, const char *expected)
{
    PmListing listing;
    PmError err = {0};
    char text[2000] = "";
    assert_int_equal(pm_listing_make(&listing, paths, count, out, &limits, &err), PM_OK);
    for (size_t i = 0; i < listing.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s %s%s%s", i > 0 ? ", " : "", listing.items[i].object.key,
                 listing.items[i].object.path, listing.items[i].skipped[0] != '\0' ? " " : "",
                 listing.items[i].skipped);
    }
    assert_string_equal(text, expected);
    pm_listing_finish(&listing);
}

static void folders_and_links_are_what_they_lead_to(void **state)
{
    (void)state;
    mkdir("pics", 0755);
    mkdir("pics/sub", 0755);
    mkdir("pics/out", 0755);
    mkdir("away", 0755);
    write_file("pics/a.png", "\x89PNG\r\n\x1A\n");
    write_file("pics/.hidden.png", "\x89PNG\r\n\x1A\n");
    write_file("pics/sub/b.png", "damaged");
    write_file("pics/out/c.png", "\x89PNG\r\n\x1A\n");
    write_file("away/d", "\x89PNG\r\n\x1A\n");
    write_file("notes", "text");
    assert_int_equal(symlink("../away/d", "pics/e.png"), 0);
    assert_int_equal(symlink("../away", "pics/folder"), 0);
    assert_int_equal(symlink("/nowhere", "pics/f.png"), 0);
    assert_int_equal(mkfifo("pics/g.png", 0644), 0);
    assert_int_equal(symlink("pics", "link"), 0);
    assert_int_equal(symlink("pics/out", "renditions"), 0);
    const char *const all[] = {"pics"}, *const linked[] = {"link/"},
                      *const some[] = {"notes", "pics/a.png", "pics/./a.png"};
    assert_lists(all, 1, NULL,
                 "a.png pics/a.png, e.png pics/e.png, out/c.png pics/out/c.png, sub/b.png pics/sub/b.png");
    assert_lists(all, 1, "renditions",
                 "a.png pics/a.png, e.png pics/e.png, out/ pics/out it is where the renditions go, "
                 "sub/b.png pics/sub/b.png");
    assert_lists(linked, 1, "pics/out",
                 "a.png link/a.png, e.png link/e.png, out/ link/out it is where the renditions go, "
                 "sub/b.png link/sub/b.png");
    assert_lists(some, 3, "away", "notes notes, a.png pics/a.png, a.png pics/./a.png given twice");
}

static void the_folder_of_renditions_is_not_read(void **state)
{
    (void)state;
    const char *const paths[] = {"link"}, *const nowhere[] = {"nowhere"};
    PmListing listing;
    PmError err = {0};
    assert_int_equal(pm_listing_make(&listing, paths, 1, "pics", &limits, &err), PM_BAD_CONFIG);
    assert_string_equal(err.message,
                        "link is read and written at once: the next run would take the renditions for sources");
    pm_listing_finish(&listing);
    pm_error_clear(&err);
    assert_int_equal(pm_listing_make(&listing, nowhere, 1, NULL, &limits, &err), PM_BAD_CONFIG);
    assert_string_equal(err.message, "nowhere: No such file or directory");
    pm_listing_finish(&listing);
}

static void files_are_found_by_identity(void **state)
{
    (void)state;
    const char *const paths[] = {"pics", "notes"};
    PmListing listing;
    PmError err = {0};
    struct stat st;
    assert_int_equal(pm_listing_make(&listing, paths, 2, NULL, &limits, &err), PM_OK);
    assert_int_equal(stat("link/sub/../a.png", &st), 0);
    assert_string_equal(pm_listing_find(&listing, st.st_dev, st.st_ino)->object.key, "a.png");
    assert_int_equal(stat("away", &st), 0);
    assert_null(pm_listing_find(&listing, st.st_dev, st.st_ino));
    char location[4200], *real = realpath("pics", NULL);
    snprintf(location, sizeof location, "%s/x/y.png", real);
    assert_string_equal(pm_listing_root(&listing, location), real);
    snprintf(location, sizeof location, "%s-and-more/y.png", real);
    assert_null(pm_listing_root(&listing, location));
    free(real);
    pm_listing_finish(&listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_and_links_are_what_they_lead_to),
        cmocka_unit_test(the_folder_of_renditions_is_not_read),
        cmocka_unit_test(files_are_found_by_identity),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
