/* SPDX-License-Identifier: Apache-2.0
 *
 * What a service, or somebody in its place, answers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PmXml *xml = pm_xml_parse((const char *)data, size);
    if (xml != NULL) {
        if (strlen(pm_xml_get(xml, "Contents/Key")) > PM_XML_TEXT_MAX || pm_xml_name(xml) == NULL) abort();
        pm_xml_get(xml, "Error/Code");
    }
    pm_xml_free(xml);
    return 0;
}
