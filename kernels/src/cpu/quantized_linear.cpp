// Does quantised linear layers: rounds rows, multiplies them block by block, and normalises the sums.
#include "tundish/quantized_linear.h"

#include <algorithm>

#include "aligned_vector.h"
#include "conv_filters.h"
#include "linear_weights.h"
#include "memory.h"

namespace tundish {
namespace {

enum Step : std::size_t { kRound, kMultiply, kNormalize, kAllSteps };

constexpr std::size_t kRowsOfLinearPart = 16;    // that are rounded or normalised
constexpr std::size_t kRowsOfProductPart = 256;  // their bytes stay in the second cache
constexpr std::size_t kBlocksOfProductPart = 3;

constexpr std::size_t parts_of(std::size_t count, std::size_t of_part) {
    return (count + of_part - 1) / of_part;
}

}  // namespace

QuantizedLinear::QuantizedLinear(const QuantizedLinearArguments& arguments, Isa isa)
    : inputs_(arguments.inputs),
      outputs_(arguments.outputs),
      normalizes_(arguments.normalization.has_value()),
      weights_(std::make_shared<LinearWeights>(arguments, isa)) {}

struct QuantizedLinearCall::Scratch {
    Scratch(std::size_t rows, std::size_t row_bytes)
        : bytes(AlignedAllocator<std::uint8_t>().allocate(rows * row_bytes), {}),
          row_bytes(row_bytes),
          steps(rows),
          zeros(rows) {}

    RoundedRows rows_from(std::size_t row) {
        return {bytes.get() + row * row_bytes, row_bytes, steps.data() + row, zeros.data() + row};
    }

    struct Free {
        void operator()(std::uint8_t* data) const { AlignedAllocator<std::uint8_t>().deallocate(data, 0); }
    };
    std::unique_ptr<std::uint8_t, Free> bytes;  // no vector, which would be set to 0 first
    std::size_t row_bytes;
    std::vector<float> steps;
    std::vector<float> zeros;
};

QuantizedLinearCall::QuantizedLinearCall(const QuantizedLinear& linear, float* destination,
                                         const float* input, const float* other, std::int64_t rows)
    : weights_(*linear.weights_),
      destination_(destination),
      input_(input),
      other_(other),
      rows_(as_size(rows)),
      scratch_(std::make_unique<Scratch>(rows_, weights_.row_bytes())) {}

QuantizedLinearCall::~QuantizedLinearCall() = default;

std::size_t QuantizedLinearCall::steps() const { return weights_.normalizes() ? kAllSteps : kNormalize; }

std::size_t QuantizedLinearCall::parts(std::size_t step) const {
    if (step == kMultiply) {
        return parts_of(rows_, kRowsOfProductPart) * parts_of(weights_.block_count(), kBlocksOfProductPart);
    }
    return parts_of(rows_, kRowsOfLinearPart);
}

void QuantizedLinearCall::run_part(std::size_t step, std::size_t part) noexcept {
    if (step == kMultiply) {
        // All rows of some blocks come first, whose weights stay in the cache.
        const std::size_t groups = parts_of(rows_, kRowsOfProductPart);
        const std::size_t row = part % groups * kRowsOfProductPart,
                          block = part / groups * kBlocksOfProductPart;
        weights_.multiply(scratch_->rows_from(row), std::min(kRowsOfProductPart, rows_ - row), block,
                          std::min(kBlocksOfProductPart, weights_.block_count() - block),
                          destination_ + row * weights_.outputs());
        return;
    }
    const std::size_t row = part * kRowsOfLinearPart, rows = std::min(kRowsOfLinearPart, rows_ - row);
    if (step == kRound) {
        weights_.round(input_ + row * weights_.inputs(), rows, scratch_->rows_from(row));
    } else {
        weights_.normalize(destination_ + row * weights_.outputs(), other_ + row * weights_.outputs(), rows);
    }
}

void quantized_linear_into(float* destination, const QuantizedLinear& linear, const float* input,
                           const float* other, std::int64_t rows) {
    check_memory("destination", destination);
    check_memory("input", input);
    check_range("rows", rows, 1, kLargestSize);
    if (linear.normalizes() != (other != nullptr)) {
        reject("other must be there with a normalisation, and not without",
               other == nullptr ? "none" : "one");
    }
    const Memory written = memory_of(destination, as_size(rows * linear.outputs()));
    check_disjoint("destination", written, "input", memory_of(input, as_size(rows * linear.inputs())));
    check_disjoint("destination", written, "other", memory_of(other, as_size(rows * linear.outputs())));
    QuantizedLinearCall call(linear, destination, input, other, rows);
    for (std::size_t step = 0; step < call.steps(); ++step) {
        for (std::size_t part = 0; part < call.parts(step); ++part) {
            call.run_part(step, part);
        }
    }
}

}  // namespace tundish
