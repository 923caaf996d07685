/* SPDX-License-Identifier: Apache-2.0
 *
 * Text in fixed buffers: copying, escaping, nearest words. Nothing here allocates.
 */
#ifndef PM_BASE_TEXT_H
#define PM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies what fits, cut at a UTF-8 boundary; always NUL-terminated when size > 0. Returns false when cut. */
bool pm_text_copy(char *out, size_t size, const char *text);

/* Copies `text` with bytes of control characters, of marks and overrides of the writing direction, and those that are
 * no UTF-8 written as \xNN: safe for a terminal and a log line, and read as what it is. */
void pm_text_escape(char *out, size_t size, const char *text);

/* Copies `text` with every byte that is not valid UTF-8 replaced by '?' (jansson refuses such strings). */
void pm_text_utf8(char *out, size_t size, const char *text);

bool pm_text_is_utf8(const char *text, size_t size);

/* The nearest of `words` (NULL-terminated) within a Damerau-Levenshtein distance that a typing error
 * explains; NULL when none is near. For "did you mean". */
const char *pm_text_nearest(const char *word, const char *const *words);

/* words: NULL-terminated, or NULL. */
bool pm_text_is_one_of(const char *word, const char *const *words);

/* The words (NULL-terminated) with ", " between them, before the last with `last`: "a, b or c". What does not fit ends
 * in
 * "...". */
void pm_text_join(const char *const *words, const char *last, char *out, size_t size);

/* Shell-style match of `*`, `?` and `[...]`; `*` does not cross '/', `**` does. */
bool pm_text_glob(const char *pattern, const char *text);

/* "1.5 MiB", "300 B". */
void pm_text_bytes(char *out, size_t size, long long bytes);

/* "https://host:8443" of a URL: what may be shown of it. User, password, path and query can be secrets. "(a URL)" when
 * `url` is none, or its authority is malformed. */
void pm_text_origin(char *out, size_t size, const char *url);

/* Takes "127.0.0.1:9464", "[::1]:9464" and ":9464" apart, the host "" for the last; whether it is an address of this
 * machine is not looked at. False: it is none of these. */
bool pm_text_listen_address(const char *text, char *host, size_t size, int *port);

/* "15s", "1500ms", "2m", "12h". */
void pm_text_duration(char *out, size_t size, long long ms);

#endif
