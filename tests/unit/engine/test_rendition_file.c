/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rendition_file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <vips/vips.h>

#include "base/ipc.h"

enum { MIB = 1 << 20 };

static void holds_what_was_written(void **state)
{
    (void)state;
    PmRenditionFile file;
    PmError err = {0};
    char back[8] = "";
    assert_int_equal(pm_rendition_file_open(&file, -1, 100, &err), PM_OK);
    VipsTarget *target = pm_rendition_file_target(&file);
    assert_int_equal(vips_target_write(target, "0123456789", 10), 0);
    /* as TIFF's directory, and the offset that stands in front */
    assert_int_equal(vips_target_seek(target, 20, SEEK_SET), 20);
    assert_int_equal(vips_target_write(target, "end", 3), 0);
    assert_int_equal(vips_target_seek(target, 2, SEEK_SET), 2);
    assert_int_equal(vips_target_write(target, "AB", 2), 0);
    assert_int_equal(vips_target_seek(target, -3, SEEK_END), 20);
    assert_int_equal(vips_target_read(target, back, sizeof back), 3);
    assert_string_equal(back, "end");
    assert_int_equal(vips_target_end(target), 0);
    g_object_unref(target);
    assert_int_equal(file.size, 23);
    assert_int_equal(pm_rendition_file_map(&file, &err), PM_OK);
    assert_memory_equal(file.mapped, "01AB456789\0\0\0\0\0\0\0\0\0\0end", 23);
    assert_false(file.full);
    pm_rendition_file_close(&file);
    assert_null(file.mapped);
}

static void writes_into_a_file_that_its_maker_can_seal_meanwhile(void **state)
{
    (void)state;
    PmRenditionFile file;
    PmError err = {0};
    PmMapping taken;
    int room = pm_memfd_open("room", &err);
    assert_int_equal(pm_rendition_file_open(&file, room, 0, &err), PM_OK);
    VipsTarget *target = pm_rendition_file_target(&file);
    assert_int_equal(vips_target_write(target, "RIFF", 4), 0);
    assert_int_equal(vips_target_end(target), 0);
    assert_int_equal(pm_rendition_file_map(&file, &err), PM_OK);
    if (pm_memfd_take(room, 4, &taken, &err) != PM_OK) fail_msg("%s", err.message);
    assert_memory_equal(file.mapped, "RIFF", 4);
    pm_rendition_file_close(&file);
    assert_memory_equal(taken.bytes, "RIFF", 4);
    pm_memfd_unmap(&taken);
    g_object_unref(target);
    close(room);
}

static void refuses_more_than_the_maximum(void **state)
{
    (void)state;
    PmRenditionFile file;
    PmError err = {0};
    char bytes[64] = "";
    assert_int_equal(pm_rendition_file_open(&file, -1, 100, &err), PM_OK);
    VipsTarget *target = pm_rendition_file_target(&file);
    assert_int_equal(vips_target_write(target, bytes, sizeof bytes), 0);
    assert_int_equal(vips_target_seek(target, 101, SEEK_SET), -1);
    assert_int_equal(vips_target_seek(target, -1, SEEK_SET), -1);
    assert_int_equal(vips_target_seek(target, INT64_MAX, SEEK_END), -1);
    assert_int_equal(vips_target_seek(target, 37, SEEK_SET), 37);
    assert_false(file.full);
    /* libvips keeps what it is given until its buffer is full, or the end */
    assert_true(vips_target_write(target, bytes, sizeof bytes) != 0 || vips_target_end(target) != 0);
    assert_true(file.full);
    assert_int_equal(file.size, 64);
    g_object_unref(target);
    pm_rendition_file_close(&file);
}

/* The kernel's limit, which a worker has set to limits.memory, is the same one in other words. */
static void takes_the_kernels_limit_for_the_maximum(void **state)
{
    (void)state;
    static char bytes[2 * MIB];
    struct rlimit before, limit;
    PmRenditionFile file;
    PmError err = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = MIB;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(pm_rendition_file_open(&file, -1, 0, &err), PM_OK);
    VipsTarget *target = pm_rendition_file_target(&file);
    assert_int_not_equal(vips_target_write(target, bytes, sizeof bytes), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(file.full);
    assert_int_equal(file.error, EFBIG);
    g_object_unref(target);
    pm_rendition_file_close(&file);
}

static void keeps_the_reason_of_a_failed_write(void **state)
{
    (void)state;
    PmRenditionFile file;
    PmError err = {0};
    int closed = pm_memfd_open("sealed", &err);
    assert_int_equal(pm_memfd_seal(closed, &err), PM_OK);
    assert_int_equal(pm_rendition_file_open(&file, closed, 0, &err), PM_OK);
    VipsTarget *target = pm_rendition_file_target(&file);
    assert_true(vips_target_write(target, "x", 1) != 0 || vips_target_end(target) != 0);
    assert_int_equal(file.error, EPERM);
    assert_false(file.full);
    g_object_unref(target);
    pm_rendition_file_close(&file);
    close(closed);
}

static int setup(void **state)
{
    (void)state;
    return VIPS_INIT("test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_written),
        cmocka_unit_test(writes_into_a_file_that_its_maker_can_seal_meanwhile),
        cmocka_unit_test(refuses_more_than_the_maximum),
        cmocka_unit_test(takes_the_kernels_limit_for_the_maximum),
        cmocka_unit_test(keeps_the_reason_of_a_failed_write),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
