// What the host tells the GPU of a call of upsample_argmax; read by both compilers.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// Height or width. Output elements whose positions have the same whole part lie in one cell, between the same
// two source elements; the first cell, -1, has those before the centre of the first. A cell is made in
// `parts`, each by a run of its own; where the output is not the longer one, each of its elements is a run.
struct LabelAxis {
    std::int32_t source, output;
    float scale;  // source elements for each of the output, as bilinear_tap takes it
    std::int32_t parts;
    std::int32_t runs;
};

// There are as many images as blocks along y. `labels` are of `label_bytes` each, 1 or 4. A thread makes the
// labels of one run of rows and one run of columns, at most `side` × `side`: 1, 2 or 4.
struct UpsampleArgmaxArguments {
    void* labels;
    std::int32_t label_bytes;
    std::int32_t side;
    LabelAxis rows, columns;
    const float* logits;
    std::int32_t classes;
};

constexpr int kLabelThreads = 128;

// Blocks at a time on a multiprocessor, at least; more would not leave a thread the registers for 4 × 4
// labels.
constexpr int kLabelBlocksOfProcessor = 4;

}  // namespace tundish::cuda
