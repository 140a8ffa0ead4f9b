// The padded arrays that pack and wordpiece write, as the GPU is told of them; read by both compilers.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish::cuda {

// Arrays [rows, length] of integers of `element_bytes` each, 4 or 8. `mask` and `type_ids` may be null.
struct PaddedBatch {
    void* ids;
    void* mask;
    void* type_ids;
    std::int32_t element_bytes;
    std::int64_t length;

    // Writes one element of each. `mask` is 1 for a token, 0 for padding.
    TUNDISH_HOST_DEVICE void write(std::int64_t at, std::int32_t id, std::int32_t is_token,
                                   std::int32_t type_id) const {
        store(ids, at, id);
        if (mask != nullptr) {
            store(mask, at, is_token);
        }
        if (type_ids != nullptr) {
            store(type_ids, at, type_id);
        }
    }

  private:
    TUNDISH_HOST_DEVICE void store(void* array, std::int64_t at, std::int32_t value) const {
        if (element_bytes == 8) {
            static_cast<std::int64_t*>(array)[at] = value;
        } else {
            static_cast<std::int32_t*>(array)[at] = value;
        }
    }
};

}  // namespace tundish::cuda
