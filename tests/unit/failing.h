/* SPDX-License-Identifier: Apache-2.0
 *
 * A program in which the n-th allocation fails. Whoever includes this is linked so that malloc and its kin go through
 * failing.c (CMakeLists.txt): our own code's, and jansson's; not those of other libraries or of libc itself.
 */
#ifndef PM_TESTS_FAILING_H
#define PM_TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now on fails, in whatever thread, and no other. */
void failing_nth(size_t n);
/* Back to normal. True: there was an n-th one. */
bool failing_stop(void);

/* Meanwhile nothing fails and nothing is counted: for what stands in for the rest of the program. */
void failing_pause(void);
void failing_resume(void);

/* Where the one that failed was asked for, as a return address: for messages (addr2line). */
const void *failing_caller(void);

#endif
