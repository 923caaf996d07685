/* SPDX-License-Identifier: Apache-2.0
 *
 * What the readers of XMP share: a packet taken apart by Expat, which refuses what is not UTF-8 or not well-formed.
 */
#ifndef XMP_PARSER_H
#define XMP_PARSER_H

#include <expat.h>

#include <glib.h>

#define XMP_PACKET_BEGIN "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
#define XMP_PACKET_END   "<?xpacket end=\"w\"?>"

/* Runs the packet, without the NULs and blanks that pad it, through a parser with its handlers set; frees the parser
 * (NULL is fine). A document type, with which entities could be declared, ends it. False: it could not be read. */
gboolean xmp_parse(XML_Parser parser, const char *packet, size_t size);

#endif
