/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void copies_end_between_characters(void **state)
{
    (void)state;
    char out[6];
    assert_true(pm_text_copy(out, sizeof out, "12345"));
    assert_string_equal(out, "12345");
    assert_false(pm_text_copy(out, sizeof out, "123456"));
    assert_string_equal(out, "12345");
    assert_false(pm_text_copy(out, sizeof out, "1234\xc3\xa9"));
    assert_string_equal(out, "1234");
    assert_false(pm_text_copy(out, 1, "x"));
    assert_string_equal(out, "");
}

static void what_steers_a_reader_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *escaped, *clean;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
         "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f", "a\nb\x1b[31m\x7f"},
        {"\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0", "\xc2\x9b\xc2\xa0"}, /* C1; a blank */
        {"\xff\xc3", "\\xff\\xc3", "??"},                               /* no UTF-8 */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", "???"},                     /* a surrogate */
        {"a\xe2\x80\xae"
         "gpj.exe",
         "a\\xe2\\x80\\xaegpj.exe",
         "a\xe2\x80\xae"
         "gpj.exe"}, /* U+202E */
        {"\xe2\x80\x8e\xe2\x80\xa8\xe2\x81\xa6\xd8\x9c", "\\xe2\\x80\\x8e\\xe2\\x80\\xa8\\xe2\\x81\\xa6\\xd8\\x9c",
         "\xe2\x80\x8e\xe2\x80\xa8\xe2\x81\xa6\xd8\x9c"},
        {"\xe2\x80\x94\xd8\xa7", "\xe2\x80\x94\xd8\xa7", "\xe2\x80\x94\xd8\xa7"}, /* a dash, an alef */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[100];
        pm_text_escape(out, sizeof out, cases[i].text);
        assert_string_equal(out, cases[i].escaped);
        pm_text_utf8(out, sizeof out, cases[i].text);
        assert_string_equal(out, cases[i].clean);
    }
    char small[6];
    pm_text_escape(small, sizeof small, "ab\n"); /* an escape is whole or not there */
    assert_string_equal(small, "ab");
}

static void the_nearest_word_is_a_typing_error_away(void **state)
{
    (void)state;
    static const char *const words[] = {"resize", "watermark", "convert", NULL};
    assert_string_equal(pm_text_nearest("rezise", words), "resize");
    assert_string_equal(pm_text_nearest("watermrak", words), "watermark");
    assert_null(pm_text_nearest("sepia", words));
}

static void words_are_joined(void **state)
{
    (void)state;
    static const char *const none[] = {NULL}, *const one[] = {"a", NULL}, *const three[] = {"a", "b", "c", NULL};
    char out[32] = "x", small[8];
    pm_text_join(none, " or ", out, sizeof out);
    assert_string_equal(out, "");
    pm_text_join(one, " or ", out, sizeof out);
    assert_string_equal(out, "a");
    pm_text_join(three, " or ", out, sizeof out);
    assert_string_equal(out, "a, b or c");
    pm_text_join(three, ", ", small, sizeof small);
    assert_string_equal(small, "a, b, c");
    pm_text_join(three, " or ", small, sizeof small);
    assert_string_equal(small, "a, b...");
}

static void globs_stop_at_slashes(void **state)
{
    (void)state;
    assert_true(pm_text_glob("in/*.jpg", "in/a.jpg"));
    assert_false(pm_text_glob("in/*.jpg", "in/b/a.jpg"));
    assert_true(pm_text_glob("in/**.jpg", "in/b/a.jpg"));
    assert_true(pm_text_glob("[a-c]?.png", "bx.png"));
    assert_false(pm_text_glob("[a-c]?.png", "dx.png"));
}

static void sizes_and_times_read_well(void **state)
{
    (void)state;
    char out[32];
    pm_text_bytes(out, sizeof out, 300);
    assert_string_equal(out, "300 B");
    pm_text_bytes(out, sizeof out, 1536 * 1024);
    assert_string_equal(out, "1.5 MiB");
    pm_text_duration(out, sizeof out, 15000);
    assert_string_equal(out, "15s");
    pm_text_duration(out, sizeof out, 1500);
    assert_string_equal(out, "1500ms");
    pm_text_duration(out, sizeof out, 120000);
    assert_string_equal(out, "2m");
}

static void of_a_url_only_scheme_and_host_are_shown(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"http://127.0.0.1:8080/a/b?key=secret#x", "http://127.0.0.1:8080"},
        {"https://user:secret@host.example/", "https://host.example"},
        {"https://a@b:secret@host.example?x", "https://host.example"},
        {"https://[::1]:9000/x", "https://[::1]:9000"},
        {"https://[::1]", "https://[::1]"},
        {"HTTPS://Host", "HTTPS://Host"},
        {"https://host:secret", "(a URL)"},
        {"https://user:pass/word@host/", "(a URL)"},
        {"https://user:123/word@host/", "(a URL)"},
        {"https://user:pass\\word@host/", "(a URL)"},
        {"https://se cret/", "(a URL)"},
        {"https:///secret", "(a URL)"},
        {"ftp://secret", "(a URL)"},
        {"secret", "(a URL)"},
        {"", "(a URL)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[100];
        pm_text_origin(out, sizeof out, cases[i][0]);
        assert_string_equal(out, cases[i][1]);
    }
}

static void addresses_to_listen_on(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* NULL: none */
        int port;
    } cases[] = {{"127.0.0.1:9464", "127.0.0.1", 9464},
                 {"[::1]:0", "::1", 0},
                 {":65535", "", 65535},
                 {"host:1", "host", 1},
                 {"[]:1", "[]", 1},
                 {"::1:9464", NULL, 0},
                 {"9464", NULL, 0},
                 {"a:", NULL, 0},
                 {"a:65536", NULL, 0},
                 {"a:123456", NULL, 0},
                 {"a:-1", NULL, 0},
                 {"a:1 ", NULL, 0},
                 {"much-too-long-for-it:1", NULL, 0},
                 {"", NULL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[16];
        int port = -1;
        bool good = pm_text_listen_address(cases[i].text, host, sizeof host, &port);
        if (good != (cases[i].host != NULL)) fail_msg("\"%s\"", cases[i].text);
        if (!good) continue;
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_to_listen_on),
        cmocka_unit_test(copies_end_between_characters),
        cmocka_unit_test(what_steers_a_reader_is_escaped),
        cmocka_unit_test(the_nearest_word_is_a_typing_error_away),
        cmocka_unit_test(words_are_joined),
        cmocka_unit_test(globs_stop_at_slashes),
        cmocka_unit_test(sizes_and_times_read_well),
        cmocka_unit_test(of_a_url_only_scheme_and_host_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
