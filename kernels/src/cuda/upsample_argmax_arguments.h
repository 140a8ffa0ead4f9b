// What the host tells the GPU of a call of upsample_argmax; read by both compilers.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// There are as many images as blocks along z. `labels` are of `label_bytes` each, 1 or 4. Scales are source
// elements for each of the output, as bilinear_tap takes them.
struct UpsampleArgmaxArguments {
    void* labels;
    std::int32_t label_bytes;
    std::int32_t height, width;
    const float* logits;
    std::int32_t classes, source_height, source_width;
    float row_scale, column_scale;
};

// A block of kLabelColumns × kLabelThreadRows threads makes a tile of labels, each thread kLabelRows of them
// below each other.
constexpr int kLabelColumns = 32;
constexpr int kLabelThreadRows = 8;
constexpr int kLabelRows = 4;

}  // namespace tundish::cuda
