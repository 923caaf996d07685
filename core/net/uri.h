/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding (RFC 3986), in the form that AWS signs: unreserved bytes as they are, the rest %XX in upper case.
 */
#ifndef PM_NET_URI_H
#define PM_NET_URI_H

#include "base/buffer.h"

/* Appends `text` encoded; '/' stays when keep_slash. */
void pm_uri_encode(PmBuffer *out, const char *text, bool keep_slash);

/* Appends `size` bytes of `text` decoded; '+' becomes a space when `form` (application/x-www-form-urlencoded, as S3
 * writes keys into its events). false: a '%' without two hex digits, or a NUL byte in the result. */
bool pm_uri_decode(PmBuffer *out, const char *text, size_t size, bool form);

/* Appends an absolute path with `.` and `..` segments resolved and repeated slashes joined (RFC 3986, 5.2.4); a
 * trailing slash stays. Never for S3, whose keys may hold any of them. */
void pm_uri_normalize(PmBuffer *out, const char *path);

#endif
