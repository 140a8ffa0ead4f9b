// pack on the GPU: a warp takes a row of the batch, and a lane one column after the other.
//
// A warp's stores are adjacent whatever the length, and short rows leave no thread of a block idle.
#include "pack_arguments.h"

namespace tundish::cuda {
namespace pack {

// On one multiprocessor, which leaves a thread 64 registers; without that ptxas spills on some GPUs.
constexpr int kBlocks = 4;

__device__ __forceinline__ std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) {
    return value < low ? low : (value > high ? high : value);
}

}  // namespace pack

extern "C" __global__ void __launch_bounds__(32 * kPackRows, pack::kBlocks)
    tundish_pack(const PackArguments arguments) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kPackRows + threadIdx.x / 32;
    if (row >= arguments.rows) {
        return;
    }
    // Nobody has looked at the starts before.
    const std::int64_t length = arguments.batch.length;
    const std::int64_t begin = pack::clamp(arguments.starts[row], 0, arguments.size);
    const std::int64_t end = pack::clamp(arguments.starts[row + 1], begin, arguments.size);
    const std::int64_t count = pack::clamp(end - begin, 0, length);
    const std::int64_t first = arguments.pad_left ? length - count : 0;
    for (std::int64_t column = threadIdx.x % 32; column < length; column += 32) {
        const std::int64_t token = column - first;
        const bool is_token = token >= 0 && token < count;
        std::int32_t id = arguments.pad_id, type_id = arguments.pad_type_id;
        if (is_token) {
            id = arguments.ids[begin + token];
            type_id = arguments.type_ids == nullptr ? 0 : arguments.type_ids[begin + token];
        }
        arguments.batch.write(row * length + column, id, is_token ? 1 : 0, type_id);
    }
}

}  // namespace tundish::cuda
