// run_length_encode on the GPU: one kernel turns columns into words of bits, and in a second one a block goes
// through the words of a mask and writes its text.
//
// It takes some thousand words at a time. Where pixels change, a scan over the block numbers; positions are
// put side by side in shared memory, as many at a time as there are threads, from where each thread makes one
// number of the text; a second scan over their lengths says where its characters go.
#include "run_length_encode_arguments.h"
#include "tundish/run_text.h"
#include "warp_functions.h"

namespace tundish::cuda {
namespace run_length_encode {

constexpr int kThreads = kEncodeThreads;
constexpr int kWarps = kThreads / 32;
constexpr int kThreadWords = 4;  // words of a thread at a time
constexpr int kWords = kThreads * kThreadWords;

// A number depends on the positions of four changes.
constexpr int kBefore = 3;

struct Shared {
    std::uint32_t changes[kWords];               // bit r: pixel r of the word differs from the one before it
    std::int64_t positions[kBefore + kThreads];  // of changes; the first ones are those written last
    int warp_sums[kWarps];
};

// What is written already, the same for all threads.
struct Progress {
    std::int64_t numbers;
    std::int64_t length;
};

struct Scan {
    int before;  // the sum of the values of the threads below this one
    int sum;     // of all
};

// Of all threads of the block. Ends with a barrier, after which warp_sums may be used again.
__device__ __forceinline__ Scan scan(int value, int (&warp_sums)[kWarps]) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int sum = sum_up_to_lane(value);
    if (lane_of_warp() == 31) {
        warp_sums[warp] = sum;
    }
    __syncthreads();
    const int sums = sum_up_to_lane(lane_of_warp() < kWarps ? warp_sums[lane_of_warp()] : 0);
    const int below = __shfl_sync(0xFFFFFFFF, sums, warp == 0 ? 0 : warp - 1);
    const int total = __shfl_sync(0xFFFFFFFF, sums, 31);
    __syncthreads();
    return {(warp == 0 ? 0 : below) + sum - value, total};
}

// The rows of the mask that word `index` has.
__device__ __forceinline__ int rows_of(const RunLengthEncodeArguments& arguments, std::int32_t index) {
    const std::int32_t rest = arguments.height - index % arguments.column_words * kWordRows;
    return rest < kWordRows ? rest : kWordRows;
}

__device__ __forceinline__ std::int64_t first_position(const RunLengthEncodeArguments& arguments,
                                                       std::int32_t index) {
    return static_cast<std::int64_t>(index / arguments.column_words) * arguments.height +
           index % arguments.column_words * kWordRows;
}

// Bit r is set where pixel r of the word differs from the one before it; before the first is a 0.
__device__ __forceinline__ std::uint32_t changes_of(const RunLengthEncodeArguments& arguments,
                                                    const std::uint32_t* words, std::int32_t index) {
    const std::uint32_t bits = words[index];
    const std::uint32_t before =
        index == 0 ? 0 : words[index - 1] >> (rows_of(arguments, index - 1) - 1) & 1U;
    const std::uint32_t valid = 0xFFFFFFFFU >> (kWordRows - rows_of(arguments, index));
    return (bits ^ (bits << 1 | before)) & valid;
}

// Writes the numbers of `count` changes in shared.positions, at most kThreads. They were put there after the
// last barrier; ends with one.
__device__ __forceinline__ void write_numbers(const RunLengthEncodeArguments& arguments, int count,
                                              Progress& progress, Shared& shared) {
    __syncthreads();
    const int thread = static_cast<int>(threadIdx.x);
    std::int64_t number = 0;
    int length = 0;
    if (thread < count) {
        const std::int64_t* const last = shared.positions + kBefore + thread;
        number = last[0] - last[-1];
        number -= progress.numbers + thread > 2 ? last[-2] - last[-3] : 0;
        std::int64_t rest = number;
        for (bool more = true; more; ++length) {
            take_character(rest, more);
        }
    }
    const std::int64_t carried = thread < kBefore ? shared.positions[count + thread] : 0;
    const Scan place = scan(length, shared.warp_sums);
    if (thread < kBefore) {
        shared.positions[thread] = carried;  // all have read, as scan has a barrier
    }
    std::uint8_t* const text = arguments.text + blockIdx.x * arguments.capacity;
    for (std::int64_t at = progress.length + place.before; length > 0; --length, ++at) {
        bool more = false;
        const std::uint8_t character = take_character(number, more);
        if (at < arguments.capacity) {
            text[at] = character;
        }
    }
    progress.numbers += count;
    progress.length += place.sum;
}

// The changes of kThreadWords words, one after the other.
struct Cursor {
    int word;               // in shared.changes
    std::uint32_t changes;  // that are left of the word

    // There must be one. Its number in the word.
    __device__ __forceinline__ int next(const std::uint32_t* words) {
        while (changes == 0) {
            ++word;
            changes = words[word];
        }
        const int bit = __popc((changes & (0U - changes)) - 1U);
        changes &= changes - 1;
        return bit;
    }
};

}  // namespace run_length_encode

extern "C" __global__ void __launch_bounds__(kPackColumns* kPackWords)
    tundish_run_length_encode_pack(const RunLengthEncodeArguments arguments) {
    __shared__ std::uint32_t tile[kPackColumns][kPackWords + 1];  // one more, which spreads it over the banks
    const std::int64_t mask = blockIdx.z;
    const int left = static_cast<int>(blockIdx.x) * kPackColumns;
    const int first_word = static_cast<int>(blockIdx.y) * kPackWords;
    const int column = left + static_cast<int>(threadIdx.x);
    const int top = (first_word + static_cast<int>(threadIdx.y)) * kWordRows;
    const std::uint8_t* const pixels =
        arguments.masks + (mask * arguments.height + top) * arguments.width + column;
    std::uint32_t word = 0;
    if (column < arguments.width) {
#pragma unroll
        for (int row = 0; row < kWordRows; ++row) {
            if (top + row < arguments.height) {
                const bool set = pixels[static_cast<std::int64_t>(row) * arguments.width] != 0;
                word |= set ? 1U << row : 0U;
            }
        }
    }
    tile[threadIdx.x][threadIdx.y] = word;
    __syncthreads();
    // Now neighbouring threads have words that follow each other.
    const int thread = static_cast<int>(threadIdx.x + threadIdx.y * kPackColumns);
    const int from_left = thread / kPackWords, from_top = thread % kPackWords;
    if (left + from_left < arguments.width && first_word + from_top < arguments.column_words) {
        const std::int64_t at = (mask * arguments.width + left + from_left) * arguments.column_words;
        arguments.words[at + first_word + from_top] = tile[from_left][from_top];
    }
}

extern "C" __global__ void __launch_bounds__(kEncodeThreads)
    tundish_run_length_encode(const RunLengthEncodeArguments arguments) {
    using namespace run_length_encode;
    __shared__ Shared shared;

    const int thread = static_cast<int>(threadIdx.x);
    const std::int32_t count = arguments.width * arguments.column_words;
    const std::uint32_t* const words = arguments.words + static_cast<std::int64_t>(blockIdx.x) * count;
    if (thread < kBefore) {
        shared.positions[thread] = 0;
    }
    Progress progress{0, 0};
    for (std::int32_t begin = 0; begin < count; begin += kWords) {
        const std::int32_t first = begin + thread * kThreadWords;
        int found = 0;
        for (int i = 0; i < kThreadWords; ++i) {
            const std::uint32_t changes = first + i < count ? changes_of(arguments, words, first + i) : 0;
            shared.changes[thread * kThreadWords + i] = changes;
            found += __popc(changes);
        }
        const Scan place = scan(found, shared.warp_sums);
        Cursor cursor{thread * kThreadWords, shared.changes[thread * kThreadWords]};
        int next = place.before;
        for (int window = 0; window < place.sum; window += kThreads) {
            for (; next < place.before + found && next < window + kThreads; ++next) {
                const int bit = cursor.next(shared.changes);
                shared.positions[kBefore + next - window] =
                    first_position(arguments, begin + cursor.word) + bit;
            }
            const int rest = place.sum - window;
            write_numbers(arguments, rest < kThreads ? rest : kThreads, progress, shared);
        }
    }
    if (thread == 0) {  // the last run ends with the mask
        shared.positions[kBefore] = static_cast<std::int64_t>(arguments.height) * arguments.width;
    }
    write_numbers(arguments, 1, progress, shared);
    if (thread == 0) {
        arguments.lengths[blockIdx.x] = progress.length;
    }
}

}  // namespace tundish::cuda
