// The weights of a quantised linear layer where its loops read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "aligned_vector.h"
#include "linear_loops.h"
#include "patch_runs.h"
#include "tundish/quantized_linear.h"

namespace tundish {

class LinearWeights {
  public:
    // Throws std::invalid_argument as QuantizedLinear does.
    LinearWeights(const QuantizedLinearArguments& arguments, Isa isa);

    std::size_t inputs() const { return inputs_; }
    std::size_t outputs() const { return outputs_; }
    std::size_t row_bytes() const;  // of rounded rows
    std::size_t block_count() const { return blocks_.size(); }
    bool normalizes() const { return !normalization_scales_.empty(); }

    void round(const float* values, std::size_t rows, const RoundedRows& rounded) const;
    void multiply(const RoundedRows& rounded, std::size_t rows, std::size_t first_block,
                  std::size_t block_count, float* output) const;
    void normalize(float* values, const float* others, std::size_t rows) const;

  private:
    void put_weights(const std::int8_t* weights, Isa isa);

    std::size_t inputs_;
    std::size_t outputs_;
    PatchRuns runs_;
    std::vector<std::size_t> begins_;  // of the runs
    const LinearLoops& loops_;
    Activation activation_;
    AlignedVector<float> factors_;
    AlignedVector<std::uint8_t> weights_;
    AlignedVector<float> minus_sums_;
    AlignedVector<float> scales_;
    AlignedVector<float> biases_;
    AlignedVector<float> normalization_scales_;
    AlignedVector<float> normalization_biases_;
    float epsilon_ = 0.0F;
    std::vector<LinearBlock> blocks_;
};

}  // namespace tundish
