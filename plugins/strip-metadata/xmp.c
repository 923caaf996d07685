// SPDX-License-Identifier: Apache-2.0
#include <expat.h>

#include "../common/xml_escape.h"
#include "strip.h"
#include "xmp_parser.h"

/* The rights that an XMP packet tells of, and nothing else: read, and written anew. */

#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

typedef enum Shape { SIMPLE, ALT, SEQ, BAG } Shape;

static const struct Property {
    const char *uri, *name;
    Shape shape;
} properties[] = {
    {"http://purl.org/dc/elements/1.1/", "dc:creator", SEQ},
    {"http://purl.org/dc/elements/1.1/", "dc:rights", ALT},
    {"http://ns.adobe.com/photoshop/1.0/", "photoshop:Credit", SIMPLE},
    {"http://ns.adobe.com/xap/1.0/rights/", "xmpRights:Certificate", SIMPLE},
    {"http://ns.adobe.com/xap/1.0/rights/", "xmpRights:Marked", SIMPLE},
    {"http://ns.adobe.com/xap/1.0/rights/", "xmpRights:Owner", BAG},
    {"http://ns.adobe.com/xap/1.0/rights/", "xmpRights:UsageTerms", ALT},
    {"http://ns.adobe.com/xap/1.0/rights/", "xmpRights:WebStatement", SIMPLE},
};
enum { PROPERTY_COUNT = G_N_ELEMENTS(properties), ITEMS_MAX = 32, TEXT_MAX = 8192, PREFIXES_MAX = 64, DEPTH_MAX = 64 };

typedef struct Item {
    char *language, *text; /* language NULL: none said */
} Item;

typedef struct Rights {
    GHashTable *prefixes; /* prefix -> namespace, document-wide: XMP declares each once, on top */
    GArray *items[PROPERTY_COUNT];
    unsigned depth;
    int property; /* the one at hand, or -1 */
    unsigned property_depth;
    bool nested;    /* the property holds rdf:li, so that its own text is only layout */
    GString *text;  /* of the innermost element */
    char *language; /* of that element */
} Rights;

static const char *namespace_of(const Rights *rights, const char *name, const char **local)
{
    const char *colon = strchr(name, ':');
    *local = colon ? colon + 1 : name;
    char *prefix = colon ? g_strndup(name, (gsize)(colon - name)) : g_strdup("");
    const char *uri = g_hash_table_lookup(rights->prefixes, prefix);
    g_free(prefix);
    return uri ? uri : "";
}

static int find_property(const Rights *rights, const char *name)
{
    const char *local, *uri = namespace_of(rights, name, &local);
    for (int i = 0; i < PROPERTY_COUNT; i++)
        if (!strcmp(properties[i].uri, uri) && !strcmp(strchr(properties[i].name, ':') + 1, local)) return i;
    return -1;
}

static void add_item(Rights *rights, int property, const char *text, const char *language)
{
    GArray *items = rights->items[property];
    char *trimmed = g_strstrip(g_strdup(text));
    size_t most = properties[property].shape == SIMPLE ? 1 : ITEMS_MAX;
    if (!*trimmed || strlen(trimmed) > TEXT_MAX || items->len >= most) {
        g_free(trimmed);
        return;
    }
    Item item = {.language = g_strdup(language), .text = trimmed};
    g_array_append_val(items, item);
}

static void XMLCALL rights_start(void *parser, const XML_Char *name, const XML_Char **attributes)
{
    Rights *rights = XML_GetUserData(parser);
    if (++rights->depth > DEPTH_MAX) {
        XML_StopParser(parser, XML_FALSE);
        return;
    }
    for (int i = 0; attributes[i]; i += 2) {
        const char *key = attributes[i];
        if ((g_str_has_prefix(key, "xmlns:") || !strcmp(key, "xmlns")) &&
            g_hash_table_size(rights->prefixes) < PREFIXES_MAX)
            g_hash_table_replace(rights->prefixes, g_strdup(key[5] ? key + 6 : ""), g_strdup(attributes[i + 1]));
    }

    const char *local, *uri = namespace_of(rights, name, &local);
    bool rdf = !strcmp(uri, RDF);
    g_string_truncate(rights->text, 0);
    g_clear_pointer(&rights->language, g_free);
    if (rights->property >= 0) {
        rights->nested = true;
        for (int i = 0; rdf && attributes[i]; i += 2)
            if (!strcmp(attributes[i], "xml:lang")) rights->language = g_strdup(attributes[i + 1]);
        return;
    }
    if (rdf && !strcmp(local, "Description")) { /* simple properties may be written as attributes */
        for (int i = 0; attributes[i]; i += 2) {
            int property = find_property(rights, attributes[i]);
            if (property >= 0) add_item(rights, property, attributes[i + 1], NULL);
        }
    }
    rights->property = find_property(rights, name);
    rights->property_depth = rights->depth;
    rights->nested = false;
}

/* Text comes in pieces; what grows beyond TEXT_MAX is not kept by add_item(). */
static void XMLCALL rights_text(void *parser, const XML_Char *text, int size)
{
    Rights *rights = XML_GetUserData(parser);
    if (rights->property >= 0 && rights->text->len <= TEXT_MAX) g_string_append_len(rights->text, text, size);
}

static void XMLCALL rights_end(void *parser, const XML_Char *name)
{
    Rights *rights = XML_GetUserData(parser);
    if (rights->property >= 0) {
        const char *local, *uri = namespace_of(rights, name, &local);
        bool outer = rights->depth == rights->property_depth;
        bool item = !strcmp(uri, RDF) && !strcmp(local, "li");
        if (item || (outer && !rights->nested)) add_item(rights, rights->property, rights->text->str, rights->language);
        g_string_truncate(rights->text, 0);
        if (outer) rights->property = -1;
    }
    rights->depth--;
}

static void put_item(GString *out, const Item *item, Shape shape)
{
    char *text = xml_escape(item->text);
    char *language = xml_escape(item->language ? item->language : "x-default");
    if (shape == SIMPLE)
        g_string_append(out, text);
    else if (shape == ALT)
        g_string_append_printf(out, "<rdf:li xml:lang=\"%s\">%s</rdf:li>", language, text);
    else
        g_string_append_printf(out, "<rdf:li>%s</rdf:li>", text);
    g_free(language);
    g_free(text);
}

static void put_property(GString *out, int property, const GArray *items)
{
    static const char *const containers[] = {[ALT] = "rdf:Alt", [SEQ] = "rdf:Seq", [BAG] = "rdf:Bag"};
    Shape shape = properties[property].shape;
    g_string_append_printf(out, "<%s>", properties[property].name);
    if (shape != SIMPLE) g_string_append_printf(out, "<%s>", containers[shape]);
    for (guint i = 0; i < items->len; i++) put_item(out, &g_array_index(items, Item, i), shape);
    if (shape != SIMPLE) g_string_append_printf(out, "</%s>", containers[shape]);
    g_string_append_printf(out, "</%s>", properties[property].name);
}

static void item_clear(void *data)
{
    Item *item = data;
    g_free(item->language);
    g_free(item->text);
}

char *xmp_rights(const char *packet, size_t size)
{
    Rights rights = {.property = -1};
    rights.prefixes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    rights.text = g_string_new("");
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        rights.items[i] = g_array_new(FALSE, FALSE, sizeof(Item));
        g_array_set_clear_func(rights.items[i], item_clear);
    }
    XML_Parser parser = XML_ParserCreate("UTF-8");
    if (parser) {
        XML_SetUserData(parser, &rights);
        XML_SetElementHandler(parser, rights_start, rights_end);
        XML_SetCharacterDataHandler(parser, rights_text);
    }
    bool good = xmp_parse(parser, packet, size);
    guint count = 0;
    GString *out = g_string_new(XMP_PACKET_BEGIN "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"" RDF
                                                 "\"><rdf:Description rdf:about=\"\""
                                                 " xmlns:dc=\"http://purl.org/dc/elements/1.1/\""
                                                 " xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\""
                                                 " xmlns:xmpRights=\"http://ns.adobe.com/xap/1.0/rights/\">");
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        if (rights.items[i]->len) put_property(out, i, rights.items[i]);
        count += rights.items[i]->len;
        g_array_free(rights.items[i], TRUE);
    }
    g_string_append(out, "</rdf:Description></rdf:RDF></x:xmpmeta>" XMP_PACKET_END);
    g_free(rights.language);
    g_string_free(rights.text, TRUE);
    g_hash_table_destroy(rights.prefixes);
    return g_string_free(out, !good || !count);
}
