// Prepares what each pixel value becomes, and finds where the elements of a row go.
#include "output_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tundish {
namespace {

Channel make_channel(const NormalizePixel& normalize, const OutputFormat& format) {
    Channel channel;
    channel.normalize = normalize;
    channel.keeps_pixels = true;
    const bool is_signed = format.type == ElementType::int8;
    const Quantize quantize{static_cast<float>(format.scale), static_cast<std::int32_t>(format.zero_point),
                            is_signed ? -128 : 0, is_signed ? 127 : 255};
    for (int pixel = 0; pixel < 256; ++pixel) {
        const float value = normalize(static_cast<std::uint8_t>(pixel));
        switch (format.type) {
            case ElementType::float32:
                channel.floats[pixel] = value;
                break;
            case ElementType::float16:
                channel.halves[pixel] = float_to_half(value);
                break;
            default:
                channel.bytes[pixel] = static_cast<std::uint8_t>(quantize(value));
                channel.keeps_pixels = channel.keeps_pixels && channel.bytes[pixel] == pixel;
                break;
        }
    }
    return channel;
}

// Fills `size` bytes with repetitions of the first `filled`.
void repeat(std::uint8_t* data, std::size_t filled, std::size_t size) {
    while (filled < size) {
        const std::size_t more = std::min(filled, size - filled);
        std::memcpy(data + filled, data, more);
        filled += more;
    }
}

const void* element_of(const Channel& channel, ElementType type, std::int64_t pixel) {
    switch (type) {
        case ElementType::float32:
            return &channel.floats[pixel];
        case ElementType::float16:
            return &channel.halves[pixel];
        default:
            return &channel.bytes[pixel];
    }
}

}  // namespace

NormalizePixel make_normalize(const Normalization& normalization, std::size_t channel) {
    const double std = normalization.std[channel];
    return {static_cast<float>(normalization.scale / std),
            static_cast<float>(-normalization.mean[channel] / std)};
}

OutputRows::OutputRows(const StoreKernels& kernels, const OutputFormat& format,
                       const Normalization& normalization, ChannelOrder source, std::int64_t height,
                       std::int64_t width)
    : kernels_(kernels),
      format_(format),
      reversed_(source != format.order),
      height_(height),
      width_(width),
      size_(element_size(format.type)) {
    for (std::size_t c = 0; c < 3; ++c) {
        channels_[c] = make_channel(make_normalize(normalization, c), format);
        pad_[c] = static_cast<std::uint8_t>(normalization.pad[c]);
    }
}

void OutputRows::make_padding() {
    const std::size_t row_bytes = static_cast<std::size_t>(width_) * size_;
    padding_.resize(3 * row_bytes);
    if (format_.layout == Layout::chw) {
        for (std::size_t c = 0; c < 3; ++c) {
            std::uint8_t* const row = padding_.data() + c * row_bytes;
            std::memcpy(row, element_of(channels_[c], format_.type, pad_[c]), size_);
            repeat(row, size_, row_bytes);
        }
    } else {
        for (std::size_t c = 0; c < 3; ++c) {
            std::memcpy(padding_.data() + c * size_, element_of(channels_[c], format_.type, pad_[c]), size_);
        }
        repeat(padding_.data(), 3 * size_, 3 * row_bytes);
    }
}

void OutputRows::pad(const Rectangle& visible, std::uint8_t* output) {
    if (visible.top == 0 && visible.left == 0 && visible.bottom == height_ && visible.right == width_) {
        return;
    }
    if (padding_.empty()) {
        make_padding();
    }
    pad_rows(0, visible.top, 0, width_, output);
    pad_rows(visible.top, visible.bottom, 0, visible.left, output);
    pad_rows(visible.top, visible.bottom, visible.right, width_, output);
    pad_rows(visible.bottom, height_, 0, width_, output);
}

void OutputRows::pad_rows(std::int64_t begin, std::int64_t end, std::int64_t left, std::int64_t right,
                          std::uint8_t* output) const {
    const bool planar = format_.layout == Layout::chw;
    const std::size_t pixel_bytes = (planar ? 1 : 3) * size_;
    const std::size_t row_bytes = static_cast<std::size_t>(width_) * pixel_bytes;
    const std::size_t first = static_cast<std::size_t>(left) * pixel_bytes;
    const std::size_t bytes = static_cast<std::size_t>(right - left) * pixel_bytes;
    if (bytes == 0) {
        return;
    }
    for (std::int64_t c = 0; c < (planar ? 3 : 1); ++c) {
        const std::uint8_t* const source = padding_.data() + static_cast<std::size_t>(c) * row_bytes + first;
        for (std::int64_t y = begin; y < end; ++y) {
            std::memcpy(output + static_cast<std::size_t>(c * height_ + y) * row_bytes + first, source,
                        bytes);
        }
    }
}

void OutputRows::write(const std::uint8_t* planes, std::size_t plane_stride, std::size_t length,
                       std::int64_t y, std::int64_t x, std::uint8_t* output) const {
    const std::uint8_t* pixels[3] = {planes, planes + plane_stride, planes + 2 * plane_stride};
    if (reversed_) {
        std::swap(pixels[0], pixels[2]);
    }
    switch (format_.type) {
        case ElementType::float32:
            store(kernels_.floats, pixels, length, y, x, reinterpret_cast<float*>(output));
            break;
        case ElementType::float16:
            store(kernels_.halves, pixels, length, y, x, reinterpret_cast<std::uint16_t*>(output));
            break;
        default:
            store(kernels_.bytes, pixels, length, y, x, output);
            break;
    }
}

template <typename Element>
void OutputRows::store(const StoreRow<Element>& kernels, const std::uint8_t* const pixels[3],
                       std::size_t length, std::int64_t y, std::int64_t x, Element* output) const {
    if (format_.layout == Layout::hwc) {
        kernels.interleaved(pixels, length, channels_, output + 3 * (y * width_ + x));
        return;
    }
    for (std::int64_t c = 0; c < 3; ++c) {
        kernels.planar(pixels[c], length, channels_[c], output + (c * height_ + y) * width_ + x);
    }
}

}  // namespace tundish
