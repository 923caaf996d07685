/* SPDX-License-Identifier: Apache-2.0
 *
 * Places where a test kills the process, to prove that nothing is lost there: one after each step of the protocol. They
 * exist only in builds with the CMake option PIXMILL_CRASH_POINTS; elsewhere the macro is nothing.
 *
 *   PIXMILL_CRASH_AT=sqs.received:3   SIGKILL when the point is passed for the third time
 *   PIXMILL_CRASH_AT=list             prints the name of every point of this program, one per line, and ends
 *
 * A name is "<module>.<what has just been done>". A name that this program does not have ends it at once with exit code
 * PM_CRASH_UNKNOWN, so that a test cannot pass because of a misspelt name.
 */
#ifndef PM_BASE_CRASH_POINT_H
#define PM_BASE_CRASH_POINT_H

enum { PM_CRASH_UNKNOWN = 64 };

#ifdef PIXMILL_CRASH_POINTS
/* From any thread. */
void pm_crash_point(const char *name);
/* The linker collects the names in a section of their own. */
#define PM_CRASH_POINT(name)                                                                               \
    do {                                                                                                   \
        static const char *const pm_crash_name __attribute__((section("pm_crash_points"), used)) = (name); \
        pm_crash_point(pm_crash_name);                                                                     \
    } while (0)
#else
#define PM_CRASH_POINT(name) ((void)0)
#endif

#endif
