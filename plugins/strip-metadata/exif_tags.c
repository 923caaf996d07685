// SPDX-License-Identifier: Apache-2.0
#include "strip.h"

/* What `keep: [exif]` keeps: tags of Exif 2.32 that say how a picture was taken and what it shows. An allow-list: not
 * the maker's own notes, not blocks of other standards inside EXIF (XMP, IPTC, Photoshop), no tag that nobody knows. */
static const struct Tag {
    uint16_t tag;
    ExifDirectory directory;
    const char *name;
} tags[] = {
    {0x010e, EXIF_PICTURE, "ImageDescription"},
    {0x010f, EXIF_PICTURE, "Make"},
    {0x0110, EXIF_PICTURE, "Model"},
    {0x011a, EXIF_PICTURE, "XResolution"},
    {0x011b, EXIF_PICTURE, "YResolution"},
    {0x0128, EXIF_PICTURE, "ResolutionUnit"},
    {0x012d, EXIF_PICTURE, "TransferFunction"},
    {0x0131, EXIF_PICTURE, "Software"},
    {0x0132, EXIF_PICTURE, "DateTime"},
    {0x013b, EXIF_PICTURE, "Artist"},
    {0x013c, EXIF_PICTURE, "HostComputer"},
    {0x013e, EXIF_PICTURE, "WhitePoint"},
    {0x013f, EXIF_PICTURE, "PrimaryChromaticities"},
    {0x0211, EXIF_PICTURE, "YCbCrCoefficients"},
    {0x0213, EXIF_PICTURE, "YCbCrPositioning"},
    {0x0214, EXIF_PICTURE, "ReferenceBlackWhite"},
    {0x4746, EXIF_PICTURE, "Rating"},
    {0x4749, EXIF_PICTURE, "RatingPercent"},
    {0x8298, EXIF_PICTURE, "Copyright"},
    {0x9c9b, EXIF_PICTURE, "XPTitle"},
    {0x9c9c, EXIF_PICTURE, "XPComment"},
    {0x9c9d, EXIF_PICTURE, "XPAuthor"},
    {0x9c9e, EXIF_PICTURE, "XPKeywords"},
    {0x9c9f, EXIF_PICTURE, "XPSubject"},
    {0x829a, EXIF_SHOT, "ExposureTime"},
    {0x829d, EXIF_SHOT, "FNumber"},
    {0x8822, EXIF_SHOT, "ExposureProgram"},
    {0x8824, EXIF_SHOT, "SpectralSensitivity"},
    {0x8827, EXIF_SHOT, "ISOSpeedRatings"},
    {0x8828, EXIF_SHOT, "OECF"},
    {0x8830, EXIF_SHOT, "SensitivityType"},
    {0x8831, EXIF_SHOT, "StandardOutputSensitivity"},
    {0x8832, EXIF_SHOT, "RecommendedExposureIndex"},
    {0x8833, EXIF_SHOT, "ISOSpeed"},
    {0x8834, EXIF_SHOT, "ISOSpeedLatitudeyyy"},
    {0x8835, EXIF_SHOT, "ISOSpeedLatitudezzz"},
    {0x9000, EXIF_SHOT, "ExifVersion"},
    {0x9003, EXIF_SHOT, "DateTimeOriginal"},
    {0x9004, EXIF_SHOT, "DateTimeDigitized"},
    {0x9010, EXIF_SHOT, "OffsetTime"},
    {0x9011, EXIF_SHOT, "OffsetTimeOriginal"},
    {0x9012, EXIF_SHOT, "OffsetTimeDigitized"},
    {0x9101, EXIF_SHOT, "ComponentsConfiguration"},
    {0x9102, EXIF_SHOT, "CompressedBitsPerPixel"},
    {0x9201, EXIF_SHOT, "ShutterSpeedValue"},
    {0x9202, EXIF_SHOT, "ApertureValue"},
    {0x9203, EXIF_SHOT, "BrightnessValue"},
    {0x9204, EXIF_SHOT, "ExposureBiasValue"},
    {0x9205, EXIF_SHOT, "MaxApertureValue"},
    {0x9206, EXIF_SHOT, "SubjectDistance"},
    {0x9207, EXIF_SHOT, "MeteringMode"},
    {0x9208, EXIF_SHOT, "LightSource"},
    {0x9209, EXIF_SHOT, "Flash"},
    {0x920a, EXIF_SHOT, "FocalLength"},
    {0x9214, EXIF_SHOT, "SubjectArea"},
    {0x9286, EXIF_SHOT, "UserComment"},
    {0x9290, EXIF_SHOT, "SubSecTime"},
    {0x9291, EXIF_SHOT, "SubSecTimeOriginal"},
    {0x9292, EXIF_SHOT, "SubSecTimeDigitized"},
    {0x9400, EXIF_SHOT, "Temperature"},
    {0x9401, EXIF_SHOT, "Humidity"},
    {0x9402, EXIF_SHOT, "Pressure"},
    {0x9403, EXIF_SHOT, "WaterDepth"},
    {0x9404, EXIF_SHOT, "Acceleration"},
    {0x9405, EXIF_SHOT, "CameraElevationAngle"},
    {0xa000, EXIF_SHOT, "FlashpixVersion"},
    {0xa001, EXIF_SHOT, "ColorSpace"},
    {0xa002, EXIF_SHOT, "PixelXDimension"},
    {0xa003, EXIF_SHOT, "PixelYDimension"},
    {0xa004, EXIF_SHOT, "RelatedSoundFile"},
    {0xa20b, EXIF_SHOT, "FlashEnergy"},
    {0xa20c, EXIF_SHOT, "SpatialFrequencyResponse"},
    {0xa20e, EXIF_SHOT, "FocalPlaneXResolution"},
    {0xa20f, EXIF_SHOT, "FocalPlaneYResolution"},
    {0xa210, EXIF_SHOT, "FocalPlaneResolutionUnit"},
    {0xa214, EXIF_SHOT, "SubjectLocation"},
    {0xa215, EXIF_SHOT, "ExposureIndex"},
    {0xa217, EXIF_SHOT, "SensingMethod"},
    {0xa300, EXIF_SHOT, "FileSource"},
    {0xa301, EXIF_SHOT, "SceneType"},
    {0xa302, EXIF_SHOT, "CFAPattern"},
    {0xa401, EXIF_SHOT, "CustomRendered"},
    {0xa402, EXIF_SHOT, "ExposureMode"},
    {0xa403, EXIF_SHOT, "WhiteBalance"},
    {0xa404, EXIF_SHOT, "DigitalZoomRatio"},
    {0xa405, EXIF_SHOT, "FocalLengthIn35mmFilm"},
    {0xa406, EXIF_SHOT, "SceneCaptureType"},
    {0xa407, EXIF_SHOT, "GainControl"},
    {0xa408, EXIF_SHOT, "Contrast"},
    {0xa409, EXIF_SHOT, "Saturation"},
    {0xa40a, EXIF_SHOT, "Sharpness"},
    {0xa40b, EXIF_SHOT, "DeviceSettingDescription"},
    {0xa40c, EXIF_SHOT, "SubjectDistanceRange"},
    {0xa420, EXIF_SHOT, "ImageUniqueID"},
    {0xa430, EXIF_SHOT, "CameraOwnerName"},
    {0xa431, EXIF_SHOT, "BodySerialNumber"},
    {0xa432, EXIF_SHOT, "LensSpecification"},
    {0xa433, EXIF_SHOT, "LensMake"},
    {0xa434, EXIF_SHOT, "LensModel"},
    {0xa435, EXIF_SHOT, "LensSerialNumber"},
    {0xa460, EXIF_SHOT, "CompositeImage"},
    {0xa461, EXIF_SHOT, "SourceImageNumberOfCompositeImage"},
    {0xa462, EXIF_SHOT, "SourceExposureTimesOfCompositeImage"},
    {0xa500, EXIF_SHOT, "Gamma"},
    {0x0000, EXIF_GPS, "GPSVersionID"},
    {0x0001, EXIF_GPS, "GPSLatitudeRef"},
    {0x0002, EXIF_GPS, "GPSLatitude"},
    {0x0003, EXIF_GPS, "GPSLongitudeRef"},
    {0x0004, EXIF_GPS, "GPSLongitude"},
    {0x0005, EXIF_GPS, "GPSAltitudeRef"},
    {0x0006, EXIF_GPS, "GPSAltitude"},
    {0x0007, EXIF_GPS, "GPSTimeStamp"},
    {0x0008, EXIF_GPS, "GPSSatellites"},
    {0x0009, EXIF_GPS, "GPSStatus"},
    {0x000a, EXIF_GPS, "GPSMeasureMode"},
    {0x000b, EXIF_GPS, "GPSDOP"},
    {0x000c, EXIF_GPS, "GPSSpeedRef"},
    {0x000d, EXIF_GPS, "GPSSpeed"},
    {0x000e, EXIF_GPS, "GPSTrackRef"},
    {0x000f, EXIF_GPS, "GPSTrack"},
    {0x0010, EXIF_GPS, "GPSImgDirectionRef"},
    {0x0011, EXIF_GPS, "GPSImgDirection"},
    {0x0012, EXIF_GPS, "GPSMapDatum"},
    {0x0013, EXIF_GPS, "GPSDestLatitudeRef"},
    {0x0014, EXIF_GPS, "GPSDestLatitude"},
    {0x0015, EXIF_GPS, "GPSDestLongitudeRef"},
    {0x0016, EXIF_GPS, "GPSDestLongitude"},
    {0x0017, EXIF_GPS, "GPSDestBearingRef"},
    {0x0018, EXIF_GPS, "GPSDestBearing"},
    {0x0019, EXIF_GPS, "GPSDestDistanceRef"},
    {0x001a, EXIF_GPS, "GPSDestDistance"},
    {0x001b, EXIF_GPS, "GPSProcessingMethod"},
    {0x001c, EXIF_GPS, "GPSAreaInformation"},
    {0x001d, EXIF_GPS, "GPSDateStamp"},
    {0x001e, EXIF_GPS, "GPSDifferential"},
    {0x001f, EXIF_GPS, "GPSHPositioningError"},
    {0x0001, EXIF_INTEROP, "InteroperabilityIndex"},
    {0x0002, EXIF_INTEROP, "InteroperabilityVersion"},
};

/* May be named, but is not kept as one of all: its offsets count from where it was, and what it says only its maker
 * knows. */
static const struct Tag maker_note = {0x927c, EXIF_SHOT, "MakerNote"};

static const struct Tag *find(ExifDirectory directory, unsigned tag)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
        if (tags[i].directory == directory && tags[i].tag == tag) return &tags[i];
    return directory == maker_note.directory && tag == maker_note.tag ? &maker_note : NULL;
}

bool exif_tag_is_known(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
        if (!g_ascii_strcasecmp(tags[i].name, name)) return true;
    return !g_ascii_strcasecmp(maker_note.name, name);
}

typedef struct Wanted {
    unsigned keep;
    const PmList *names;
} Wanted;

static bool is_wanted(void *data, ExifDirectory directory, unsigned number)
{
    const Wanted *wanted = data;
    const struct Tag *tag = find(directory, number);
    if (!tag) return false;
    for (size_t i = 0; i < wanted->names->count; i++)
        if (!g_ascii_strcasecmp(wanted->names->items[i], tag->name)) return true;
    if (directory == EXIF_GPS) return wanted->keep & KEEP_GPS;
    if (wanted->keep & KEEP_EXIF) return tag != &maker_note;
    return wanted->keep & KEEP_COPYRIGHT && (!strcmp(tag->name, "Artist") || !strcmp(tag->name, "Copyright"));
}

void *exif_filter(const void *block, size_t size, unsigned keep, const PmList *names, size_t *out_size)
{
    Wanted wanted = {keep, names};
    return exif_copy(block, size, is_wanted, &wanted, out_size);
}

bool exif_field_is_wanted(const char *field, unsigned keep, const PmList *names)
{
    /* libvips numbers the directories: 0 the picture, 1 its thumbnail, 2 the shot, 3 GPS, 4 interoperability. */
    static const ExifDirectory directories[] = {EXIF_PICTURE, EXIF_DIRECTORIES, EXIF_SHOT, EXIF_GPS, EXIF_INTEROP};
    Wanted wanted = {keep, names};
    if (!g_str_has_prefix(field, "exif-ifd") || field[8] < '0' || field[8] > '4' || field[9] != '-') return false;
    ExifDirectory directory = directories[field[8] - '0'];
    for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
        if (tags[i].directory == directory && !strcmp(tags[i].name, field + 10))
            return is_wanted(&wanted, directory, tags[i].tag);
    return directory == EXIF_SHOT && !strcmp(field + 10, maker_note.name) &&
           is_wanted(&wanted, directory, maker_note.tag);
}
