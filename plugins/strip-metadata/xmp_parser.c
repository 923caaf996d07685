// SPDX-License-Identifier: Apache-2.0
#include "xmp_parser.h"

#include <limits.h>
#include <string.h>

/* With XML_UseParserAsHandlerArg the handlers' first argument is the parser. */
static void XMLCALL refuse_doctype(void *parser, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                                   int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    XML_StopParser(parser, XML_FALSE);
}

gboolean xmp_parse(XML_Parser parser, const char *packet, size_t size)
{
    if (size >= 3 && !memcmp(packet, "\xef\xbb\xbf", 3)) { /* a byte order mark */
        packet += 3;
        size -= 3;
    }
    while (size && (packet[size - 1] == '\0' || g_ascii_isspace(packet[size - 1]))) size--;
    gboolean good = FALSE;
    if (parser && size && size <= INT_MAX) {
        XML_UseParserAsHandlerArg(parser);
        XML_SetStartDoctypeDeclHandler(parser, refuse_doctype);
        good = XML_Parse(parser, packet, (int)size, XML_TRUE) == XML_STATUS_OK;
    }
    if (parser) XML_ParserFree(parser);
    return good;
}
