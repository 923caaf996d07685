/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue's message, which anyone may have sent. What is read from it is a key that can be asked for, within all
 * bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int encoding = PM_KEY_ENCODING_AUTO; encoding <= PM_KEY_ENCODING_RAW; encoding++) {
        PmEvents events = {0};
        PmError err = {0};
        PmStatus status = pm_events_parse((const char *)data, size, (PmKeyEncoding)encoding, &events, &err);
        if ((status == PM_OK) != (err.status == PM_OK) || events.count > PM_EVENT_RECORDS_MAX) abort();
        for (size_t i = 0; i < events.count; i++)
            if (events.items[i].created && !pm_object_key_valid(events.items[i].key)) abort();
        for (size_t i = 0; i + 1 < events.count; i++)
            if (events.items[i].sequencer != NULL && events.items[i + 1].sequencer != NULL &&
                (pm_sequencer_compare(events.items[i].sequencer, events.items[i + 1].sequencer) < 0) !=
                    (pm_sequencer_compare(events.items[i + 1].sequencer, events.items[i].sequencer) > 0))
                abort();
        pm_events_finish(&events);
    }
    return 0;
}
