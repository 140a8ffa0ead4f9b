// Walks an image in strips of columns and, within a strip, down its rows.
//
// Sixteen source rows at a time go through the horizontal pass into a ring; an output row is made and
// normalised as soon as the rows it needs are there, while they are in the cache. A strip is as wide as lets
// its buffers stay small, so that a tall image squeezed into one row, or a wide window, cannot ask for memory
// without bound.
#include "image_resampler.h"

#include <algorithm>

namespace tundish {
namespace {

// Bytes that the ring, and apart from it the transposed rows, of a strip may take; half of a common
// second-level cache. A strip of kBlock columns, the narrowest, may exceed it.
constexpr std::size_t kStripBytes = 256 * 1024;

std::size_t round_up(std::size_t value) { return (value + kBlock - 1) / kBlock * kBlock; }

// Rows a ring must hold: the tallest filter, and what a block of new rows may bring before they are needed.
std::size_t ring_capacity(const ResampleAxis& vertical) {
    std::size_t capacity = 1;
    while (capacity < static_cast<std::size_t>(vertical.taps) + kBlock) {
        capacity *= 2;  // so that wrapping is a mask
    }
    return capacity;
}

// Source pixels that resized pixels [begin, begin + length) need.
std::size_t source_length(const ResampleAxis& axis, std::size_t begin, std::size_t length) {
    const std::size_t last = begin + length - 1;
    return static_cast<std::size_t>(axis.first[last] + axis.count[last] - axis.first[begin]);
}

std::size_t strip_width(const ResampleAxis& vertical, const ResampleAxis& horizontal) {
    const std::size_t length = horizontal.first.size();
    const std::size_t by_ring = kStripBytes / (3 * ring_capacity(vertical));
    const std::size_t by_columns = kStripBytes * length / (3 * kBlock * source_length(horizontal, 0, length));
    const std::size_t width = std::min({round_up(length), by_ring, by_columns});
    return std::max(kBlock, width / kBlock * kBlock);
}

// Never shrinks, so that a batch allocates as much as its largest image.
std::uint8_t* at_least(std::vector<std::uint8_t>& buffer, std::size_t size) {
    if (buffer.size() < size) {
        buffer = std::vector<std::uint8_t>();  // first frees what growing would copy
        buffer.resize(size);
    }
    return buffer.data();
}

}  // namespace

NormalizePixel make_normalize(const Normalization& normalization, std::size_t channel) {
    const double std = normalization.std[channel];
    return {static_cast<float>(normalization.scale / std),
            static_cast<float>(-normalization.mean[channel] / std)};
}

ImageResampler::ImageResampler(const RowKernels& kernels, Filter filter, const Normalization& normalization,
                               std::int64_t height, std::int64_t width)
    : kernels_(kernels), filter_(filter), height_(height), width_(width) {
    for (std::size_t c = 0; c < 3; ++c) {
        const NormalizePixel normalize = make_normalize(normalization, c);
        channels_[c].normalize = normalize;
        for (int pixel = 0; pixel < 256; ++pixel) {
            channels_[c].table[pixel] = normalize(static_cast<std::uint8_t>(pixel));
        }
        padding_[c] = channels_[c].table[normalization.pad];
    }
}

void ImageResampler::run(const ImageView& image, const Window& window, float* output) {
    const Visible visible = visible_part(window);
    fill_padding(visible, output);
    if (visible.top == visible.bottom || visible.left == visible.right) {
        return;
    }
    const bool unchanged = image.height == window.resized_height && image.width == window.resized_width;
    if (filter_ == Filter::nearest || unchanged) {
        gather(image, window, visible, output);
    } else {
        resample(image, window, visible, output);
    }
}

ImageResampler::Visible ImageResampler::visible_part(const Window& window) const {
    return {std::clamp<std::int64_t>(-window.top, 0, height_),
            std::clamp<std::int64_t>(window.resized_height - window.top, 0, height_),
            std::clamp<std::int64_t>(-window.left, 0, width_),
            std::clamp<std::int64_t>(window.resized_width - window.left, 0, width_)};
}

void ImageResampler::fill_padding(const Visible& visible, float* output) const {
    for (int c = 0; c < 3; ++c) {
        float* const plane = output + c * height_ * width_;
        std::fill(plane, plane + visible.top * width_, padding_[c]);
        for (std::int64_t y = visible.top; y < visible.bottom; ++y) {
            float* const row = plane + y * width_;
            std::fill(row, row + visible.left, padding_[c]);
            std::fill(row + visible.right, row + width_, padding_[c]);
        }
        std::fill(plane + visible.bottom * width_, plane + height_ * width_, padding_[c]);
    }
}

// Copies pixels without arithmetic: the nearest filter, and images that already have their size.
void ImageResampler::gather(const ImageView& image, const Window& window, const Visible& visible,
                            float* output) {
    const auto rows = nearest_axis(
        {image.height, window.resized_height, visible.top + window.top, visible.bottom + window.top});
    const auto columns = nearest_axis(
        {image.width, window.resized_width, visible.left + window.left, visible.right + window.left});
    const std::size_t length = columns.size();
    std::uint8_t* const planes = at_least(row_, 3 * length);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::uint8_t* const row = image.data + rows[i] * image.row_stride;
        for (std::size_t x = 0; x < length; ++x) {
            const std::uint8_t* const pixel = row + 3 * static_cast<std::ptrdiff_t>(columns[x]);
            planes[x] = pixel[0];
            planes[length + x] = pixel[1];
            planes[2 * length + x] = pixel[2];
        }
        normalize(planes, length, length, visible.top + static_cast<std::int64_t>(i), visible.left, output);
    }
}

void ImageResampler::resample(const ImageView& image, const Window& window, const Visible& visible,
                              float* output) {
    const ResampleAxis& vertical = vertical_.get(
        {image.height, window.resized_height, visible.top + window.top, visible.bottom + window.top},
        filter_);
    const ResampleAxis& horizontal = horizontal_.get(
        {image.width, window.resized_width, visible.left + window.left, visible.right + window.left},
        filter_);
    const std::size_t total = horizontal.first.size();
    const std::size_t width = strip_width(vertical, horizontal);
    for (std::size_t begin = 0; begin < total; begin += width) {
        resample_strip(image, visible, begin, std::min(width, total - begin), output);
    }
}

void ImageResampler::resample_strip(const ImageView& image, const Visible& visible, std::size_t begin,
                                    std::size_t length, float* output) {
    const ResampleAxis& vertical = vertical_.axis;
    const ResampleAxis& horizontal = horizontal_.axis;
    const auto taps = static_cast<std::size_t>(horizontal.taps);
    const AxisSlice slice{&horizontal.first[begin], &horizontal.count[begin],
                          &horizontal.coefficients[begin * taps], taps, length};
    const std::size_t plane_stride = round_up(length);
    const std::size_t capacity = ring_capacity(vertical);
    std::uint8_t* const columns = at_least(columns_, source_length(horizontal, begin, length) * 3 * kBlock);
    const RowRing ring{at_least(ring_, capacity * 3 * plane_stride), capacity - 1, 3 * plane_stride};
    std::uint8_t* const row = at_least(row_, 3 * plane_stride);

    const std::int64_t source_end = vertical.first.back() + vertical.count.back();
    std::int64_t ready = vertical.first.front();  // source rows before this are in the ring
    for (std::size_t i = 0; i < vertical.first.size(); ++i) {
        for (; ready < vertical.first[i] + vertical.count[i]; ready += kBlock) {
            const std::uint8_t* sources[kBlock];
            std::uint8_t* targets[kBlock];
            for (std::size_t k = 0; k < kBlock; ++k) {
                const std::int64_t index = ready + static_cast<std::int64_t>(k);
                sources[k] = image.data + std::min(index, source_end - 1) * image.row_stride;
                targets[k] = ring.data + (static_cast<std::size_t>(index) & ring.mask) * ring.stride;
            }
            kernels_.resample_columns(sources, slice, columns, targets, plane_stride);
        }
        kernels_.resample_rows(ring, static_cast<std::size_t>(vertical.first[i]),
                               &vertical.coefficients[i * static_cast<std::size_t>(vertical.taps)],
                               static_cast<std::size_t>(vertical.count[i]), 3 * plane_stride, row);
        normalize(row, plane_stride, length, visible.top + static_cast<std::int64_t>(i),
                  visible.left + static_cast<std::int64_t>(begin), output);
    }
}

// Writes `length` pixels of all three channels from output pixel (y, x) on.
void ImageResampler::normalize(const std::uint8_t* planes, std::size_t plane_stride, std::size_t length,
                               std::int64_t y, std::int64_t x, float* output) const {
    for (int c = 0; c < 3; ++c) {
        kernels_.normalize_row(planes + static_cast<std::size_t>(c) * plane_stride, length, channels_[c],
                               output + (c * height_ + y) * width_ + x);
    }
}

const ResampleAxis& ImageResampler::CachedAxis::get(const Span& wanted, Filter filter) {
    if (!(span == wanted)) {
        axis = ResampleAxis();
        axis = resample_axis(wanted, filter);
        span = wanted;
    }
    return axis;
}

}  // namespace tundish
