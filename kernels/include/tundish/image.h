// What the image operators take and give: pixel formats, windows, filters, normalisation, output formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tundish {

// The greatest height or width of anything in a call, and the farthest offset of a window.
constexpr std::int64_t kMaximumExtent = 65536;

// How the bytes of an image make pixels, with its planes (rows × bytes):
//   rgb, bgr      one of height × 3 width
//   grey          one of height × width; the three channels of a pixel are equal
//   nv12          height × width of Y; height/2 × width of U and V by turns
//   i420          height × width of Y; height/2 × width/2 of U; the same of V
//   yuyv, uyvy    one of height × 2 width, named by the order of the four bytes of two pixels
//   bayer_*       one of height × width, named by the first two pixels of the first row, then of the second
// YUV is BT.601 with limited range; a chroma sample serves all its pixels. nv12 and i420 need an even height
// and width, yuyv and uyvy an even width. Bayer images are interpolated linearly and need at least 3 × 3
// pixels; the outermost pixels equal their inner neighbours. All as OpenCV converts them, to the bit.
enum class PixelFormat {
    rgb,
    bgr,
    grey,
    nv12,
    i420,
    yuyv,
    uyvy,
    bayer_rggb,
    bayer_bggr,
    bayer_grbg,
    bayer_gbrg
};

// Bytes of a row are adjacent; `row_stride` is the distance between the starts of two rows in bytes, and may
// be negative.
struct Plane {
    const std::uint8_t* data;
    std::int64_t row_stride;
};

// An image that the caller owns; planes beyond those of its format are not looked at.
struct ImageView {
    std::int64_t height;
    std::int64_t width;
    Plane planes[3];
};

// A part of an image in whole pixels.
struct Region {
    std::int64_t x;
    std::int64_t y;
    std::int64_t width;
    std::int64_t height;
};

// nearest takes the source pixel under the centre of the output pixel. bilinear, bicubic and lanczos are
// Pillow's: triangle, cubic with a = -0.5, sinc windowed to three lobes; all widened when scaling down
// (antialiased). bilinear_point and bicubic_point are PyTorch's without antialiasing: they always read the
// nearest 2 × 2 or 4 × 4 pixels, the cubic with a = -0.75.
enum class Filter { nearest, bilinear, bicubic, lanczos, bilinear_point, bicubic_point };

// The image is resized to resized_height × resized_width, and output pixel (y, x) is resized[y + top, x +
// left], or the pad colour where that lies outside.
struct Window {
    std::int64_t resized_height;
    std::int64_t resized_width;
    std::int64_t top;
    std::int64_t left;
};

// value = pixel × (scale / std) - mean / std per channel, in the output's order of channels. The two
// constants are computed in double and rounded to float once. `pad` is a colour of pixel values, 0 to 255,
// and is normalised like any other.
struct Normalization {
    double scale;
    double mean[3];
    double std[3];
    std::int64_t pad[3];
};

enum class ElementType { float32, float16, uint8, int8 };
enum class Layout { chw, hwc };
enum class ChannelOrder { rgb, bgr };

// float32 holds the value, float16 the value rounded to nearest even. Integers hold round(value / scale) +
// zero_point, saturated, with ties to even: ONNX's QuantizeLinear. Scale 1 and zero point 0 round the value,
// and leave pixels as they are where nothing is normalised.
struct OutputFormat {
    ElementType type;
    Layout layout;
    ChannelOrder order;
    double scale;
    std::int64_t zero_point;
};

// A C-contiguous [batch, 3, height, width] or [batch, height, width, 3] array that the caller owns, aligned
// for its elements.
struct Destination {
    void* data;
    std::int64_t batch;
    std::int64_t height;
    std::int64_t width;
    OutputFormat format;
};

std::size_t element_size(ElementType type);

// Each parses the name of an enumerator, and throws std::invalid_argument, which lists the names, for
// another.
PixelFormat parse_pixel_format(const std::string& name);
ElementType parse_element_type(const std::string& name);
Layout parse_layout(const std::string& name);
ChannelOrder parse_channel_order(const std::string& name);

// Parses "nearest", "bilinear", "bicubic" or "lanczos". Without antialiasing, bilinear and bicubic are the
// point filters, and lanczos is refused.
Filter parse_filter(const std::string& name, bool antialias);

}  // namespace tundish
