// SPDX-License-Identifier: Apache-2.0
#include "metadata.h"

/* Every text of the fixture. */
static const char *const all_texts[] = {
    "DESCRIPTION-TEXT", "ACME-CAMERAS",     "MODEL-X1",       "EXIF-ARTIST",
    "EXIF-COPYRIGHT",   "2020:01:02 03:04", "MAKER-NOTE",     "USER-COMMENT",
    "SERIAL-NUMBER",    "THUMBNAIL-PIXELS", "IPTC-TITLE",     "IPTC-BYLINE",
    "IPTC-CITY",        "IPTC-CREDIT",      "IPTC-COPYRIGHT", "PHOTOSHOP-THUMB",
    "PHOTOSHOP-XMP",    "XMP-LATITUDE",     "XMP-LONGITUDE",  "XMP-CITY",
    "XMP-SUBJECT",      "XMP-CREATOR-1",    "XMP-CREATOR-2",  "XMP-RIGHTS",
    "XMP-RECHTE",       "XMP-CREDIT",       "XMP-WEB",        NULL,
};

static VipsImage *stripped(const char *yaml, VipsImage *in)
{
    Step *step = step_new("strip-metadata", yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    return out;
}

static VipsImage *stripped_jpeg(const char *yaml, const char *profile)
{
    size_t size = 0;
    void *bytes = metadata_jpeg(profile, &size);
    VipsImage *in = image_load(bytes, size);
    VipsImage *out = stripped(yaml, in);
    g_object_unref(in);
    g_free(bytes);
    return out;
}

static bool listed(const char *const *list, const char *text)
{
    for (; *list; list++)
        if (!strcmp(*list, text)) return true;
    return false;
}

/* Of all texts exactly `kept` are among the file's bytes. */
static void check_texts(const void *bytes, size_t size, const char *const *kept, const char *what)
{
    for (size_t i = 0; all_texts[i]; i++) {
        bool wanted = listed(kept, all_texts[i]), found = bytes_contain(bytes, size, all_texts[i]);
        if (wanted != found) fail_msg("%s: %s %s", what, all_texts[i], found ? "survived" : "is gone");
    }
}

static void check_jpeg(const char *yaml, const char *const *kept)
{
    VipsImage *image = stripped_jpeg(yaml, "srgb");
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_jpegsave_buffer(image, &bytes, &size, NULL), 0);
    check_texts(bytes, size, kept, yaml);
    g_free(bytes);
    g_object_unref(image);
}

static bool has_field(VipsImage *image, const char *name)
{
    return vips_image_get_typeof(image, name) != 0;
}

static bool has_text(VipsImage *image, const char *name, const char *text)
{
    const char *value = NULL;
    return has_field(image, name) && !vips_image_get_string(image, name, &value) && strstr(value, text);
}

static void the_fixture_tells_everything(void **state)
{
    (void)state;
    size_t size = 0;
    void *bytes = metadata_jpeg("srgb", &size);
    check_texts(bytes, size, all_texts, "fixture");
    VipsImage *image = image_load(bytes, size);
    static const char *const fields[] = {"exif-data",
                                         "exif-ifd0-Make",
                                         "exif-ifd2-BodySerialNumber",
                                         "exif-ifd3-GPSLatitude",
                                         "jpeg-thumbnail-data",
                                         "xmp-data",
                                         "iptc-data",
                                         "icc-profile-data"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!has_field(image, fields[i])) fail_msg("libvips doesn't see %s", fields[i]);
    g_object_unref(image);
    g_free(bytes);
}

static void nothing_stays_by_default(void **state)
{
    (void)state;
    check_jpeg("{}", (const char *const[]){NULL});
    VipsImage *image = stripped_jpeg("{}", "srgb");
    char **names = vips_image_get_fields(image);
    for (int i = 0; names[i]; i++)
        if (strstr(names[i], "exif") || strstr(names[i], "xmp") || strstr(names[i], "iptc") ||
            strstr(names[i], "thumb") || strstr(names[i], "icc") || strstr(names[i], "photoshop"))
            fail_msg("%s survived", names[i]);
    g_strfreev(names);
    g_object_unref(image);
}

static void rights_stay_alone(void **state)
{
    (void)state;
    check_jpeg("{keep: [copyright]}",
               (const char *const[]){"EXIF-ARTIST", "EXIF-COPYRIGHT", "IPTC-BYLINE", "IPTC-CREDIT", "IPTC-COPYRIGHT",
                                     "XMP-CREATOR-1", "XMP-CREATOR-2", "XMP-RIGHTS", "XMP-RECHTE", "XMP-CREDIT",
                                     "XMP-WEB", NULL});
    VipsImage *image = stripped_jpeg("{keep: [copyright]}", NULL);
    const void *xmp = NULL;
    size_t size = 0;
    assert_int_equal(vips_image_get_blob(image, VIPS_META_XMP_NAME, &xmp, &size), 0);
    assert_true(bytes_contain(xmp, size, "<photoshop:Credit>XMP-CREDIT</photoshop:Credit>"));
    assert_true(bytes_contain(xmp, size, "<rdf:li>XMP-CREATOR-2 &amp; &lt;Co&gt;</rdf:li></rdf:Seq></dc:creator>"));
    assert_true(bytes_contain(xmp, size, "<rdf:li xml:lang=\"de\">XMP-RECHTE</rdf:li>"));
    assert_true(bytes_contain(xmp, size, "<xmpRights:Marked>True</xmpRights:Marked>"));
    g_object_unref(image);
}

static void single_tags_stay_by_name(void **state)
{
    (void)state;
    check_jpeg("{exif: [Make, model, DateTimeOriginal]}",
               (const char *const[]){"ACME-CAMERAS", "MODEL-X1", "2020:01:02 03:04", NULL});
    VipsImage *image = stripped_jpeg("{exif: [GPSLatitude]}", NULL);
    assert_true(has_field(image, "exif-ifd3-GPSLatitude"));
    assert_false(has_field(image, "exif-ifd3-GPSLatitudeRef"));
    g_object_unref(image);
}

static void exif_stays_without_positions(void **state)
{
    (void)state;
    check_jpeg("{keep: [exif]}",
               (const char *const[]){"DESCRIPTION-TEXT", "ACME-CAMERAS", "MODEL-X1", "EXIF-ARTIST", "EXIF-COPYRIGHT",
                                     "2020:01:02 03:04", "USER-COMMENT", "SERIAL-NUMBER", NULL});
    VipsImage *image = stripped_jpeg("{keep: [exif]}", NULL);
    assert_false(has_field(image, "exif-ifd3-GPSLatitude"));
    assert_false(has_field(image, "exif-ifd0-Orientation"));
    assert_false(has_field(image, "orientation"));
    g_object_unref(image);
    /* read back from a file */
    image = stripped_jpeg("{keep: [exif, gps]}", NULL);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_jpegsave_buffer(image, &bytes, &size, NULL), 0);
    VipsImage *back = image_load(bytes, size);
    assert_true(has_text(back, "exif-ifd3-GPSLatitude", "48/1 7/1 30/1"));
    assert_true(has_text(back, "exif-ifd0-Copyright", "(c) EXIF-COPYRIGHT (all rights) "));
    assert_true(has_text(back, "exif-ifd2-DateTimeOriginal", "2020:01:02 03:04:05"));
    assert_false(has_field(back, "jpeg-thumbnail-data"));
    /* texts are whole in the bytes too, with their NULs: libvips' own comments must not leak into them */
    assert_non_null(memmem(bytes, size, "(c) EXIF-COPYRIGHT (all rights)", sizeof("(c) EXIF-COPYRIGHT (all rights)")));
    assert_non_null(memmem(bytes, size, "EXIF-ARTIST", sizeof("EXIF-ARTIST")));
    assert_false(bytes_contain(bytes, size, "ASCII, "));
    g_object_unref(back);
    g_object_unref(image);
    g_free(bytes);
}

static void xmp_and_iptc_stay_whole(void **state)
{
    (void)state;
    /* places are positions, too: they stay with gps alone */
    check_jpeg("{keep: [xmp]}", (const char *const[]){"XMP-SUBJECT", "XMP-CREATOR-1", "XMP-CREATOR-2", "XMP-RIGHTS",
                                                      "XMP-RECHTE", "XMP-CREDIT", "XMP-WEB", NULL});
    check_jpeg("{keep: [xmp, gps]}",
               (const char *const[]){"XMP-LATITUDE", "XMP-LONGITUDE", "XMP-CITY", "XMP-SUBJECT", "XMP-CREATOR-1",
                                     "XMP-CREATOR-2", "XMP-RIGHTS", "XMP-RECHTE", "XMP-CREDIT", "XMP-WEB", NULL});
    check_jpeg("{keep: [iptc]}",
               (const char *const[]){"IPTC-TITLE", "IPTC-BYLINE", "IPTC-CREDIT", "IPTC-COPYRIGHT", NULL});
    check_jpeg("{keep: [iptc, gps]}",
               (const char *const[]){"IPTC-TITLE", "IPTC-BYLINE", "IPTC-CITY", "IPTC-CREDIT", "IPTC-COPYRIGHT", NULL});
}

/* Cut anywhere, and with any byte changed: what can be read stays, nothing outside the block is touched (ASan looks).
 */
static void damaged_exif_is_survived(void **state)
{
    (void)state;
    size_t size = 0;
    uint8_t *exif = metadata_exif(&size);
    VipsImage *in = image_photo(8, 8);
    for (size_t i = 1; i < 2 * size; i++) {
        uint8_t flip = (uint8_t)(1 + i * 37 % 255);
        if (i >= size) exif[i - size] ^= flip;
        vips_image_set_blob_copy(in, VIPS_META_EXIF_NAME, exif, i < size ? i : size);
        if (i >= size) exif[i - size] ^= flip;
        VipsImage *out = stripped("{keep: [exif, gps]}", in);
        g_object_unref(out);
    }
    g_object_unref(in);
    g_free(exif);
}

/* Positions in the namespaces of others, in attributes, in structures, with any prefix; and what is no position. */
static void positions_hide_in_any_namespace(void **state)
{
    (void)state;
    static const char packet[] =
        "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        "<rdf:Description rdf:about='' xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/'"
        " xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#' xmlns:dwc='http://rs.tdwg.org/dwc/index.htm'"
        " xmlns:core='http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/'"
        " xmlns:ext='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' xmlns:x1='http://ns.adobe.com/exif/1.0/'"
        " xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:aux='http://ns.adobe.com/exif/1.0/aux/'"
        " xmlns:tiff='http://ns.adobe.com/tiff/1.0/' drone-dji:GpsLatitude='SECRET-1' geo:lat='SECRET-2'"
        " core:Location='SECRET-3' x1:GPSLatitude='SECRET-4' x1:FNumber='KEPT-1' aux:Lens='KEPT-2' tiff:Make='KEPT-3'"
        " tiff:Orientation='SECRET-O'>"
        "<dwc:decimalLatitude>SECRET-5</dwc:decimalLatitude><dc:coverage>SECRET-6</dc:coverage>"
        "<ext:LocationCreated><rdf:Bag><rdf:li "
        "rdf:parseType='Resource'><ext:City>SECRET-7</ext:City></rdf:li></rdf:Bag>"
        "</ext:LocationCreated><core:CreatorContactInfo "
        "rdf:parseType='Resource'><core:CiAdrCity>SECRET-8</core:CiAdrCity>"
        "<core:CiUrlWork>KEPT-4</core:CiUrlWork></core:CreatorContactInfo>"
        "<exif:GPSAltitude xmlns:exif='http://ns.adobe.com/exif/1.0/'>SECRET-9</exif:GPSAltitude>"
        "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>KEPT-5 &amp; &lt;more&gt;</rdf:li></rdf:Alt></dc:title>"
        "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>";
    VipsImage *in = image_photo(20, 20);
    vips_image_set_blob_copy(in, VIPS_META_XMP_NAME, packet, sizeof(packet) - 1);
    VipsImage *out = stripped("{keep: [xmp]}", in), *whole = stripped("{keep: [xmp, gps]}", in);
    const void *kept = NULL;
    size_t size = 0;
    assert_int_equal(vips_image_get_blob(out, VIPS_META_XMP_NAME, &kept, &size), 0);
    if (bytes_contain(kept, size, "SECRET")) fail_msg("%.*s", (int)size, (const char *)kept);
    assert_false(bytes_contain(kept, size, "dji"));
    static const char *const stay[] = {"x1:FNumber=\"KEPT-1\"", "KEPT-2", "KEPT-3",
                                       "<core:CiUrlWork>KEPT-4</core:CiUrlWork>",
                                       "<rdf:li xml:lang=\"x-default\">KEPT-5 &amp; &lt;more&gt;</rdf:li>"};
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
        if (!bytes_contain(kept, size, stay[i])) fail_msg("%s: %.*s", stay[i], (int)size, (const char *)kept);
    assert_int_equal(vips_image_get_blob(whole, VIPS_META_XMP_NAME, &kept, &size), 0);
    assert_int_equal(size, sizeof(packet) - 1);
    g_object_unref(whole);
    g_object_unref(out);
    g_object_unref(in);
}

static void every_format_is_clean(void **state)
{
    (void)state;
    static const char *const formats[] = {".jpg", ".png", ".webp", ".tif", ".avif"};
    size_t size = 0;
    void *bytes = metadata_jpeg("srgb", &size);
    VipsImage *tagged = image_load(bytes, size);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        /* the same metadata in the container at hand, read, stripped, written again */
        void *file = NULL, *clean = NULL;
        size_t file_size = 0, clean_size = 0;
        bool avif = i == 4;
        if (avif ? vips_heifsave_buffer(tagged, &file, &file_size, "compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1,
                                        NULL)
                 : vips_image_write_to_buffer(tagged, formats[i], &file, &file_size, NULL)) {
            print_message("%s: %s", formats[i], vips_error_buffer());
            vips_error_clear();
            continue;
        }
        VipsImage *in = image_load(file, file_size);
        assert_true(has_field(in, VIPS_META_XMP_NAME) || avif);
        static const char *const yaml[] = {"{}", "{keep: [copyright, icc]}"};
        for (size_t k = 0; k < 2; k++) {
            VipsImage *out = stripped(yaml[k], in);
            assert_int_equal(avif ? vips_heifsave_buffer(out, &clean, &clean_size, "compression",
                                                         VIPS_FOREIGN_HEIF_COMPRESSION_AV1, NULL)
                                  : vips_image_write_to_buffer(out, formats[i], &clean, &clean_size, NULL),
                             0);
            VipsImage *back = image_load(clean, clean_size);
            assert_int_equal(has_field(back, VIPS_META_ICC_NAME), k);
            static const char *const gone[] = {"CITY",     "SUBJECT", "TITLE",   "THUMB",   "ACME",
                                               "LATITUDE", "SERIAL",  "COMMENT", "2020:01", "DESCRIPTION"};
            for (size_t g = 0; g < sizeof(gone) / sizeof(gone[0]); g++)
                if (bytes_contain(clean, clean_size, gone[g])) fail_msg("%s: %s survived", formats[i], gone[g]);
            if (k && has_field(in, VIPS_META_XMP_NAME)) {
                const void *xmp = NULL; /* png holds it compressed */
                size_t xmp_size = 0;
                assert_int_equal(vips_image_get_blob(back, VIPS_META_XMP_NAME, &xmp, &xmp_size), 0);
                assert_true(bytes_contain(xmp, xmp_size, "XMP-RIGHTS"));
                assert_false(bytes_contain(xmp, xmp_size, "XMP-CITY"));
            }
            if (k && has_field(in, "exif-ifd0-Artist")) assert_true(has_text(back, "exif-ifd0-Artist", "EXIF-ARTIST"));
            g_object_unref(back);
            g_object_unref(out);
            g_free(clean);
        }
        g_object_unref(in);
        g_free(file);
    }
    g_object_unref(tagged);
    g_free(bytes);
}

static void comments_and_unknown_fields_go(void **state)
{
    (void)state;
    VipsImage *in = image_photo(20, 20);
    vips_image_set_string(in, "png-comment-0-Title", "a title");
    vips_image_set_string(in, "png-comment-1-Copyright", "mine");
    vips_image_set_string(in, "png-comment-2-Comment", "a comment");
    vips_image_set_string(in, "gif-comment", "a comment");
    vips_image_set_string(in, "image-description", "a description");
    vips_image_set_string(in, "something-new", "who knows");
    vips_image_set_blob_copy(in, "photoshop-data", "8BIM", 4);
    vips_image_set_blob_copy(in, "exif-data", "raw", 3);
    VipsImage *out = stripped("{keep: [copyright]}", in);
    assert_true(has_text(out, "png-comment-1-Copyright", "mine"));
    static const char *const gone[] = {
        "png-comment-0-Title", "png-comment-2-Comment", "gif-comment", "image-description",
        "something-new",       "photoshop-data",        "exif-data"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        if (has_field(out, gone[i])) fail_msg("%s survived", gone[i]);
    /* the input is another's */
    assert_true(has_field(in, "gif-comment"));
    g_object_unref(out);
    g_object_unref(in);
}

static void animations_stay_animated(void **state)
{
    (void)state;
    VipsImage *in = image_animation(20, 10, 3);
    vips_image_set_string(in, "gif-comment", "a comment");
    VipsImage *out = stripped("{}", in);
    assert_size(out, 20, 10);
    assert_int_equal(out->Ysize, 30);
    int *delays = NULL, count = 0, loop = 0, pages = 0;
    assert_int_equal(vips_image_get_array_int(out, "delay", &delays, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(delays[2], 120);
    assert_int_equal(vips_image_get_int(out, "loop", &loop), 0);
    assert_int_equal(vips_image_get_int(out, VIPS_META_N_PAGES, &pages), 0);
    assert_int_equal(pages, 3);
    assert_false(has_field(out, "gif-comment"));
    g_object_unref(out);
    g_object_unref(in);
}

static void profiles_do_what_icc_says(void **state)
{
    (void)state;
    VipsImage *out = stripped_jpeg("{}", "p3"); /* convert */
    assert_false(has_field(out, VIPS_META_ICC_NAME));
    assert_pixel(out, 32, 24, 230, 60, 40, 3);
    g_object_unref(out);
    static const char *const yaml[] = {"{keep: [icc]}", "{icc: keep}", "{icc: strip}"};
    for (size_t i = 0; i < 3; i++) {
        out = stripped_jpeg(yaml[i], "p3");
        assert_int_equal(has_field(out, VIPS_META_ICC_NAME), i < 2);
        assert_true(image_at(out, 32, 24, 0) < 222); /* P3's numbers */
        g_object_unref(out);
    }
    /* sRGB's own profile costs no pass over the pixels: not a value changes */
    size_t size = 0;
    void *bytes = metadata_jpeg("srgb", &size);
    VipsImage *in = image_load(bytes, size);
    out = stripped("{}", in);
    for (int x = 0; x < 64; x++)
        for (int band = 0; band < 3; band++) assert_true(image_at(in, x, 20, band) == image_at(out, x, 20, band));
    assert_false(has_field(out, VIPS_META_ICC_NAME));
    g_object_unref(out);
    /* a profile that is none is passed over, the picture lives */
    vips_image_set_blob_copy(in, VIPS_META_ICC_NAME, "not a profile", 13);
    out = stripped("{}", in);
    assert_false(has_field(out, VIPS_META_ICC_NAME));
    assert_pixel(out, 32, 24, 230, 60, 40, 6);
    g_object_unref(out);
    g_object_unref(in);
    g_free(bytes);
}

static int free_area(void *bytes, VipsArea *area)
{
    (void)area;
    g_free(bytes);
    return 0;
}

static void broken_blocks_are_dropped(void **state)
{
    (void)state;
    VipsImage *in = image_photo(20, 20);
    static const char *const packets[] = {
        "",
        "no xml",
        "<a><b></a>",
        "<a>&lol;</a>",
        "<!DOCTYPE a [<!ENTITY l \"x\">]><a>&l;</a>",
        "<a xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:rights>\xff</dc:rights></a>"};
    static const char *const yaml[] = {"{keep: [xmp]}", "{keep: [copyright]}"};
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        for (size_t k = 0; k < 2; k++) {
            vips_image_set_blob_copy(in, VIPS_META_XMP_NAME, packets[i], strlen(packets[i]));
            VipsImage *out = stripped(yaml[k], in);
            if (has_field(out, VIPS_META_XMP_NAME)) fail_msg("kept %s", packets[i]);
            g_object_unref(out);
        }
    }
    /* every cut of the IPTC block, and every byte of it turned over, is read within its bounds */
    size_t size = 0;
    uint8_t *iptc = metadata_iptc(&size);
    for (size_t i = 1; i < size; i++) {
        uint8_t *exact = g_memdup2(iptc, i); /* so that a sanitizer sees a step too far */
        vips_image_set_blob(in, VIPS_META_IPTC_NAME, (VipsCallbackFn)free_area, exact, i);
        g_object_unref(stripped("{keep: [copyright]}", in));
        iptc[i] ^= 0xff;
        vips_image_set_blob_copy(in, VIPS_META_IPTC_NAME, iptc, size);
        g_object_unref(stripped("{keep: [iptc]}", in));
        iptc[i] ^= 0xff;
    }
    g_free(iptc);
    g_object_unref(in);
}

static void bare_iptc_records_are_read(void **state)
{
    (void)state;
    static const char records[] = "\x1c\x02\x50\0\x04Jane\x1c\x02\x5a\0\x06Munich\x1c\x02\x74\0\x02me";
    VipsImage *in = image_photo(20, 20);
    vips_image_set_blob_copy(in, VIPS_META_IPTC_NAME, records, sizeof(records) - 1);
    VipsImage *out = stripped("{keep: [copyright]}", in);
    const void *kept = NULL;
    size_t size = 0;
    assert_int_equal(vips_image_get_blob(out, VIPS_META_IPTC_NAME, &kept, &size), 0);
    assert_int_equal(size, 9 + 7);
    assert_memory_equal(kept, "\x1c\x02\x50\0\x04Jane\x1c\x02\x74\0\x02me", size);
    g_object_unref(out);
    g_object_unref(in);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{exif: [\"Date Time\"]}", "exif: \"Date Time\" is not the name of an EXIF tag"},
        {"{exif: [CameraModel]}", "exif: \"CameraModel\" is not the name of an EXIF tag"},
        {"{exif: [orientation]}", "exif: Orientation can't stay"},
        {"{keep: [icc], icc: strip}", "icc: strip, while keep lists icc"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("strip-metadata", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

/* It leaves pixels alone unless it converts a profile's colours. */
static void plan_tells_whether_pixels_stay(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        bool profile;
        uint32_t flags;
    } rows[] = {
        {"{}", false, PM_NO_PIXELS},          {"{}", true, 0},
        {"{icc: keep}", true, PM_NO_PIXELS},  {"{keep: [icc]}", true, PM_NO_PIXELS},
        {"{icc: strip}", true, PM_NO_PIXELS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        PmShape shape = {.width = 9, .height = 9, .pages = 1, .bands = 3, .has_profile = rows[i].profile};
        Step *step = step_new("strip-metadata", rows[i].yaml);
        assert_int_equal(step_plan(step, &shape).flags, rows[i].flags);
        step_free(step);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fixture_tells_everything),
        cmocka_unit_test(nothing_stays_by_default),
        cmocka_unit_test(rights_stay_alone),
        cmocka_unit_test(single_tags_stay_by_name),
        cmocka_unit_test(exif_stays_without_positions),
        cmocka_unit_test(xmp_and_iptc_stay_whole),
        cmocka_unit_test(damaged_exif_is_survived),
        cmocka_unit_test(positions_hide_in_any_namespace),
        cmocka_unit_test(every_format_is_clean),
        cmocka_unit_test(comments_and_unknown_fields_go),
        cmocka_unit_test(animations_stay_animated),
        cmocka_unit_test(profiles_do_what_icc_says),
        cmocka_unit_test(broken_blocks_are_dropped),
        cmocka_unit_test(bare_iptc_records_are_read),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(plan_tells_whether_pixels_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
