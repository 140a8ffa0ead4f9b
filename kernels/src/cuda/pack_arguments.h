// What the host tells the GPU of a call of pack; read by both compilers.
#pragma once

#include <cstdint>

#include "padded_batch.h"

namespace tundish::cuda {

// `type_ids` is null if the batch has none.
struct PackArguments {
    PaddedBatch batch;
    std::int64_t rows;
    const std::int32_t* ids;
    const std::int32_t* type_ids;
    std::int64_t size;
    const std::int64_t* starts;
    std::int32_t pad_id;
    std::int32_t pad_type_id;
    bool pad_left;
};

// A block has a warp for each of its rows.
constexpr int kPackRows = 8;

}  // namespace tundish::cuda
