/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void of_pieces_as_of_the_whole(void **state)
{
    (void)state;
    PmDigests *digests = pm_digests_new(true, true);
    for (const char *c = "hello"; *c != '\0'; c++) pm_digests_add(digests, c, 1);
    assert_string_equal(pm_digests_md5(digests), "5d41402abc4b2a76b9719d911017c592");
    assert_string_equal(pm_digests_sha256(digests), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_string_equal(pm_digests_md5(digests), "5d41402abc4b2a76b9719d911017c592"); /* asked again */
    pm_digests_free(digests);
}

static void a_restart_forgets(void **state)
{
    (void)state;
    PmDigests *digests = pm_digests_new(true, false);
    pm_digests_add(digests, "hel", 3);
    pm_digests_restart(digests);
    assert_string_equal(pm_digests_md5(digests), "d41d8cd98f00b204e9800998ecf8427e");
    pm_digests_add(digests, "late", 4); /* the digest was told already */
    assert_null(pm_digests_md5(digests));
    pm_digests_restart(digests);
    pm_digests_add(digests, "hello", 5);
    assert_string_equal(pm_digests_md5(digests), "5d41402abc4b2a76b9719d911017c592");
    pm_digests_free(digests);
}

static void what_was_not_asked_for_is_unknown(void **state)
{
    (void)state;
    PmDigests *digests = pm_digests_new(false, false);
    pm_digests_add(digests, "hello", 5);
    assert_null(pm_digests_md5(digests));
    assert_null(pm_digests_sha256(digests));
    pm_digests_free(digests);
    pm_digests_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_pieces_as_of_the_whole),
        cmocka_unit_test(a_restart_forgets),
        cmocka_unit_test(what_was_not_asked_for_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
