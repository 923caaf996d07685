/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#define PLUGINS PM_BUILD_DIR "/test-plugins/"

static bool has(const json_t *array, const char *start)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strncmp(json_string_value(json_array_get(array, i)), start, strlen(start)) == 0) return true;
    return false;
}

static void test_read(void **state)
{
    (void)state;
    PmElf elf;
    assert_int_equal(pm_elf_read(PLUGINS "bad-export.so", &elf, NULL), PM_OK);
    assert_true(has(elf.exports, "pixmill_plugin"));
    assert_true(has(elf.exports, "helper_that_leaked"));
    assert_false(has(elf.exports, "vips_")); /* undefined ones are not exports */
    assert_false(has(elf.needed, "libvips"));
    pm_elf_finish(&elf);
    assert_int_equal(pm_elf_read(PLUGINS "bad-needed.so", &elf, NULL), PM_OK);
    assert_true(has(elf.needed, "libvips.so"));
    pm_elf_finish(&elf);
    pm_elf_finish(NULL);
}

static void test_refusals(void **state)
{
    (void)state;
    PmElf elf;
    PmError err = {0};
    assert_int_equal(pm_elf_read("/nowhere", &elf, &err), PM_BAD_CONFIG);
    assert_string_equal(err.message, "/nowhere: cannot open: No such file or directory");
    const char *const others[] = {PM_SOURCE_DIR "/LICENSE", PM_SOURCE_DIR, "/dev/null"};
    for (size_t i = 0; i < 3; i++) {
        pm_error_clear(&err);
        assert_int_equal(pm_elf_read(others[i], &elf, &err), PM_BAD_CONFIG);
        assert_non_null(strstr(err.message, ": expected a 64-bit shared object with its section headers"));
    }
}

/* Damaged files are refused or read, never read beyond their end: the sanitizer build is the judge. */
static void test_damage(void **state)
{
    (void)state;
    gchar *bytes;
    gsize size;
    assert_true(g_file_get_contents(PLUGINS "abi-first.so", &bytes, &size, NULL));
    char path[] = "/tmp/pixmill-elf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    size_t refused = 0, tried = 0;
    /* The ELF header, then the section headers at the end, byte by byte. */
    for (size_t i = 0; i < size; i = i == 63 ? (size > 1024 ? size - 1024 : 64) : i + 1) {
        for (int bit = 0; bit < 8; bit += 7) {
            char byte = (char)(bytes[i] ^ (1 << bit));
            assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
            PmElf elf;
            if (pm_elf_read(path, &elf, NULL) == PM_OK)
                pm_elf_finish(&elf);
            else
                refused++;
            tried++;
        }
        assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
    }
    for (size_t cut = size - 1; cut > 0; cut /= 2) { /* the section headers are what goes first */
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        PmElf elf;
        assert_int_equal(pm_elf_read(path, &elf, NULL), PM_BAD_CONFIG);
    }
    assert_true(refused > 10 && refused < tried);
    close(fd);
    unlink(path);
    g_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
