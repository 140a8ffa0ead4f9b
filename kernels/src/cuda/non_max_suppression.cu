// non_max_suppression on the GPU: one kernel collects the scores above the threshold, and in a second one a
// block goes through those of an image, best first, until it has enough.
//
// It takes the best two thousand that are left, sorts them in shared memory and looks at 64 at a time: tiles
// of the matrix of overlaps, first with the boxes that are kept already, 64 of them at a time, then among
// themselves. No other tile of the matrix is ever needed, and so there is no limit to the candidates. Pairs
// of a tile that could overlap, which for rotated boxes are few, are listed first: then all threads have
// work.
#include "non_max_suppression_arguments.h"
#include "sorted_keys.h"
#include "tundish/candidate.h"
#include "warp_functions.h"

namespace tundish::cuda {
namespace non_max_suppression {

constexpr int kTile = 64;

// On one multiprocessor, at least: there is one for each image. Without that ptxas aims at more on some GPUs
// and spills.
constexpr int kBlocks = 1;

// Values of BoxFormat.
constexpr int kCorners = 0;

// What of the arguments belongs to the block's image.
struct Image {
    const float* boxes;
    const float* scores;
    std::int64_t first_output;
};

__device__ __forceinline__ float score_of(const NonMaxSuppressionArguments& arguments, const float* scores,
                                          std::int64_t box, std::int64_t box_class) {
    return scores[box * arguments.score_strides[1] + box_class * arguments.score_strides[2]];
}

__device__ __forceinline__ std::uint64_t lower_of(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }

struct AxisAligned {
    using Item = ClassedBox;

    static __device__ __forceinline__ Item read(const NonMaxSuppressionArguments& arguments,
                                                const float* numbers, std::int32_t box_class) {
        const std::int64_t stride = arguments.box_strides[2];
        const float a = numbers[0], b = numbers[stride], c = numbers[2 * stride], d = numbers[3 * stride];
        return {arguments.format == kCorners ? box_of_corners(a, b, c, d) : box_of_center(a, b, c, d),
                box_class};
    }

    static __device__ __forceinline__ bool possible(const Item& better, const Item& item, float threshold) {
        return better.box_class == item.box_class && BoxOverlap{threshold}(better.box, item.box);
    }

    static __device__ __forceinline__ bool certain(const Item&, const Item&, float) { return true; }
};

struct Rotated {
    using Item = ClassedRotatedBox;

    static __device__ __forceinline__ Item read(const NonMaxSuppressionArguments& arguments,
                                                const float* numbers, std::int32_t box_class) {
        const std::int64_t stride = arguments.box_strides[2];
        return {rotated_box(numbers[0], numbers[stride], numbers[2 * stride], numbers[3 * stride],
                            numbers[4 * stride]),
                box_class};
    }

    static __device__ __forceinline__ bool possible(const Item& better, const Item& item, float threshold) {
        return better.box_class == item.box_class &&
               RotatedOverlap{static_cast<double>(threshold)}.possible(better.box, item.box);
    }

    static __device__ __forceinline__ bool certain(const Item& better, const Item& item, float threshold) {
        return RotatedOverlap{static_cast<double>(threshold)}.certain(better.box, item.box);
    }
};

// 64 candidates, and 64 better boxes or the candidates themselves.
template <typename Item>
struct Tile {
    Item items[kTile];
    Item better[kTile];
    unsigned suppressed[kTile];          // not 0: a kept box overlaps the item too much
    unsigned long long masks[kTile];     // bit j: the item overlaps item j, which is behind it, too much
    std::uint16_t pairs[kTile * kTile];  // 64 × item + better
    unsigned pair_count;
};

// Lists the pairs of an item that is still there and a better box that could suppress it. If `among_items`,
// an item's better ones are the items before it.
template <typename Geometry, typename Item>
__device__ __forceinline__ void list_pairs(Tile<Item>& tile, const Item* better, int better_count,
                                           bool among_items, float threshold) {
    for (int pair = static_cast<int>(threadIdx.x); pair < kTile * kTile; pair += thread_count()) {
        const int i = pair / kTile, j = pair % kTile;  // i is the same for a whole warp
        const bool listed = tile.suppressed[i] == 0 && j < (among_items ? i : better_count) &&
                            Geometry::possible(better[j], tile.items[i], threshold);
        const unsigned place = next_place(listed, &tile.pair_count);
        if (listed) {
            tile.pairs[place] = static_cast<std::uint16_t>(pair);
        }
    }
}

// Compares the items with better boxes: if `among_items` with each other, which fills the masks in, otherwise
// with tile.better. Begins and ends with a barrier.
template <typename Geometry, typename Item>
__device__ __forceinline__ void compare(Tile<Item>& tile, int better_count, bool among_items,
                                        float threshold) {
    if (threadIdx.x == 0) {
        tile.pair_count = 0;
    }
    __syncthreads();
    const Item* const better = among_items ? tile.items : tile.better;
    list_pairs<Geometry>(tile, better, better_count, among_items, threshold);
    __syncthreads();
    for (unsigned k = threadIdx.x; k < tile.pair_count; k += thread_count()) {
        const int i = tile.pairs[k] / kTile, j = tile.pairs[k] % kTile;
        if (Geometry::certain(better[j], tile.items[i], threshold)) {
            if (among_items) {
                atomicAdd(&tile.masks[j], 1ULL << i);  // which no other thread adds
            } else {
                atomicAdd(&tile.suppressed[i], 1U);
            }
        }
    }
    __syncthreads();
}

// Bit i: item i is kept. The same for all threads.
template <typename Item>
__device__ __forceinline__ std::uint64_t keep(const Tile<Item>& tile) {
    const unsigned low = __ballot_sync(0xFFFFFFFF, tile.suppressed[lane_of_warp()] == 0 ? 1 : 0);
    const unsigned high = __ballot_sync(0xFFFFFFFF, tile.suppressed[32 + lane_of_warp()] == 0 ? 1 : 0);
    std::uint64_t kept = std::uint64_t{high} << 32 | low;
    for (int i = 0; i < kTile; ++i) {
        kept &= (kept >> i & 1) != 0 ? ~std::uint64_t{tile.masks[i]} : ~std::uint64_t{0};
    }
    return kept;
}

__device__ __forceinline__ int bit_count(std::uint64_t bits) {
    return __popc(static_cast<unsigned>(bits)) + __popc(static_cast<unsigned>(bits >> 32));
}

// Goes through `count` sorted keys, at most kTile, and returns how many boxes are kept then.
template <typename Geometry, typename Item = typename Geometry::Item>
__device__ __forceinline__ std::int64_t go_through(const NonMaxSuppressionArguments& arguments,
                                                   const Image& image, const std::uint64_t* keys, int count,
                                                   Item* kept, std::int64_t kept_count, Tile<Item>& tile) {
    const int thread = static_cast<int>(threadIdx.x);
    std::int64_t box = 0, box_class = 0;
    if (thread < kTile) {
        if (thread < count) {
            const std::uint32_t pair = pair_of_key(keys[thread]);
            box = pair / static_cast<std::uint32_t>(arguments.class_count);
            box_class = pair % static_cast<std::uint32_t>(arguments.class_count);
            tile.items[thread] =
                Geometry::read(arguments, image.boxes + box * arguments.box_strides[1],
                               arguments.class_agnostic ? 0 : static_cast<std::int32_t>(box_class));
        }
        tile.suppressed[thread] = thread < count ? 0 : 1;
        tile.masks[thread] = 0;
    }
    for (std::int64_t begin = 0;; begin += kTile) {
        const std::int64_t left = kept_count - begin;
        const bool among_items = left <= 0;
        const int better_count = left < kTile ? static_cast<int>(left) : kTile;
        if (thread < better_count) {
            tile.better[thread] = kept[begin + thread];
        }
        compare<Geometry>(tile, better_count, among_items, arguments.iou_threshold);
        if (among_items) {
            break;
        }
    }
    const std::uint64_t found = keep(tile);
    if (thread < kTile && (found >> thread & 1) != 0) {
        const std::int64_t place = kept_count + bit_count(found & ((std::uint64_t{1} << thread) - 1));
        if (place < arguments.maximum) {
            const std::int64_t at = image.first_output + place;
            arguments.indices[at] = static_cast<std::int32_t>(box);
            arguments.classes[at] = static_cast<std::int32_t>(box_class);
            arguments.kept_scores[at] = score_of(arguments, image.scores, box, box_class);
            kept[place] = tile.items[thread];
        }
    }
    __syncthreads();
    const std::int64_t sum = kept_count + bit_count(found);
    return sum < arguments.maximum ? sum : arguments.maximum;
}

template <typename Geometry, typename Item = typename Geometry::Item>
__device__ __forceinline__ void suppress(const NonMaxSuppressionArguments& arguments, SortedKeys& keys,
                                         Tile<Item>& tile) {
    const std::int64_t index = blockIdx.x;
    const Image image{arguments.boxes + index * arguments.box_strides[0],
                      arguments.scores + index * arguments.score_strides[0], index * arguments.maximum};
    const KeyList candidates{arguments.candidates + index * arguments.capacity,
                             arguments.candidate_counts[index]};
    Item* const kept = static_cast<Item*>(arguments.kept) + index * arguments.maximum;
    std::int64_t kept_count = 0;
    std::uint64_t lowest = 0;
    unsigned left = candidates.count;
    while (left > 0 && kept_count < arguments.maximum) {
        const int sorted = take_lowest(candidates, lowest, left, keys);
        for (int begin = 0; begin < sorted && kept_count < arguments.maximum; begin += kTile) {
            const int count = sorted - begin < kTile ? sorted - begin : kTile;
            kept_count =
                go_through<Geometry>(arguments, image, keys.keys + begin, count, kept, kept_count, tile);
        }
        left -= static_cast<unsigned>(sorted);
        lowest = keys.keys[sorted - 1] + 1;
    }
    if (threadIdx.x == 0) {
        arguments.kept_counts[index] = static_cast<std::int32_t>(kept_count);
    }
    for (std::int64_t i = kept_count + threadIdx.x; i < arguments.maximum; i += thread_count()) {
        arguments.indices[image.first_output + i] = -1;
        arguments.classes[image.first_output + i] = -1;
        arguments.kept_scores[image.first_output + i] = 0.0F;
    }
}

}  // namespace non_max_suppression

// The candidates of an image, or of each box its best one alone, into the workspace in any order.
extern "C" __global__ void __launch_bounds__(kCollectColumns* kCollectRows)
    tundish_non_max_suppression_collect(const NonMaxSuppressionArguments arguments) {
    using namespace non_max_suppression;
    __shared__ std::uint64_t best[kCollectRows][kCollectColumns];

    const std::int64_t image = blockIdx.y;
    const float* const scores = arguments.scores + image * arguments.score_strides[0];
    std::uint64_t* const candidates = arguments.candidates + image * arguments.capacity;
    unsigned* const count = arguments.candidate_counts + image;
    const bool along_boxes = arguments.boxes_adjacent;
    const std::int64_t box = along_boxes
                                 ? static_cast<std::int64_t>(blockIdx.x) * kCollectColumns + threadIdx.x
                                 : static_cast<std::int64_t>(blockIdx.x) * kCollectRows + threadIdx.y;
    const int first_class = static_cast<int>(along_boxes ? threadIdx.y : threadIdx.x);
    std::uint64_t lowest = kNoCandidate;
    for (int begin = 0; begin < arguments.class_count;
         begin += along_boxes ? kCollectRows : kCollectColumns) {
        const int box_class = begin + first_class;
        std::uint64_t key = kNoCandidate;
        if (box < arguments.box_count && box_class < arguments.class_count) {
            const float score = score_of(arguments, scores, box, box_class);
            const auto pair = static_cast<std::uint32_t>(box * arguments.class_count + box_class);
            key = score > arguments.score_threshold ? candidate_key(score, pair) : kNoCandidate;
        }
        if (arguments.multi_label) {
            const unsigned place = next_place(key != kNoCandidate, count);
            if (key != kNoCandidate) {
                candidates[place] = key;
            }
        }
        lowest = lower_of(lowest, key);
    }
    if (arguments.multi_label) {
        return;
    }
    bool first_of_box = threadIdx.x == 0;
    if (along_boxes) {
        best[threadIdx.y][threadIdx.x] = lowest;
        __syncthreads();
        first_of_box = threadIdx.y == 0;
        for (int row = 1; first_of_box && row < kCollectRows; ++row) {
            lowest = lower_of(lowest, best[row][threadIdx.x]);
        }
    } else {
        for (int step = 16; step > 0; step /= 2) {
            lowest = lower_of(lowest, __shfl_xor_sync(0xFFFFFFFF, lowest, step));
        }
    }
    const bool found = first_of_box && lowest != kNoCandidate;
    const unsigned place = next_place(found, count);
    if (found) {
        candidates[place] = lowest;
    }
}

extern "C" __global__ void __launch_bounds__(kSuppressThreads, non_max_suppression::kBlocks)
    tundish_non_max_suppression(const NonMaxSuppressionArguments arguments) {
    using namespace non_max_suppression;
    __shared__ SortedKeys keys;
    __shared__ Tile<ClassedBox> tile;
    suppress<AxisAligned>(arguments, keys, tile);
}

extern "C" __global__ void __launch_bounds__(kSuppressRotatedThreads, non_max_suppression::kBlocks)
    tundish_non_max_suppression_rotated(const NonMaxSuppressionArguments arguments) {
    using namespace non_max_suppression;
    __shared__ SortedKeys keys;
    __shared__ Tile<ClassedRotatedBox> tile;
    suppress<Rotated>(arguments, keys, tile);
}

}  // namespace tundish::cuda
