// Layers of transformers whose weights are int8 and whose inputs are rounded to bytes row by row, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "tundish/isa.h"

namespace tundish {

class LinearWeights;

enum class Activation { none, gelu };

// Of each row: (x - mean) / sqrt(variance + epsilon) × scale + bias. Arrays of [outputs].
struct RowNormalization {
    const float* scales;
    const float* biases;
    float epsilon;
};

// C-contiguous arrays that are read while the layer is made and no longer.
struct QuantizedLinearArguments {
    std::int64_t inputs;
    std::int64_t outputs;
    const std::int8_t* weights;  // [inputs, outputs], of zero point 0
    const float* scales;         // [outputs]: of the weights
    const float* biases;         // [outputs]
    const float* factors;        // [inputs]: multiply what is read before it is rounded
    Activation activation;
    std::optional<RowNormalization> normalization;  // of the sum with another input
};

// For each row x of float32:
//
//   v = x × factors; low = min(0, min v); step = (max(0, max v) - low) / 255; zero = round(-low / step)
//   q = round(clamp(fma(v, 1 / step, zero), 0, 255)), halves to even; a step below 2^-126 counts as infinite
//   y = fma(fma(zero, -sum of weights, float(sum of q × weight)), step × scale, bias), then its activation
//
// and with a normalisation that of y + other. A row has a step of its own, so that no other in its batch
// changes it; a row with a NaN or an infinity gives NaN. Sums over a row are taken in sixteen lanes. All
// instruction sets give the same bits.
class QuantizedLinear {
  public:
    // Throws std::invalid_argument, with one sentence that says what was expected and what came: a null
    // pointer, sizes outside 1 to 2^16 inputs and 2^20 outputs, numbers that are not finite, scales or an
    // epsilon that are not positive, an instruction set that is not available. Throws std::bad_alloc.
    explicit QuantizedLinear(const QuantizedLinearArguments& arguments, Isa isa = selected_isa());

    std::int64_t inputs() const { return inputs_; }
    std::int64_t outputs() const { return outputs_; }
    bool normalizes() const { return normalizes_; }

  private:
    friend class QuantizedLinearCall;

    std::int64_t inputs_;
    std::int64_t outputs_;
    bool normalizes_;
    std::shared_ptr<const LinearWeights> weights_;
};

// A call: steps that follow each other, of parts that any number of threads may do in any order.
class QuantizedLinearCall {
  public:
    // C-contiguous arrays that live as long as the call: `destination` is [rows, outputs], `input` [rows,
    // inputs], `other` as `destination`, and null without a normalisation. The arguments are not checked.
    // Scratch memory is a byte for each value of `input`, and some for each row. Throws std::bad_alloc.
    QuantizedLinearCall(const QuantizedLinear& linear, float* destination, const float* input,
                        const float* other, std::int64_t rows);
    ~QuantizedLinearCall();
    QuantizedLinearCall(const QuantizedLinearCall&) = delete;
    QuantizedLinearCall& operator=(const QuantizedLinearCall&) = delete;

    std::size_t steps() const;
    std::size_t parts(std::size_t step) const;
    void run_part(std::size_t step, std::size_t part) noexcept;

  private:
    struct Scratch;

    const LinearWeights& weights_;
    float* destination_;
    const float* input_;
    const float* other_;
    std::size_t rows_;
    std::unique_ptr<Scratch> scratch_;
};

// Does all of it on the calling thread. Checks what a call does not: throws std::invalid_argument for a null
// pointer, another input where there is no normalisation or none where there is, rows outside 1 to 2^20,
// shared memory.
void quantized_linear_into(float* destination, const QuantizedLinear& linear, const float* input,
                           const float* other, std::int64_t rows);

}  // namespace tundish
