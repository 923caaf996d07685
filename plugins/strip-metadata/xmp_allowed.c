// SPDX-License-Identifier: Apache-2.0
#include <expat.h>

#include "../common/xml_escape.h"
#include "strip.h"
#include "xmp_parser.h"

/* XMP is RDF in XML (ISO 16684-1), and anybody may add a namespace: positions hide in exif:GPSLatitude, but also in
 * drone-dji:GpsLatitude, geo:lat, dwc:decimalLatitude and the names of places. So what may stay is listed, and all else
 * goes. */

#define LIST(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static const struct Namespace {
    const char *uri;
    const char *const *only; /* these names; NULL: all */
    const char *const *but;  /* not these, nor what begins with one that ends in '*'; NULL: none */
} namespaces[] = {
    {"adobe:ns:meta/", NULL, NULL},
    {"http://www.w3.org/1999/02/22-rdf-syntax-ns#", NULL, NULL},
    {"http://www.w3.org/XML/1998/namespace", LIST("lang"), NULL},
    {"http://purl.org/dc/elements/1.1/", NULL, LIST("coverage")},
    {"http://ns.adobe.com/xap/1.0/",
     LIST("CreateDate", "CreatorTool", "Identifier", "Label", "MetadataDate", "ModifyDate", "Nickname", "Rating"),
     NULL},
    {"http://ns.adobe.com/xap/1.0/rights/", NULL, NULL},
    {"http://ns.adobe.com/xap/1.0/mm/",
     LIST("DerivedFrom", "DocumentID", "History", "InstanceID", "OriginalDocumentID", "RenditionClass", "VersionID"),
     NULL},
    {"http://ns.adobe.com/xap/1.0/sType/ResourceEvent#", NULL, NULL},
    {"http://ns.adobe.com/xap/1.0/sType/ResourceRef#", NULL, LIST("filePath")},
    {"http://ns.adobe.com/photoshop/1.0/",
     LIST("AuthorsPosition", "CaptionWriter", "Category", "ColorMode", "Credit", "DateCreated", "Headline",
          "ICCProfile", "Instructions", "Source", "SupplementalCategories", "TransmissionReference", "Urgency"),
     NULL},
    {"http://ns.adobe.com/tiff/1.0/", NULL, LIST("Orientation")}, /* the pixels are upright */
    {"http://ns.adobe.com/exif/1.0/", NULL, LIST("GPS*", "MakerNote")},
    {"http://ns.adobe.com/exif/1.0/aux/", NULL, NULL},
    {"http://cipa.jp/exif/1.0/", NULL, NULL},
    {"http://ns.adobe.com/camera-raw-settings/1.0/", NULL, NULL},
    {"http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
     LIST("AltTextAccessibility", "CiEmailWork", "CiTelWork", "CiUrlWork", "CreatorContactInfo",
          "ExtDescrAccessibility", "IntellectualGenre", "Scene", "SubjectCode"),
     NULL},
    {"http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
     LIST("DigImageGUID", "DigitalSourceType", "Event", "MaxAvailHeight", "MaxAvailWidth", "OrganisationInImageCode",
          "OrganisationInImageName", "PersonInImage", "RegEntryRole", "RegItemId", "RegOrgId", "RegistryId"),
     NULL},
    {"http://ns.useplus.org/ldf/xmp/1.0/", NULL, NULL},
    {"http://creativecommons.org/ns#", NULL, NULL},
    {"http://ns.microsoft.com/photo/1.0/", LIST("Rating"), NULL},
};

static bool is_listed(const char *const *list, const char *name)
{
    for (; *list; list++) {
        size_t length = strlen(*list);
        if ((*list)[length - 1] == '*' ? !strncmp(*list, name, length - 1) : !strcmp(*list, name)) return true;
    }
    return false;
}

enum { SEPARATOR = '\n' }; /* no URI has one */

/* "uri\nlocal\nprefix", as Expat names what stands in a namespace. False for what stands in none. */
typedef struct Name {
    char *uri, *local, *prefix; /* prefix "" for the default namespace */
    char *text;                 /* what holds them */
} Name;

static bool split(const char *triplet, Name *name)
{
    *name = (Name){.text = g_strdup(triplet)};
    name->uri = name->text;
    name->local = strchr(name->uri, SEPARATOR);
    if (!name->local) return false;
    *name->local++ = '\0';
    name->prefix = strchr(name->local, SEPARATOR);
    if (name->prefix)
        *name->prefix++ = '\0';
    else
        name->prefix = name->local + strlen(name->local);
    return true;
}

static const struct Namespace *find_namespace(const char *uri)
{
    for (size_t i = 0; i < G_N_ELEMENTS(namespaces); i++)
        if (!strcmp(namespaces[i].uri, uri)) return &namespaces[i];
    return NULL;
}

static bool is_allowed(const Name *name)
{
    const struct Namespace *in = find_namespace(name->uri);
    if (!in) return false;
    if (in->only) return is_listed(in->only, name->local);
    return !in->but || !is_listed(in->but, name->local);
}

typedef struct Copy {
    GString *out, *declared; /* namespaces of the element that comes next */
    unsigned skip;           /* depth below an element that is left out */
} Copy;

static Copy *copy_of(void *parser)
{
    return XML_GetUserData(parser);
}

static void put_name(GString *out, const Name *name)
{
    if (*name->prefix) g_string_append_printf(out, "%s:", name->prefix);
    g_string_append(out, name->local);
}

static void put_attribute(GString *out, const char *value)
{
    g_string_append(out, "=\"");
    xml_escape_append(out, value, strlen(value));
    g_string_append_c(out, '"');
}

static void XMLCALL declare(void *parser, const XML_Char *prefix, const XML_Char *uri)
{
    Copy *copy = copy_of(parser);
    if (!uri || !find_namespace(uri)) return;
    g_string_append(copy->declared, prefix ? " xmlns:" : " xmlns");
    if (prefix) g_string_append(copy->declared, prefix);
    put_attribute(copy->declared, uri);
}

static void XMLCALL start(void *parser, const XML_Char *triplet, const XML_Char **attributes)
{
    Copy *copy = copy_of(parser);
    Name name;
    if (copy->skip || !split(triplet, &name) || !is_allowed(&name)) {
        if (!copy->skip) g_free(name.text);
        copy->skip++;
        g_string_truncate(copy->declared, 0);
        return;
    }
    g_string_append_c(copy->out, '<');
    put_name(copy->out, &name);
    g_free(name.text);
    g_string_append(copy->out, copy->declared->str);
    g_string_truncate(copy->declared, 0);
    for (int i = 0; attributes[i]; i += 2) {
        if (split(attributes[i], &name) && is_allowed(&name)) {
            g_string_append_c(copy->out, ' ');
            put_name(copy->out, &name);
            put_attribute(copy->out, attributes[i + 1]);
        }
        g_free(name.text);
    }
    g_string_append_c(copy->out, '>');
}

static void XMLCALL end(void *parser, const XML_Char *triplet)
{
    Copy *copy = copy_of(parser);
    Name name;
    if (copy->skip) {
        copy->skip--;
        return;
    }
    g_string_append(copy->out, "</");
    if (split(triplet, &name)) put_name(copy->out, &name);
    g_free(name.text);
    g_string_append_c(copy->out, '>');
}

static void XMLCALL text(void *parser, const XML_Char *bytes, int size)
{
    Copy *copy = copy_of(parser);
    if (!copy->skip) xml_escape_append(copy->out, bytes, (size_t)size);
}

char *xmp_without_positions(const char *packet, size_t size)
{
    Copy copy = {.out = g_string_new(XMP_PACKET_BEGIN), .declared = g_string_new("")};
    XML_Parser parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
    if (parser) {
        XML_SetUserData(parser, &copy);
        XML_SetReturnNSTriplet(parser, 1);
        XML_SetNamespaceDeclHandler(parser, declare, NULL);
        XML_SetElementHandler(parser, start, end);
        XML_SetCharacterDataHandler(parser, text);
    }
    bool good = xmp_parse(parser, packet, size);
    g_string_append(copy.out, XMP_PACKET_END);
    g_string_free(copy.declared, TRUE);
    return g_string_free(copy.out, !good);
}
