/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cicp.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ primaries */

static const double d65[2] = {0.3127, 0.3290}, theatre[2] = {0.314, 0.351}, illuminant_c[2] = {0.310, 0.316};

typedef struct Primaries {
    unsigned code;
    double red[2], green[2], blue[2];
    const double *white;
} Primaries;

/* H.273, table 2. */
static const Primaries known[] = {
    {1, {0.640, 0.330}, {0.300, 0.600}, {0.150, 0.060}, d65},
    {4, {0.670, 0.330}, {0.210, 0.710}, {0.140, 0.080}, illuminant_c},
    {5, {0.640, 0.330}, {0.290, 0.600}, {0.150, 0.060}, d65},
    {6, {0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, d65},
    {7, {0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, d65},
    {9, {0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}, d65},
    {11, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, theatre},
    {12, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, d65},
    {22, {0.630, 0.340}, {0.295, 0.605}, {0.155, 0.077}, d65},
};

typedef double Matrix[3][3];

static bool invert(const Matrix m, Matrix out)
{
    double det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                 m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    if (!(fabs(det) > 1e-6)) return false;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;
            out[i][j] = (m[a][c] * m[b][d] - m[a][d] * m[b][c]) / det;
        }
    return true;
}

static void apply(const Matrix m, const double v[3], double out[3])
{
    for (int i = 0; i < 3; i++) out[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
}

static void multiply(const Matrix a, const Matrix b, Matrix out)
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) out[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
}

/* XYZ of a chromaticity with a luminance of 1. */
static bool to_xyz(const double xy[2], double out[3])
{
    if (!(xy[1] > 0.001) || !(xy[0] >= 0) || xy[0] + xy[1] > 1.001) return false;
    out[0] = xy[0] / xy[1];
    out[1] = 1;
    out[2] = (1 - xy[0] - xy[1]) / xy[1];
    return true;
}

/* Columns: what red, green and blue are in XYZ under the white of ICC profiles (D50), adapted by Bradford's matrix. */
static bool colorants(const double xy[4][2], Matrix out)
{
    static const Matrix cones = {{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}};
    static const double d50[3] = {0.9642, 1, 0.8249};
    Matrix primaries, inverse, back, scaled, scale = {{0}}, adapted;
    double white[3], weights[3], from[3], to[3];
    if (!to_xyz(xy[0], white)) return false;
    for (int i = 0; i < 3; i++) {
        double one[3];
        if (!to_xyz(xy[i + 1], one)) return false;
        for (int j = 0; j < 3; j++) primaries[j][i] = one[j];
    }
    if (!invert(primaries, inverse) || !invert(cones, back)) return false;
    apply(inverse, white, weights);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) primaries[i][j] *= weights[j];
    apply(cones, white, from);
    apply(cones, d50, to);
    for (int i = 0; i < 3; i++) scale[i][i] = to[i] / from[i];
    multiply(scale, cones, scaled);
    multiply(back, scaled, adapted);
    multiply(adapted, primaries, out);
    return true;
}

/* ------------------------------------------------------------------ curves */

enum { TRANSFER_GAMMA22 = 4, TRANSFER_GAMMA28 = 5, TRANSFER_LINEAR = 8, TRANSFER_PQ = 16, TRANSFER_HLG = 18 };

static double srgb(double v, double unused)
{
    (void)unused;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double power(double v, double exponent)
{
    return pow(v, exponent);
}

/* Light in units of the white of paper (203 nit, ITU-R BT.2408), up to 1000 nit, as a screen of standard dynamic range
 * shows it: unchanged up to half of its white, then more and more bent, so that highlights keep their drawing. */
static double fit(double nits)
{
    static const double white = 203, peak = 1000 / 203.0, knee = 0.5;
    double light = nits / white;
    if (light <= knee) return light;
    double slope = (peak - knee) / (1 - knee), bend = 1 / (slope - 1), t = (light - knee) / (peak - knee);
    return t >= 1 ? 1 : knee + (1 - knee) * t * (1 + bend) / (t + bend);
}

/* SMPTE ST 2084 */
static double pq(double v, double unused)
{
    (void)unused;
    double p = pow(v, 1 / 78.84375);
    return fit(10000 * pow(fmax(p - 0.8359375, 0) / (18.8515625 - 18.6875 * p), 1 / 0.1593017578125));
}

/* ITU-R BT.2100, on a screen of 1000 nit, whose gamma of 1.2 is applied to each channel. */
static double hlg(double v, double unused)
{
    (void)unused;
    double scene = v <= 0.5 ? v * v / 3 : (exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12;
    return fit(1000 * pow(fmin(scene, 1), 1.2));
}

typedef struct Curve {
    double (*decode)(double v, double parameter);
    double parameter;
    size_t points;
} Curve;

/* The curves of television (1, 6, 11, 12, 14, 15) are taken for sRGB's, as browsers do. */
static PmCicp find_curve(const PmSignal *signal, Curve *out)
{
    *out = (Curve){srgb, 0, 1024};
    if (signal->gamma > 0) {
        *out = (Curve){power, signal->gamma, 1024};
        if (signal->gamma < 0.2 || signal->gamma > 10) return PM_CICP_UNKNOWN;
        return fabs(signal->gamma / 2.2 - 1) < 0.05 ? PM_CICP_SRGB : PM_CICP_PROFILE; /* libpng's threshold */
    }
    switch (signal->transfer) {
    case 1:
    case PM_UNSPECIFIED:
    case 6:
    case 11:
    case 12:
    case PM_TRANSFER_SRGB:
    case 14:
    case 15:
        return PM_CICP_SRGB;
    case TRANSFER_GAMMA22:
        *out = (Curve){power, 2.2, 1024};
        return PM_CICP_PROFILE;
    case TRANSFER_GAMMA28:
        *out = (Curve){power, 2.8, 1024};
        return PM_CICP_PROFILE;
    case TRANSFER_LINEAR:
        *out = (Curve){power, 1, 2};
        return PM_CICP_PROFILE;
    case TRANSFER_PQ:
        *out = (Curve){pq, 0, 4096};
        return PM_CICP_HDR;
    case TRANSFER_HLG:
        *out = (Curve){hlg, 0, 4096};
        return PM_CICP_HDR;
    default:
        return PM_CICP_UNKNOWN;
    }
}

/* ------------------------------------------------------------------ the profile (ICC.1:2001-04, version 2.4) */

enum { HEADER = 128, ENTRY = 12, COUNT_RGB = 9, COUNT_GREY = 4 };

typedef struct Writer {
    uint8_t *out;
    size_t size;
    unsigned tags;
} Writer;

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_name(uint8_t *at, const char *name)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)name[i];
}

static void put_fixed(uint8_t *at, double value)
{
    put32(at, (uint32_t)(int32_t)lround(value * 65536));
}

static void name_tag(Writer *writer, const char *name, size_t at, size_t size)
{
    uint8_t *entry = writer->out + HEADER + 4 + (size_t)writer->tags++ * ENTRY;
    put_name(entry, name);
    put32(entry + 4, (uint32_t)at);
    put32(entry + 8, (uint32_t)size);
    put32(writer->out + HEADER, writer->tags);
}

/* Zeros but for the type. */
static uint8_t *add_tag(Writer *writer, const char *name, const char *type, size_t size)
{
    uint8_t *data = writer->out + writer->size;
    put_name(data, type);
    name_tag(writer, name, writer->size, size);
    writer->size += (size + 3) / 4 * 4;
    return data;
}

static void add_xyz(Writer *writer, const char *name, double x, double y, double z)
{
    uint8_t *data = add_tag(writer, name, "XYZ ", 20);
    put_fixed(data + 8, x);
    put_fixed(data + 12, y);
    put_fixed(data + 16, z);
}

static void add_texts(Writer *writer)
{
    static const char description[] = "made of the picture's own words";
    uint8_t *data = add_tag(writer, "desc", "desc", 12 + sizeof description + 78);
    put32(data + 8, sizeof description);
    memcpy(data + 12, description, sizeof description);
    put_name(add_tag(writer, "cprt", "text", 13) + 8, "CC0");
}

static void add_curve(Writer *writer, const char *name, const Curve *curve)
{
    uint8_t *data = add_tag(writer, name, "curv", 12 + 2 * curve->points);
    put32(data + 8, (uint32_t)curve->points);
    for (size_t i = 0; i < curve->points; i++) {
        double light = curve->decode((double)i / (double)(curve->points - 1), curve->parameter);
        unsigned value = (unsigned)lround(65535 * fmin(fmax(light, 0), 1));
        data[12 + 2 * i] = (uint8_t)(value >> 8);
        data[13 + 2 * i] = (uint8_t)value;
    }
}

static size_t write_profile(uint8_t *out, const Matrix columns, const Curve *curve, bool grey)
{
    Writer writer = {.out = out, .size = HEADER + 4 + (size_t)(grey ? COUNT_GREY : COUNT_RGB) * ENTRY};
    memset(out, 0, PM_CICP_PROFILE_MAX);
    put32(out + 8, 0x02400000);
    put_name(out + 12, "mntr");
    put_name(out + 16, grey ? "GRAY" : "RGB ");
    put_name(out + 20, "XYZ ");
    put_name(out + 36, "acsp");
    put_fixed(out + 68, 0.9642);
    put_fixed(out + 72, 1);
    put_fixed(out + 76, 0.8249);
    add_texts(&writer);
    add_xyz(&writer, "wtpt", 0.9642, 1, 0.8249);
    size_t curve_at = writer.size, curve_size = 12 + 2 * curve->points;
    add_curve(&writer, grey ? "kTRC" : "rTRC", curve);
    if (!grey) {
        name_tag(&writer, "gTRC", curve_at, curve_size);
        name_tag(&writer, "bTRC", curve_at, curve_size);
        add_xyz(&writer, "rXYZ", columns[0][0], columns[1][0], columns[2][0]);
        add_xyz(&writer, "gXYZ", columns[0][1], columns[1][1], columns[2][1]);
        add_xyz(&writer, "bXYZ", columns[0][2], columns[1][2], columns[2][2]);
    }
    put32(out, (uint32_t)writer.size);
    return writer.size;
}

/* ------------------------------------------------------------------ all */

static bool find_primaries(const PmSignal *signal, double xy[4][2])
{
    if (signal->has_xy) {
        memcpy(xy, signal->xy, sizeof signal->xy);
        return true;
    }
    unsigned code = signal->primaries == PM_UNSPECIFIED ? PM_PRIMARIES_BT709 : signal->primaries;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].code != code) continue;
        memcpy(xy[0], known[i].white, sizeof xy[0]);
        memcpy(xy[1], known[i].red, sizeof xy[0]);
        memcpy(xy[2], known[i].green, sizeof xy[0]);
        memcpy(xy[3], known[i].blue, sizeof xy[0]);
        return true;
    }
    return false;
}

static bool are_srgb(const double xy[4][2])
{
    static const double want[4][2] = {{0.3127, 0.3290}, {0.640, 0.330}, {0.300, 0.600}, {0.150, 0.060}};
    for (int i = 0; i < 8; i++)
        if (fabs(xy[i / 2][i % 2] - want[i / 2][i % 2]) > 0.011) return false;
    return true;
}

PmCicp pm_cicp_profile(const PmSignal *signal, bool grey, uint8_t out[PM_CICP_PROFILE_MAX], size_t *size)
{
    double xy[4][2] = {{0}};
    Matrix columns = {{0}};
    Curve curve;
    if (!signal->coded && !(signal->gamma > 0) && !signal->has_xy) return PM_CICP_SRGB;
    PmCicp what = find_curve(signal, &curve);
    if (what == PM_CICP_UNKNOWN) return what;
    if (!grey) {
        if (!find_primaries(signal, xy) || !colorants(xy, columns)) return PM_CICP_UNKNOWN;
        if (what == PM_CICP_SRGB && !are_srgb(xy)) what = PM_CICP_PROFILE;
    }
    if (what != PM_CICP_SRGB) *size = write_profile(out, columns, &curve, grey);
    return what;
}
