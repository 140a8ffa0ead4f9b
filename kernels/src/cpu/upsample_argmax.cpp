// Checks the arguments of upsample_argmax_into and walks the images in strips of columns, down their rows.
//
// The two source rows that an output row lies between are interpolated along the width once for all output
// rows between them. A strip is as wide as lets both rows of all classes stay in a second-level cache.
#include "tundish/upsample_argmax.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "arguments.h"
#include "memory.h"
#include "tundish/bilinear.h"
#include "upsample_argmax_checks.h"
#include "upsample_argmax_loops.h"

namespace tundish {
template <typename Label>
void check_upsample_argmax(const LabelMaps<Label>& destination, const LogitMaps& logits) {
    check_memory("destination", destination.data);
    check_memory("logits", logits.data);
    check_range("the images of logits", logits.batch, 1, INT32_MAX);
    check_range("the images of destination", destination.batch, logits.batch, logits.batch);
    const std::int64_t most =
        std::min<std::int64_t>(kMaximumMaskClasses, std::int64_t{std::numeric_limits<Label>::max()} + 1);
    check_range("the classes of logits", logits.classes, 1, most);
    check_range("the height of logits", logits.height, 1, kMaximumMaskExtent);
    check_range("the width of logits", logits.width, 1, kMaximumMaskExtent);
    check_range("the height of destination", destination.height, 1, kMaximumMaskExtent);
    check_range("the width of destination", destination.width, 1, kMaximumMaskExtent);
    const auto pixels = static_cast<std::size_t>(destination.batch * destination.height * destination.width);
    const auto values =
        static_cast<std::size_t>(logits.batch * logits.classes * logits.height * logits.width);
    check_disjoint("destination", {destination.data, pixels * sizeof(Label)}, "logits",
                   {logits.data, values * sizeof(float)});
}

template void check_upsample_argmax(const LabelMaps<std::uint8_t>&, const LogitMaps&);
template void check_upsample_argmax(const LabelMaps<std::int32_t>&, const LogitMaps&);

namespace {

// Bytes that both rows of all classes may take, unless a strip of kLabelBlock columns takes more.
constexpr std::size_t kRowBytes = 256 * 1024;

// Floats of a cache line.
constexpr std::int32_t kLineFloats = 16;

// The taps of all columns, filled up to a multiple of kLabelBlock with those of the last.
class Columns {
  public:
    Columns(std::int64_t source, std::int64_t output) {
        const auto width = static_cast<std::size_t>(output);
        const std::size_t padded = (width + kLabelBlock - 1) / kLabelBlock * kLabelBlock;
        for (std::size_t x = 0; x < padded; ++x) {
            const Tap tap = bilinear_tap(static_cast<std::int32_t>(std::min(x, width - 1)),
                                         static_cast<std::int32_t>(source), bilinear_scale(source, output));
            first_.push_back(tap.first);
            second_.push_back(tap.second);
            first_weight_.push_back(tap.first_weight);
            second_weight_.push_back(tap.second_weight);
        }
    }

    std::size_t padded() const { return first_.size(); }

    ColumnTaps from(std::size_t column) const {
        return {first_.data() + column, second_.data() + column, first_weight_.data() + column,
                second_weight_.data() + column};
    }

  private:
    std::vector<std::int32_t> first_;
    std::vector<std::int32_t> second_;
    std::vector<float> first_weight_;
    std::vector<float> second_weight_;
};

// One source row of all classes, interpolated along the width of a strip.
struct WideRow {
    std::vector<float> values;
    std::int32_t row = -1;  // none
};

class Upsampler {
  public:
    Upsampler(const LogitMaps& logits, std::int64_t output_width, const UpsampleArgmaxLoops& loops)
        : loops_(loops), logits_(logits), columns_(logits.width, output_width) {
        const auto classes = static_cast<std::size_t>(logits.classes);
        const std::size_t by_bytes = kRowBytes / (2 * sizeof(float) * classes) / kLabelBlock * kLabelBlock;
        strip_ = std::min(columns_.padded(), std::max(by_bytes, kLabelBlock));
        upper_.values.resize(classes * strip_);
        lower_.values.resize(classes * strip_);
        labels_.resize(strip_);
    }

    template <typename Label>
    void run(const float* image, Label* output, std::int64_t height, std::int64_t width) {
        for (std::size_t begin = 0; begin < columns_.padded(); begin += strip_) {
            run_strip(image, begin, output, height, static_cast<std::size_t>(width));
        }
    }

  private:
    template <typename Label>
    void run_strip(const float* image, std::size_t begin, Label* output, std::int64_t height,
                   std::size_t width) {
        const std::size_t length = std::min(strip_, columns_.padded() - begin);
        const std::size_t shown = std::min(length, width - begin);
        upper_.row = lower_.row = -1;
        for (std::int64_t y = 0; y < height; ++y) {
            const Tap tap =
                bilinear_tap(static_cast<std::int32_t>(y), static_cast<std::int32_t>(logits_.height),
                             bilinear_scale(logits_.height, height));
            if (upper_.row != tap.first) {
                std::swap(upper_, lower_);  // going down, the lower row becomes the upper
            }
            fill(upper_, tap.first, image, begin, length);
            const bool single = tap.second == tap.first;
            if (!single) {
                fill(lower_, tap.second, image, begin, length);
            }
            const RowPair rows{upper_.values.data(),
                               single ? upper_.values.data() : lower_.values.data(),
                               tap.first_weight,
                               tap.second_weight,
                               strip_,
                               static_cast<std::size_t>(logits_.classes)};
            for (std::size_t x = 0; x < length; x += kLabelBlock) {
                loops_.argmax(rows, x, labels_.data() + x);
            }
            Label* const row = output + static_cast<std::size_t>(y) * width + begin;
            for (std::size_t x = 0; x < shown; ++x) {
                row[x] = static_cast<Label>(labels_[x]);
            }
        }
    }

    void fill(WideRow& wide, std::int32_t row, const float* image, std::size_t begin, std::size_t length) {
        if (wide.row == row) {
            return;
        }
        wide.row = row;
        const auto width = static_cast<std::size_t>(logits_.width);
        const std::size_t plane = static_cast<std::size_t>(logits_.height) * width;
        const float* source = image + static_cast<std::size_t>(row) * width;
        for (std::size_t c = 0; c < static_cast<std::size_t>(logits_.classes); ++c, source += plane) {
            const ColumnTaps taps = columns_.from(begin);
            // The planes are too many for the CPU to see that each goes on with its next row.
            if (row + 1 < logits_.height) {
                for (std::int32_t x = taps.first[0]; x <= taps.second[length - 1]; x += kLineFloats) {
                    __builtin_prefetch(source + width + x);
                }
            }
            loops_.interpolate_row(source, width, taps, length, wide.values.data() + c * strip_);
        }
    }

    const UpsampleArgmaxLoops& loops_;
    const LogitMaps& logits_;
    Columns columns_;
    std::size_t strip_;
    WideRow upper_;
    WideRow lower_;
    std::vector<std::int32_t> labels_;
};

}  // namespace

template <typename Label>
void upsample_argmax_into(const LabelMaps<Label>& destination, const LogitMaps& logits, Isa isa) {
    check_upsample_argmax(destination, logits);
    check_isa(isa);

    Upsampler upsampler(logits, destination.width, upsample_argmax_loops(isa));
    const std::int64_t source = logits.classes * logits.height * logits.width;
    const std::int64_t output = destination.height * destination.width;
    for (std::int64_t i = 0; i < logits.batch; ++i) {
        upsampler.run(logits.data + i * source, destination.data + i * output, destination.height,
                      destination.width);
    }
}

template void upsample_argmax_into(const LabelMaps<std::uint8_t>&, const LogitMaps&, Isa);
template void upsample_argmax_into(const LabelMaps<std::int32_t>&, const LogitMaps&, Isa);

}  // namespace tundish
