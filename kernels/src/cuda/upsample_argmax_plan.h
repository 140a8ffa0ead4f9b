// How the labels of a call of upsample_argmax are divided among threads; for the launch and its tests.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tundish/bilinear.h"
#include "tundish/upsample_argmax.h"
#include "upsample_argmax_arguments.h"

namespace tundish::cuda {

// The most output elements of a cell. Rounded positions give one more to some cells where the output is an
// odd multiple of the source; parts of an even length have room for that.
inline std::int64_t elements_of_cell(std::int64_t source, std::int64_t output) {
    return (output + source - 1) / source;
}

inline LabelAxis label_axis(std::int64_t source, std::int64_t output, std::int64_t side) {
    const std::int64_t parts = (elements_of_cell(source, output) + side - 1) / side;
    const std::int64_t runs = source < output ? (source + 1) * parts : output;
    return {static_cast<std::int32_t>(source), static_cast<std::int32_t>(output),
            bilinear_scale(source, output), static_cast<std::int32_t>(parts),
            static_cast<std::int32_t>(runs)};
}

template <typename Label>
UpsampleArgmaxArguments plan_upsample_argmax(const LabelMaps<Label>& destination, const LogitMaps& logits) {
    const std::int64_t most = std::max(elements_of_cell(logits.height, destination.height),
                                       elements_of_cell(logits.width, destination.width));
    const std::int32_t side = most > 2 ? 4 : static_cast<std::int32_t>(most);
    return {destination.data,
            sizeof(Label),
            side,
            label_axis(logits.height, destination.height, side),
            label_axis(logits.width, destination.width, side),
            logits.data,
            static_cast<std::int32_t>(logits.classes)};
}

// Blocks for an image.
inline unsigned label_blocks(const UpsampleArgmaxArguments& arguments) {
    const std::int64_t threads = std::int64_t{arguments.rows.runs} * arguments.columns.runs;
    return static_cast<unsigned>((threads + kLabelThreads - 1) / kLabelThreads);
}

}  // namespace tundish::cuda
