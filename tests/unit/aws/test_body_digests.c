/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws/body_digests.h"

typedef struct World {
    PmLoop *loop;
    PmHelper *helper;
    PmBodyDigests digests;
    int calls, gone;
} World;

static int setup(void **state)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    w->loop = pm_loop_new(&err);
    w->helper = pm_helper_new(w->loop, &err);
    *state = w;
    return w->helper != NULL ? 0 : 1;
}

static int teardown(void **state)
{
    World *w = *state;
    pm_helper_free(w->helper);
    pm_loop_free(w->loop);
    free(w);
    return 0;
}

static void on_done(void *data, const PmBodyDigests *digests)
{
    World *w = data;
    w->calls++;
    if (digests != NULL)
        w->digests = *digests;
    else
        w->gone++;
}

/* Source: FIPS 180-4's and RFC 1321's examples; CRC-32 of "abc" is 352441c2. */
static void known_digests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool sha256;
        PmBodyChecksum kind;
        const char *hash, *checksum;
    } cases[] = {
        {"abc", true, PM_BODY_MD5, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "kAFQmDzST7DWlj99KOF/cg=="},
        {"abc", false, PM_BODY_CRC32, "", "NSRBwg=="},
        {"", true, PM_BODY_CRC32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "AAAAAA=="},
        {"abc", true, PM_BODY_NO_CHECKSUM, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmBodyDigests digests = {.wants_sha256 = cases[i].sha256, .wants = cases[i].kind};
        pm_body_digests_compute(&digests, cases[i].text, strlen(cases[i].text));
        assert_false(digests.failed);
        assert_string_equal(digests.sha256, cases[i].hash);
        assert_string_equal(digests.checksum, cases[i].checksum);
    }
}

static void the_thread_computes_the_same(void **state)
{
    World *w = *state;
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    unsigned char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 31 + i / 257);
    for (PmBodyChecksum kind = PM_BODY_NO_CHECKSUM; kind <= PM_BODY_MD5; kind++) {
        PmBodyDigests digests = {.wants_sha256 = true, .wants = kind}, asked = digests;
        pm_body_digests_compute(&digests, bytes, SIZE);
        assert_non_null(pm_body_digests_start(w->helper, &asked, bytes, SIZE, on_done, w));
        pm_loop_run(w->loop);
        assert_string_equal(w->digests.sha256, digests.sha256);
        assert_string_equal(w->digests.checksum, digests.checksum);
    }
    assert_int_equal(w->calls, 3);
    free(bytes);
}

/* Were they read after that, this would end by SIGSEGV. */
static void after_cancel_the_bytes_may_go(void **state)
{
    World *w = *state;
    size_t size = (size_t)1 << 30;
    for (int i = 0; i < 3; i++) {
        PmBodyDigests asked = {.wants_sha256 = true, .wants = PM_BODY_MD5};
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(bytes, MAP_FAILED);
        PmBodyJob *job = pm_body_digests_start(w->helper, &asked, bytes, size, on_done, w);
        PmBodyJob *waits = pm_body_digests_start(w->helper, &asked, bytes, size, on_done, w);
        usleep((useconds_t)(i * 10000)); /* not begun, and at work */
        pm_body_digests_cancel(waits);
        pm_body_digests_cancel(job);
        munmap(bytes, size);
    }
    pm_body_digests_cancel(NULL);
    pm_loop_run(w->loop);
    assert_int_equal(w->calls, 0);
}

static void whoever_waits_hears_that_the_helper_is_gone(void **state)
{
    World *w = *state;
    PmBodyDigests asked = {.wants_sha256 = true};
    static const char bytes[100];
    assert_non_null(pm_body_digests_start(w->helper, &asked, bytes, sizeof bytes, on_done, w));
    pm_helper_free(w->helper);
    w->helper = NULL;
    assert_int_equal(w->calls, 1);
    assert_int_equal(w->gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test_setup_teardown(the_thread_computes_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(after_cancel_the_bytes_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_waits_hears_that_the_helper_is_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
