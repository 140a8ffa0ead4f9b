// The planes of each pixel format, and the names of the formats and options.
#include "pixel_format.h"

#include <utility>

#include "arguments.h"

namespace tundish {
namespace {

template <typename Value, std::size_t kCount>
Value parse(const std::string& argument, const std::string& name,
            const std::pair<const char*, Value> (&values)[kCount]) {
    std::string names;
    for (std::size_t i = 0; i < kCount; ++i) {
        if (name == values[i].first) {
            return values[i].second;
        }
        names += (i == 0 ? "'" : (i + 1 == kCount ? "' or '" : "', '")) + std::string(values[i].first);
    }
    reject(argument + " must be " + names + "'", "'" + name + "'");
}

}  // namespace

int plane_count(PixelFormat format) {
    return format == PixelFormat::i420 ? 3 : (format == PixelFormat::nv12 ? 2 : 1);
}

PlaneSize plane_size(PixelFormat format, int plane, std::int64_t height, std::int64_t width) {
    switch (format) {
        case PixelFormat::rgb:
        case PixelFormat::bgr:
            return {height, 3 * width};
        case PixelFormat::yuyv:
        case PixelFormat::uyvy:
            return {height, 2 * width};
        case PixelFormat::nv12:
            return plane == 0 ? PlaneSize{height, width} : PlaneSize{height / 2, width};
        case PixelFormat::i420:
            return plane == 0 ? PlaneSize{height, width} : PlaneSize{height / 2, width / 2};
        default:
            return {height, width};
    }
}

BayerRow first_bayer_row(PixelFormat format) {
    return {format == PixelFormat::bayer_grbg || format == PixelFormat::bayer_gbrg,
            format == PixelFormat::bayer_rggb || format == PixelFormat::bayer_grbg};
}

void check_image_size(const std::string& name, PixelFormat format, std::int64_t height, std::int64_t width) {
    check_range("the height of " + name, height, 1, kMaximumExtent);
    check_range("the width of " + name, width, 1, kMaximumExtent);
    const std::string got = std::to_string(width) + " x " + std::to_string(height);
    switch (format) {
        case PixelFormat::nv12:
        case PixelFormat::i420:
            if (height % 2 != 0 || width % 2 != 0) {
                reject(name + " must have an even width and height, since four pixels share their chroma",
                       got);
            }
            break;
        case PixelFormat::yuyv:
        case PixelFormat::uyvy:
            if (width % 2 != 0) {
                reject(name + " must have an even width, since two pixels share their chroma", got);
            }
            break;
        case PixelFormat::bayer_rggb:
        case PixelFormat::bayer_bggr:
        case PixelFormat::bayer_grbg:
        case PixelFormat::bayer_gbrg:
            if (height < 3 || width < 3) {
                reject(name + " must have at least 3 x 3 pixels to interpolate a Bayer pattern", got);
            }
            break;
        default:
            break;
    }
}

std::size_t element_size(ElementType type) {
    return type == ElementType::float32 ? 4 : (type == ElementType::float16 ? 2 : 1);
}

PixelFormat parse_pixel_format(const std::string& name) {
    return parse<PixelFormat>("format", name,
                              {{"rgb", PixelFormat::rgb},
                               {"bgr", PixelFormat::bgr},
                               {"grey", PixelFormat::grey},
                               {"nv12", PixelFormat::nv12},
                               {"i420", PixelFormat::i420},
                               {"yuyv", PixelFormat::yuyv},
                               {"uyvy", PixelFormat::uyvy},
                               {"bayer_rggb", PixelFormat::bayer_rggb},
                               {"bayer_bggr", PixelFormat::bayer_bggr},
                               {"bayer_grbg", PixelFormat::bayer_grbg},
                               {"bayer_gbrg", PixelFormat::bayer_gbrg}});
}

ElementType parse_element_type(const std::string& name) {
    return parse<ElementType>("output.dtype", name,
                              {{"float32", ElementType::float32},
                               {"float16", ElementType::float16},
                               {"uint8", ElementType::uint8},
                               {"int8", ElementType::int8}});
}

Layout parse_layout(const std::string& name) {
    return parse<Layout>("output.layout", name, {{"chw", Layout::chw}, {"hwc", Layout::hwc}});
}

ChannelOrder parse_channel_order(const std::string& name) {
    return parse<ChannelOrder>("output.order", name,
                               {{"rgb", ChannelOrder::rgb}, {"bgr", ChannelOrder::bgr}});
}

Filter parse_filter(const std::string& name, bool antialias) {
    const Filter filter = parse<Filter>("filter", name,
                                        {{"nearest", Filter::nearest},
                                         {"bilinear", Filter::bilinear},
                                         {"bicubic", Filter::bicubic},
                                         {"lanczos", Filter::lanczos}});
    if (antialias) {
        return filter;
    }
    switch (filter) {
        case Filter::bilinear:
            return Filter::bilinear_point;
        case Filter::bicubic:
            return Filter::bicubic_point;
        case Filter::lanczos:
            reject("filter must be 'nearest', 'bilinear' or 'bicubic' without antialias", "'lanczos'");
        default:
            return filter;
    }
}

}  // namespace tundish
