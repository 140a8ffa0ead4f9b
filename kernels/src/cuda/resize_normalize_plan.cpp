// The weights are the CPU form's own, since no GPU computes a sine to the same bit.
#include "resize_normalize_plan.h"

#include <algorithm>

#include "../cpu/output_rows.h"
#include "../cpu/pixel_format.h"
#include "../cpu/resample_axis.h"

namespace tundish::cuda {
namespace {

// Blending a pixel with itself changes no bit.
LinearAxis nearest_as_linear(const Span& span) {
    LinearAxis axis;
    axis.first = nearest_axis(span);
    axis.weights.assign(axis.first.size(), 0);
    return axis;
}

// Integers in the table for each pixel of the axis.
std::int64_t integers_of(const Span& span, Filter filter) {
    return is_point(filter) ? 2 : 2 + resample_taps(span, filter);
}

// The table of weights, as far as it is filled in; `memory` is null while only its size is asked for.
class Table {
  public:
    Table(Filter filter, std::int32_t* memory) : filter_(filter), memory_(memory) {}

    std::int64_t size() const { return size_; }

    // An axis that equals the last one along the same direction is not written again. But its size is
    // counted: a smaller image in its place would not be equal.
    struct Last {
        Span span{};
        AxisTable axis{};
    };

    AxisTable add(const Span& span, bool vertical, Last& last) {
        if (memory_ != nullptr && span == last.span) {
            return last.axis;
        }
        const std::int64_t length = span.end - span.begin;
        last.span = span;
        last.axis = {size_, static_cast<std::int32_t>(length)};
        if (memory_ != nullptr) {
            write(span, vertical);
        }
        size_ += length * integers_of(span, filter_);
        return last.axis;
    }

  private:
    void write(const Span& span, bool vertical) {
        if (filter_ == Filter::nearest) {
            write(nearest_as_linear(span));
        } else if (!is_point(filter_)) {
            write(resample_axis(span, filter_));
        } else if (vertical) {
            write(linear_axis(span, kRowWeightBits, (1 << kRowWeightBits) - 1));
        } else {
            write(linear_axis(span, kColumnWeightBits, 1 << kColumnWeightBits));
        }
    }

    void write(const LinearAxis& axis) {
        std::int32_t* const output = memory_ + size_;
        std::copy(axis.first.begin(), axis.first.end(), output);
        std::copy(axis.weights.begin(), axis.weights.end(), output + axis.first.size());
    }

    void write(const ResampleAxis& axis) {
        const std::size_t length = axis.first.size();
        const auto taps = static_cast<std::size_t>(axis.taps);
        std::int32_t* const output = memory_ + size_;
        std::copy(axis.first.begin(), axis.first.end(), output);
        std::copy(axis.count.begin(), axis.count.end(), output + length);
        for (std::size_t i = 0; i < length; ++i) {
            for (std::size_t k = 0; k < taps; ++k) {
                output[(2 + k) * length + i] = axis.coefficients[i * taps + k];
            }
        }
    }

    Filter filter_;
    std::int32_t* memory_;
    std::int64_t size_ = 0;
};

// How the samples of a format lie in the planes of its images: `begins` says where the first of planes 0 to 2
// of an ImageTask is, as a plane of the image and an offset in bytes.
struct SampleLayout {
    PixelSource source;
    struct {
        int plane, offset;
    } begins[3];
};

SampleLayout sample_layout(PixelFormat format) {
    switch (format) {
        case PixelFormat::rgb:
        case PixelFormat::bgr:
            return {{SourceKind::interleaved, 0, 0, 0, {}}, {}};
        case PixelFormat::grey:
            return {{SourceKind::grey, 0, 0, 0, {}}, {}};
        case PixelFormat::nv12:
            return {{SourceKind::yuv, 1, 2, 1, {}}, {{0, 0}, {1, 0}, {1, 1}}};
        case PixelFormat::i420:
            return {{SourceKind::yuv, 1, 1, 1, {}}, {{0, 0}, {1, 0}, {2, 0}}};
        case PixelFormat::yuyv:
            return {{SourceKind::yuv, 2, 4, 0, {}}, {{0, 0}, {0, 1}, {0, 3}}};
        case PixelFormat::uyvy:
            return {{SourceKind::yuv, 2, 4, 0, {}}, {{0, 1}, {0, 0}, {0, 2}}};
        default:
            return {{SourceKind::bayer, 0, 0, 0, first_bayer_row(format)}, {}};
    }
}

void place_frame(const ImageView& frame, const SampleLayout& layout, ImageTask& task) {
    for (int i = 0; i < 3; ++i) {
        const Plane& plane = frame.planes[layout.begins[i].plane];
        task.planes[i] = {plane.data + layout.begins[i].offset, plane.row_stride};
    }
    task.frame_height = static_cast<std::int32_t>(frame.height);
    task.frame_width = static_cast<std::int32_t>(frame.width);
}

// Walks through the batch and writes all of `tasks`, which may be null, but the frames. Returns the number of
// integers in the table.
std::int64_t fill(const ResizeNormalizeBatch& batch, ImageTask* tasks, std::int32_t* memory) {
    Table table(batch.filter, memory);
    Table::Last vertical, horizontal;
    for (std::size_t i = 0; i < batch.count; ++i) {
        const Region region = batch.region(i);
        const Window& window = batch.windows[i];
        const auto top = std::clamp<std::int64_t>(-window.top, 0, batch.height);
        const auto bottom = std::clamp<std::int64_t>(window.resized_height - window.top, 0, batch.height);
        const auto left = std::clamp<std::int64_t>(-window.left, 0, batch.width);
        const auto right = std::clamp<std::int64_t>(window.resized_width - window.left, 0, batch.width);
        ImageTask task{};
        if (top < bottom && left < right) {
            task.vertical =
                table.add({region.height, window.resized_height, top + window.top, bottom + window.top}, true,
                          vertical);
            task.horizontal =
                table.add({region.width, window.resized_width, left + window.left, right + window.left},
                          false, horizontal);
        }
        if (tasks != nullptr) {
            task.y = static_cast<std::int32_t>(region.y);
            task.x = static_cast<std::int32_t>(region.x);
            task.top = static_cast<std::int32_t>(top);
            task.bottom = static_cast<std::int32_t>(bottom);
            task.left = static_cast<std::int32_t>(left);
            task.right = static_cast<std::int32_t>(right);
            tasks[i] = task;
        }
    }
    return table.size();
}

}  // namespace

bool is_point(Filter filter) { return filter == Filter::nearest || filter == Filter::bilinear_point; }

std::size_t plan_bytes(const ResizeNormalizeBatch& batch) {
    return batch.count * sizeof(ImageTask) +
           static_cast<std::size_t>(fill(batch, nullptr, nullptr)) * sizeof(std::int32_t);
}

Plan write_plan(const ResizeNormalizeBatch& batch, PixelFormat format, const Destination& destination,
                const Normalization& normalization, void* host, const void* device) {
    auto* const tasks = static_cast<ImageTask*>(host);
    const std::int64_t integers = fill(batch, tasks, reinterpret_cast<std::int32_t*>(tasks + batch.count));
    const SampleLayout layout = sample_layout(format);
    for (std::size_t i = 0; i < batch.count; ++i) {
        place_frame(batch.image(i), layout, tasks[i]);
    }
    const auto* const tasks_there = static_cast<const ImageTask*>(device);
    const OutputFormat& output = destination.format;
    const bool planar = output.layout == Layout::chw;
    const bool is_signed = output.type == ElementType::int8;

    ResizeNormalizeArguments arguments{};
    arguments.output = destination.data;
    arguments.element_type = static_cast<std::int32_t>(output.type);
    arguments.height = static_cast<std::int32_t>(batch.height);
    arguments.width = static_cast<std::int32_t>(batch.width);
    arguments.pixel_stride = planar ? 1 : 3;
    arguments.channel_stride = planar ? batch.height * batch.width : 1;
    arguments.reversed = (format == PixelFormat::bgr) != (output.order == ChannelOrder::bgr);
    arguments.source = layout.source;
    arguments.images = tasks_there;
    arguments.table = reinterpret_cast<const std::int32_t*>(tasks_there + batch.count);
    for (std::size_t c = 0; c < 3; ++c) {
        arguments.normalize[c] = make_normalize(normalization, c);
        arguments.pad[c] = static_cast<std::uint8_t>(normalization.pad[c]);
    }
    arguments.quantize = {static_cast<float>(output.scale), static_cast<std::int32_t>(output.zero_point),
                          is_signed ? -128 : 0, is_signed ? 127 : 255};
    return {arguments,
            batch.count * sizeof(ImageTask) + static_cast<std::size_t>(integers) * sizeof(std::int32_t)};
}

LaunchSize grid_of(const ResizeNormalizeBatch& batch) {
    const int height = is_point(batch.filter) ? kThreadRows : kTileHeight;
    return {static_cast<unsigned>((batch.width + kTileWidth - 1) / kTileWidth),
            static_cast<unsigned>((batch.height + height - 1) / height), static_cast<unsigned>(batch.count)};
}

}  // namespace tundish::cuda
