/* SPDX-License-Identifier: Apache-2.0
 *
 * The library that the plugin `origin` brings along.
 */
__attribute__((visibility("default"))) int origin_helper(void);

int origin_helper(void)
{
    return 42;
}
