// SPDX-License-Identifier: Apache-2.0
#include "strip.h"

/* XMP is RDF in XML (ISO 16684-1). GLib's markup reader takes it apart: it knows no document types and expands no
 * entities but XML's own five and character numbers, and refuses what is not UTF-8 or not well-formed. */

#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

/* ------------------------------------------------------------------ everything but positions */

typedef struct Copy {
    GString *out;
    unsigned skip; /* depth below an element that is left out */
} Copy;

/* exif:GPSLatitude, whatever the prefix. */
static bool is_position(const char *name)
{
    const char *colon = strchr(name, ':');
    return g_str_has_prefix(colon ? colon + 1 : name, "GPS");
}

static void copy_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values,
                       void *data, GError **error)
{
    (void)context;
    (void)error;
    Copy *copy = data;
    if (copy->skip || is_position(name)) {
        copy->skip++;
        return;
    }
    g_string_append_printf(copy->out, "<%s", name);
    for (int i = 0; keys[i]; i++) {
        if (is_position(keys[i])) continue;
        char *value = g_markup_escape_text(values[i], -1);
        g_string_append_printf(copy->out, " %s=\"%s\"", keys[i], value);
        g_free(value);
    }
    g_string_append_c(copy->out, '>');
}

static void copy_end(GMarkupParseContext *context, const char *name, void *data, GError **error)
{
    (void)context;
    (void)error;
    Copy *copy = data;
    if (copy->skip)
        copy->skip--;
    else
        g_string_append_printf(copy->out, "</%s>", name);
}

static void copy_text(GMarkupParseContext *context, const char *text, gsize size, void *data, GError **error)
{
    (void)context;
    (void)error;
    Copy *copy = data;
    if (copy->skip) return;
    char *escaped = g_markup_escape_text(text, (gssize)size);
    g_string_append(copy->out, escaped);
    g_free(escaped);
}

/* Parses the packet without the NULs and blanks that pad it. */
static bool parse(const GMarkupParser *parser, const char *packet, size_t size, void *data)
{
    if (size >= 3 && !memcmp(packet, "\xef\xbb\xbf", 3)) { /* a byte order mark */
        packet += 3;
        size -= 3;
    }
    while (size && (packet[size - 1] == '\0' || g_ascii_isspace(packet[size - 1]))) size--;
    GMarkupParseContext *context = g_markup_parse_context_new(parser, G_MARKUP_TREAT_CDATA_AS_TEXT, data, NULL);
    bool good = size && g_markup_parse_context_parse(context, packet, (gssize)size, NULL) &&
                g_markup_parse_context_end_parse(context, NULL);
    g_markup_parse_context_free(context);
    return good;
}

#define PACKET_BEGIN "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
#define PACKET_END   "<?xpacket end=\"w\"?>"

char *xmp_without_gps(const char *packet, size_t size)
{
    static const GMarkupParser parser = {.start_element = copy_start, .end_element = copy_end, .text = copy_text};
    Copy copy = {.out = g_string_new(PACKET_BEGIN)};
    bool good = parse(&parser, packet, size, &copy);
    g_string_append(copy.out, PACKET_END);
    return g_string_free(copy.out, !good);
}

/* ------------------------------------------------------------------ the rights alone */

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

static void rights_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values,
                         void *data, GError **error)
{
    (void)context;
    Rights *rights = data;
    if (++rights->depth > DEPTH_MAX) {
        g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "too deep");
        return;
    }
    for (int i = 0; keys[i]; i++)
        if ((g_str_has_prefix(keys[i], "xmlns:") || !strcmp(keys[i], "xmlns")) &&
            g_hash_table_size(rights->prefixes) < PREFIXES_MAX)
            g_hash_table_replace(rights->prefixes, g_strdup(keys[i][5] ? keys[i] + 6 : ""), g_strdup(values[i]));

    const char *local, *uri = namespace_of(rights, name, &local);
    bool rdf = !strcmp(uri, RDF);
    g_string_truncate(rights->text, 0);
    g_clear_pointer(&rights->language, g_free);
    if (rights->property >= 0) {
        rights->nested = true;
        for (int i = 0; rdf && keys[i]; i++)
            if (!strcmp(keys[i], "xml:lang")) rights->language = g_strdup(values[i]);
        return;
    }
    if (rdf && !strcmp(local, "Description")) { /* simple properties may be written as attributes */
        for (int i = 0; keys[i]; i++) {
            int property = find_property(rights, keys[i]);
            if (property >= 0) add_item(rights, property, values[i], NULL);
        }
    }
    rights->property = find_property(rights, name);
    rights->property_depth = rights->depth;
    rights->nested = false;
}

static void rights_text(GMarkupParseContext *context, const char *text, gsize size, void *data, GError **error)
{
    (void)context;
    (void)error;
    Rights *rights = data;
    if (rights->property >= 0 && rights->text->len + size <= TEXT_MAX)
        g_string_append_len(rights->text, text, (gssize)size);
}

static void rights_end(GMarkupParseContext *context, const char *name, void *data, GError **error)
{
    (void)context;
    (void)error;
    Rights *rights = data;
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
    char *text = g_markup_escape_text(item->text, -1);
    char *language = g_markup_escape_text(item->language ? item->language : "x-default", -1);
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
    static const GMarkupParser parser = {.start_element = rights_start, .end_element = rights_end, .text = rights_text};
    Rights rights = {.property = -1};
    rights.prefixes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    rights.text = g_string_new("");
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        rights.items[i] = g_array_new(FALSE, FALSE, sizeof(Item));
        g_array_set_clear_func(rights.items[i], item_clear);
    }
    bool good = parse(&parser, packet, size, &rights);
    guint count = 0;
    GString *out = g_string_new(PACKET_BEGIN "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"" RDF
                                             "\"><rdf:Description rdf:about=\"\""
                                             " xmlns:dc=\"http://purl.org/dc/elements/1.1/\""
                                             " xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\""
                                             " xmlns:xmpRights=\"http://ns.adobe.com/xap/1.0/rights/\">");
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        if (rights.items[i]->len) put_property(out, i, rights.items[i]);
        count += rights.items[i]->len;
        g_array_free(rights.items[i], TRUE);
    }
    g_string_append(out, "</rdf:Description></rdf:RDF></x:xmpmeta>" PACKET_END);
    g_free(rights.language);
    g_string_free(rights.text, TRUE);
    g_hash_table_destroy(rights.prefixes);
    return g_string_free(out, !good || !count);
}
