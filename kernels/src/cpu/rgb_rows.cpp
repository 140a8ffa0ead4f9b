// Chooses the conversion of a row and where its bytes are.
#include "rgb_rows.h"

#include <algorithm>

#include "pixel_format.h"
#include "scratch.h"

namespace tundish {
namespace {

bool is_converted(PixelFormat format) { return format != PixelFormat::rgb && format != PixelFormat::bgr; }

bool shares_chroma(PixelFormat format) {
    return format == PixelFormat::nv12 || format == PixelFormat::i420 || format == PixelFormat::yuyv ||
           format == PixelFormat::uyvy;
}

}  // namespace

void RgbRows::select(const ImageView& image, const Region& region, std::int64_t begin, std::int64_t end) {
    image_ = image;
    top_ = region.y;
    begin_ = region.x + begin;
    end_ = region.x + end;
    skip_ = 0;
    if (shares_chroma(format_)) {
        skip_ = begin_ % 2;
        begin_ -= skip_;
        end_ += end_ % 2;  // stays inside, since the width is even
    }
    std::fill(held_, held_ + kBlock, -1);
    if (is_converted(format_)) {
        slots_.reserve(kBlock * 3 * static_cast<std::size_t>(end_ - begin_));
    }
}

const std::uint8_t* RgbRows::row(std::int64_t y) {
    y += top_;
    if (!is_converted(format_)) {
        return plane_row(0, y) + 3 * begin_;
    }
    const auto slot = static_cast<std::size_t>(y) % kBlock;
    std::uint8_t* const rgb = slots_.data() + slot * 3 * static_cast<std::size_t>(end_ - begin_);
    if (held_[slot] != y) {
        convert(y, rgb);
        held_[slot] = y;
    }
    return rgb + 3 * skip_;
}

void RgbRows::convert(std::int64_t y, std::uint8_t* rgb) const {
    const auto length = static_cast<std::size_t>(end_ - begin_);
    switch (format_) {
        case PixelFormat::grey:
            kernels_.grey(plane_row(0, y) + begin_, length, rgb);
            break;
        case PixelFormat::nv12:
            kernels_.nv12(plane_row(0, y) + begin_, plane_row(1, y / 2) + begin_, nullptr, length, rgb);
            break;
        case PixelFormat::i420:
            kernels_.i420(plane_row(0, y) + begin_, plane_row(1, y / 2) + begin_ / 2,
                          plane_row(2, y / 2) + begin_ / 2, length, rgb);
            break;
        case PixelFormat::yuyv:
            kernels_.yuyv(plane_row(0, y) + 2 * begin_, nullptr, nullptr, length, rgb);
            break;
        case PixelFormat::uyvy:
            kernels_.uyvy(plane_row(0, y) + 2 * begin_, nullptr, nullptr, length, rgb);
            break;
        default:
            convert_bayer(y, rgb);
            break;
    }
}

// The outermost pixels have no neighbours to interpolate with: they repeat those inside.
void RgbRows::convert_bayer(std::int64_t y, std::uint8_t* rgb) const {
    const std::int64_t inner_y = std::clamp<std::int64_t>(y, 1, image_.height - 2);
    const std::int64_t inner_begin = std::clamp<std::int64_t>(begin_, 1, image_.width - 2);
    const std::int64_t inner_end = std::clamp<std::int64_t>(end_, inner_begin + 1, image_.width - 1);
    const BayerRow kind = bayer_row(first_bayer_row(format_), inner_y % 2 != 0, inner_begin % 2 != 0);

    const std::uint8_t* const rows[3] = {plane_row(0, inner_y - 1) + inner_begin - 1,
                                         plane_row(0, inner_y) + inner_begin - 1,
                                         plane_row(0, inner_y + 1) + inner_begin - 1};
    const std::int64_t length = end_ - begin_;
    const std::int64_t before = std::clamp<std::int64_t>(inner_begin - begin_, 0, length - 1);
    const std::int64_t count = inner_end - inner_begin;
    std::uint8_t* const inner = rgb + 3 * before;
    kernels_.bayer(rows, kind, static_cast<std::size_t>(count), inner);
    if (before > 0) {
        std::copy(inner, inner + 3, rgb);
    }
    if (before + count < length) {
        std::uint8_t* const last = rgb + 3 * (length - 1);
        std::copy(last - 3, last, last);
    }
}

}  // namespace tundish
