// Images of random bytes in every pixel format, for drivers of the image operators.
#pragma once

#include <cstdint>
#include <vector>

#include "tundish/image.h"

namespace {

using tundish::ImageView;
using tundish::PixelFormat;
using tundish::Plane;

constexpr PixelFormat kFormats[] = {PixelFormat::rgb,        PixelFormat::bgr,        PixelFormat::grey,
                                    PixelFormat::nv12,       PixelFormat::i420,       PixelFormat::yuyv,
                                    PixelFormat::uyvy,       PixelFormat::bayer_rggb, PixelFormat::bayer_bggr,
                                    PixelFormat::bayer_grbg, PixelFormat::bayer_gbrg};

// An image of its own allocations, exactly as large as the contract says, each plane upside down or with
// bytes between rows.
class RandomImage {
  public:
    // The size is rounded up to what the format takes. `random` gives numbers of 24 bits.
    RandomImage(PixelFormat format, std::int64_t height, std::int64_t width, std::uint32_t (*random)())
        : random_(random) {
        const bool even_height = format == PixelFormat::nv12 || format == PixelFormat::i420;
        const bool even_width = even_height || format == PixelFormat::yuyv || format == PixelFormat::uyvy;
        const bool bayer = format >= PixelFormat::bayer_rggb;
        view_.height = even_height ? height + height % 2 : (bayer && height < 3 ? 3 : height);
        view_.width = even_width ? width + width % 2 : (bayer && width < 3 ? 3 : width);
        const bool packed = format == PixelFormat::yuyv || format == PixelFormat::uyvy;
        const std::int64_t bytes = format <= PixelFormat::bgr ? 3 : (packed ? 2 : 1);
        add_plane(0, view_.height, bytes * view_.width);
        if (format == PixelFormat::nv12) {
            add_plane(1, view_.height / 2, view_.width);
        } else if (format == PixelFormat::i420) {
            add_plane(1, view_.height / 2, view_.width / 2);
            add_plane(2, view_.height / 2, view_.width / 2);
        }
    }

    // A copy's view would be of the original's memory.
    RandomImage(RandomImage&&) = default;
    RandomImage& operator=(RandomImage&&) = default;

    const ImageView& view() const { return view_; }

  private:
    void add_plane(int index, std::int64_t rows, std::int64_t bytes) {
        const auto gap = static_cast<std::int64_t>(random_() % 3) - 1;
        const std::int64_t pitch = bytes + (gap > 0 ? gap : 0);
        std::vector<std::uint8_t>& memory = memory_[index];
        memory.resize(static_cast<std::size_t>(pitch * (rows - 1) + bytes));
        for (std::uint8_t& byte : memory) {
            byte = static_cast<std::uint8_t>(random_());
        }
        view_.planes[index] =
            gap < 0 ? Plane{memory.data() + pitch * (rows - 1), -pitch} : Plane{memory.data(), pitch};
    }

    std::uint32_t (*random_)();
    ImageView view_{};
    std::vector<std::uint8_t> memory_[3];
};

}  // namespace
