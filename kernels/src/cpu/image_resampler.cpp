// Walks an image in strips of columns and, within a strip, down its rows.
//
// Sixteen source rows at a time go through the horizontal pass into a ring; an output row is made and
// normalised as soon as the rows it needs are there, while they are in the cache. A strip is as wide as lets
// its buffers stay small, so that a tall image squeezed into one row, or a wide window, cannot ask for memory
// without bound.
#include "image_resampler.h"

#include <algorithm>

#include "scratch.h"

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

// Writes the pairs of bytes that row_kernels.h tells of.
void write_short_weights(const std::int32_t* coefficients, std::size_t count, std::uint16_t* pairs) {
    constexpr int kUnit = kCoefficientBits - kShortBits;
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < count; ++k) {
        const std::int32_t weight = coefficients[k] >> kUnit;
        sum += weight;
        // A single weight of one is left out, too: the loops' weights are signed bytes.
        if (weight < 0 || weight > 127 || coefficients[k] != weight << kUnit || sum > 1 << kShortBits) {
            pairs[0] = kNotShort;
            return;
        }
        pairs[k / 2] = static_cast<std::uint16_t>(k % 2 == 0 ? weight : pairs[k / 2] | weight << 8);
    }
}

// The difference of any two neighbours, or 0 if there is no such.
std::int32_t common_step(const std::vector<std::int32_t>& values) {
    const std::int32_t step = values.size() < 2 ? 0 : values[1] - values[0];
    for (std::size_t i = 2; i < values.size(); ++i) {
        if (values[i] - values[i - 1] != step) {
            return 0;
        }
    }
    return step;
}

}  // namespace

ImageResampler::ImageResampler(const RowKernels& kernels, PixelFormat format, Filter filter,
                               const Normalization& normalization, const Destination& destination)
    : kernels_(kernels),
      filter_(filter),
      destination_(destination),
      output_rows_(kernels.store, destination.format, normalization,
                   format == PixelFormat::bgr ? ChannelOrder::bgr : ChannelOrder::rgb, destination.height,
                   destination.width),
      rgb_rows_(kernels.convert, format) {}

void ImageResampler::run(const ImageView& image, const Region& region, const Window& window,
                         std::size_t index) {
    const std::int64_t height = destination_.height;
    const std::int64_t width = destination_.width;
    const Rectangle visible{std::clamp<std::int64_t>(-window.top, 0, height),
                            std::clamp<std::int64_t>(window.resized_height - window.top, 0, height),
                            std::clamp<std::int64_t>(-window.left, 0, width),
                            std::clamp<std::int64_t>(window.resized_width - window.left, 0, width)};
    auto* const output = static_cast<std::uint8_t*>(destination_.data) + index * output_rows_.image_bytes();
    output_rows_.pad(visible, output);
    if (visible.top == visible.bottom || visible.left == visible.right) {
        return;
    }
    const Job job{
        image,
        region,
        visible,
        {region.height, window.resized_height, visible.top + window.top, visible.bottom + window.top},
        {region.width, window.resized_width, visible.left + window.left, visible.right + window.left},
        output};
    const bool unchanged = region.height == window.resized_height && region.width == window.resized_width;
    if (filter_ == Filter::nearest || unchanged) {
        gather(job, nearest_axis(job.rows), nearest_axis(job.columns));
    } else if (filter_ == Filter::bilinear_point) {
        interpolate(job);
    } else {
        resample(job);
    }
}

// Takes pixels without arithmetic.
void ImageResampler::gather(const Job& job, const std::vector<std::int32_t>& rows,
                            const std::vector<std::int32_t>& columns) {
    const std::size_t length = columns.size();
    std::vector<std::int32_t> offsets(columns);
    for (std::int32_t& offset : offsets) {
        offset -= columns.front();
    }
    const std::int32_t step = common_step(columns);
    rgb_rows_.select(job.image, job.region, columns.front(), columns.back() + 1);
    std::uint8_t* const planes = row_.reserve(3 * length);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        kernels_.sample.gather(rgb_rows_.row(rows[i]), offsets.data(), length, step, planes, length);
        write(job, planes, length, length, i, 0);
    }
}

// Blends two rows over their whole width, then pairs of its columns.
void ImageResampler::interpolate(const Job& job) {
    const LinearAxis rows = linear_axis(job.rows, kRowWeightBits, (1 << kRowWeightBits) - 1);
    LinearAxis columns = linear_axis(job.columns, kColumnWeightBits, 1 << kColumnWeightBits);
    if (!rows.interpolates && !columns.interpolates) {  // such as a third of the size
        gather(job, rows.first, columns.first);
        return;
    }
    const std::size_t length = columns.first.size();
    const std::int32_t begin = columns.first.front();
    const std::int32_t end = columns.first.back() + (columns.weights.back() == 0 ? 1 : 2);
    std::vector<std::int32_t> weights(length);
    for (std::size_t i = 0; i < length; ++i) {
        columns.first[i] -= begin;
        weights[i] = column_weights(columns.weights[i]);
    }
    rgb_rows_.select(job.image, job.region, begin, end);
    const auto size = 3 * static_cast<std::size_t>(end - begin);
    std::int16_t* const blended = blended_.reserve(size + kBlendSlack);
    std::uint8_t* const planes = row_.reserve(3 * length);
    for (std::size_t i = 0; i < rows.first.size(); ++i) {
        const std::uint8_t* const upper = rgb_rows_.row(rows.first[i]);
        const std::uint8_t* const lower = rows.weights[i] == 0 ? upper : rgb_rows_.row(rows.first[i] + 1);
        kernels_.sample.blend(upper, lower, rows.weights[i], size, blended);
        kernels_.sample.interpolate(blended, columns.first.data(), weights.data(), length, planes, length);
        write(job, planes, length, length, i, 0);
    }
}

void ImageResampler::resample(const Job& job) {
    const ResampleAxis& vertical = vertical_.get(job.rows, filter_).axis;
    const ResampleAxis& horizontal = horizontal_.get(job.columns, filter_).axis;
    const std::size_t total = horizontal.first.size();
    const std::size_t width = strip_width(vertical, horizontal);
    for (std::size_t begin = 0; begin < total; begin += width) {
        resample_strip(job, begin, std::min(width, total - begin));
    }
}

void ImageResampler::resample_strip(const Job& job, std::size_t begin, std::size_t length) {
    const ResampleAxis& vertical = vertical_.axis;
    const ResampleAxis& horizontal = horizontal_.axis;
    const auto taps = static_cast<std::size_t>(horizontal.taps);
    const AxisSlice slice{&horizontal.first[begin],
                          &horizontal.count[begin],
                          &horizontal.coefficients[begin * taps],
                          taps,
                          &horizontal_.short_weights[begin * horizontal_.pairs],
                          horizontal_.pairs,
                          length};
    const std::size_t plane_stride = round_up(length);
    const std::size_t capacity = ring_capacity(vertical);
    const std::size_t source = source_length(horizontal, begin, length);
    std::uint8_t* const columns = columns_.reserve(source * 3 * kBlock + kColumnsSlack);
    const RowRing ring{ring_.reserve(capacity * 3 * plane_stride), capacity - 1, 3 * plane_stride};
    std::uint8_t* const row = row_.reserve(3 * plane_stride);
    rgb_rows_.select(job.image, job.region, slice.first[0],
                     slice.first[0] + static_cast<std::int64_t>(source));

    const std::int64_t source_end = vertical.first.back() + vertical.count.back();
    std::int64_t ready = vertical.first.front();  // source rows before this are in the ring
    for (std::size_t i = 0; i < vertical.first.size(); ++i) {
        for (; ready < vertical.first[i] + vertical.count[i]; ready += kBlock) {
            const std::uint8_t* sources[kBlock];
            std::uint8_t* targets[kBlock];
            for (std::size_t k = 0; k < kBlock; ++k) {
                const std::int64_t index = ready + static_cast<std::int64_t>(k);
                sources[k] = rgb_rows_.row(std::min(index, source_end - 1));
                targets[k] = ring.data + (static_cast<std::size_t>(index) & ring.mask) * ring.stride;
            }
            kernels_.resample_columns(sources, slice, columns, targets, plane_stride);
        }
        const RowWeights weights{static_cast<std::size_t>(vertical.first[i]),
                                 static_cast<std::size_t>(vertical.count[i]),
                                 &vertical.coefficients[i * static_cast<std::size_t>(vertical.taps)],
                                 &vertical_.short_weights[i * vertical_.pairs]};
        kernels_.resample_rows(ring, weights, 3 * plane_stride, row);
        write(job, row, plane_stride, length, i, begin);
    }
}

// `row` and `column` are counted from the first that the window shows.
void ImageResampler::write(const Job& job, const std::uint8_t* planes, std::size_t plane_stride,
                           std::size_t length, std::size_t row, std::size_t column) const {
    output_rows_.write(planes, plane_stride, length, job.visible.top + static_cast<std::int64_t>(row),
                       job.visible.left + static_cast<std::int64_t>(column), job.output);
}

const ImageResampler::CachedAxis& ImageResampler::CachedAxis::get(const Span& wanted, Filter filter) {
    if (!(span == wanted)) {
        axis = ResampleAxis();
        axis = resample_axis(wanted, filter);
        const auto taps = static_cast<std::size_t>(axis.taps);
        pairs = (taps + 1) / 2;
        short_weights.resize(axis.first.size() * pairs);
        for (std::size_t i = 0; i < axis.first.size(); ++i) {
            write_short_weights(&axis.coefficients[i * taps], static_cast<std::size_t>(axis.count[i]),
                                &short_weights[i * pairs]);
        }
        span = wanted;
    }
    return *this;
}

}  // namespace tundish
