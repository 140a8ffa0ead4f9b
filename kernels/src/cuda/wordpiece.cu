// wordpiece on the GPU: one block takes a row, from the bytes of its texts to padded ids.
//
// A text comes into shared memory a chunk at a time, in lowercase and without control characters: ballots
// give each byte that is kept its place. Ballots over these bytes give each word its beginning and its end,
// and then a thread takes one word through the trie. What a chunk leaves unfinished goes to the front of the
// next one. Tokens go to a workspace first: which of them stay, and where, is known when all are counted.
#include "tundish/ascii.h"
#include "tundish/truncation.h"
#include "wordpiece_arguments.h"

namespace tundish::cuda {
namespace wordpiece {

constexpr int kThreads = kWordPieceThreads;
constexpr int kWarps = kThreads / 32;
constexpr int kRounds = 4;
constexpr int kChunk = kRounds * kThreads;  // bytes of a text
constexpr int kGroups = kChunk / 32;
static_assert(kGroups == 32, "a warp adds up one count a lane");

// Of a word that goes on in the next chunk so much is kept that it is seen to be too long.
constexpr int kUnfinished = kLongestWord + 1;
static_assert(kUnfinished <= kChunk, "it is moved in one go");

// On one multiprocessor, which leaves a thread 64 registers; without that ptxas aims at more blocks on some
// GPUs and spills.
constexpr int kBlocks = 4;

using Bytes = std::uint8_t[kUnfinished + kChunk];
using Ids = std::int32_t[kUnfinished + kChunk];  // of a word's tokens, from the place of its first byte on
using Places = std::uint16_t[kChunk + 1];
using GroupCounts = std::uint32_t[kGroups];
using WarpCounts = std::uint32_t[2][kWarps];  // taken in turn, which saves a barrier a round

struct Shared {
    Bytes& bytes;
    Ids& ids;
    Places& begins;
    Places& ends;
    GroupCounts& group_counts;
    WarpCounts& warp_counts;
};

__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x % 32); }
__device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x / 32); }

// How many votes those of lower lanes hold.
__device__ __forceinline__ std::uint32_t votes_before(unsigned votes) {
    return static_cast<std::uint32_t>(__popc(votes & ((1U << lane()) - 1U)));
}

// The sum of this lane's value and those of lower lanes.
__device__ __forceinline__ std::uint32_t sum_up_to_lane(std::uint32_t value) {
    for (int step = 1; step < 32; step *= 2) {
        const std::uint32_t other = __shfl_up_sync(0xFFFFFFFF, value, step);
        value += lane() >= step ? other : 0;
    }
    return value;
}

// In each round a warp looks at 32 adjacent items, its group of that round. What groups count: the sum before
// each of this warp's groups, and that of all.
struct GroupSums {
    std::uint32_t before[kRounds];
    std::uint32_t all;
};

__device__ __forceinline__ GroupSums sum_groups(const GroupCounts& counts) {
    const std::uint32_t count = counts[lane()];
    const std::uint32_t sum = sum_up_to_lane(count);
    GroupSums made;
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        made.before[round] = __shfl_sync(0xFFFFFFFF, sum - count, round * kWarps + warp());
    }
    made.all = __shfl_sync(0xFFFFFFFF, sum, 31);
    return made;
}

// Brings the text's bytes from `begin` on, kChunk at most, behind the first `carried` ones, in lowercase and
// cleaned if so ruled. Returns how many there are then. Between its two barriers the bytes change.
__device__ __forceinline__ int load(const WordPieceArguments& arguments, const TextTask& text, int begin,
                                    int carried, const Shared& shared) {
    const int left = text.size - begin - static_cast<int>(threadIdx.x);
    std::uint8_t bytes[kRounds];
    unsigned kept[kRounds];
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const int at = round * kThreads;
        bytes[round] = at < left ? text.bytes[begin + static_cast<int>(threadIdx.x) + at] : std::uint8_t{0};
    }
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const bool removed = arguments.clean_text && is_ascii_removed(bytes[round]);
        const bool keep = round * kThreads < left && !removed;
        kept[round] = __ballot_sync(0xFFFFFFFF, keep ? 1 : 0);
        if (lane() == 0) {
            shared.group_counts[round * kWarps + warp()] = static_cast<std::uint32_t>(__popc(kept[round]));
        }
    }
    __syncthreads();
    const GroupSums sums = sum_groups(shared.group_counts);
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        if ((kept[round] >> lane() & 1U) != 0) {
            const int at = carried + static_cast<int>(sums.before[round] + votes_before(kept[round]));
            shared.bytes[at] = arguments.lowercase ? ascii_lowercase(bytes[round]) : bytes[round];
        }
    }
    __syncthreads();
    return carried + static_cast<int>(sums.all);
}

enum class Kind { blank, mark, word };

__device__ __forceinline__ Kind kind_of(std::uint8_t byte) {
    return is_ascii_whitespace(byte) ? Kind::blank : (is_ascii_punctuation(byte) ? Kind::mark : Kind::word);
}

// Words and punctuation marks that begin in `bytes`, and those of them that are seen to end.
struct Words {
    int begun;
    int ended;
};

// Finds the words of `size` bytes; if some were carried, those are the first one, whose end is not among
// them. Ends with a barrier.
__device__ __forceinline__ Words find_words(int carried, int size, const Shared& shared) {
    unsigned begins[kRounds], ends[kRounds];
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const int at = carried + round * kThreads + static_cast<int>(threadIdx.x);
        const bool inside = at < size;
        const Kind here = inside ? kind_of(shared.bytes[at]) : Kind::blank;
        const Kind before = inside && at > 0 ? kind_of(shared.bytes[at - 1]) : Kind::blank;
        const bool begin = here == Kind::mark || (here == Kind::word && before != Kind::word);
        const bool end = inside && (before == Kind::mark || (before == Kind::word && here != Kind::word));
        begins[round] = __ballot_sync(0xFFFFFFFF, begin ? 1 : 0);
        ends[round] = __ballot_sync(0xFFFFFFFF, end ? 1 : 0);
        if (lane() == 0) {  // at most kChunk of each
            shared.group_counts[round * kWarps + warp()] =
                static_cast<std::uint32_t>(__popc(begins[round]) | __popc(ends[round]) << 16);
        }
    }
    __syncthreads();
    const GroupSums sums = sum_groups(shared.group_counts);
    const std::uint32_t first = carried > 0 ? 1 : 0;
    if (carried > 0 && threadIdx.x == 0) {
        shared.begins[0] = 0;
    }
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const auto at =
            static_cast<std::uint16_t>(carried + round * kThreads + static_cast<int>(threadIdx.x));
        if ((begins[round] >> lane() & 1U) != 0) {
            shared.begins[first + (sums.before[round] & 0xFFFF) + votes_before(begins[round])] = at;
        }
        if ((ends[round] >> lane() & 1U) != 0) {
            shared.ends[(sums.before[round] >> 16) + votes_before(ends[round])] = at;
        }
    }
    __syncthreads();
    return {static_cast<int>(first + (sums.all & 0xFFFF)), static_cast<int>(sums.all >> 16)};
}

// Finds the tokens of one word and returns how many.
__device__ __forceinline__ std::uint32_t find_tokens(const WordPieceArguments& arguments, int begin, int end,
                                                     const Shared& shared) {
    std::uint32_t count = 0;
    if (end - begin <= arguments.maximum_word_characters) {
        count =
            match_word(arguments.trie, shared.bytes + begin, shared.bytes + end, shared.ids + begin, nullptr);
    }
    if (count == 0) {
        shared.ids[begin] = arguments.unknown_id;
        count = 1;
    }
    return count;
}

// The sum of the values of threads before this one, and that of all. Has a barrier.
struct BlockSums {
    std::uint32_t before;
    std::uint32_t all;
};

__device__ __forceinline__ BlockSums sum_block(std::uint32_t value, std::uint32_t (&warp_counts)[kWarps]) {
    const std::uint32_t sum = sum_up_to_lane(value);
    if (lane() == 31) {
        warp_counts[warp()] = sum;
    }
    __syncthreads();
    BlockSums made{sum - value, 0};
    for (int i = 0; i < kWarps; ++i) {
        made.before += i < warp() ? warp_counts[i] : 0;
        made.all += warp_counts[i];
    }
    return made;
}

// Adds the tokens of the first `words` words, of which the last may end with the bytes, to the `count` that
// the text has, and returns how many it has then. Stops somewhere behind enough of them.
__device__ __forceinline__ std::uint64_t add_words(const WordPieceArguments& arguments, const TextTask& text,
                                                   int words, int ended, int size, std::uint64_t count,
                                                   const Shared& shared) {
    for (int first = 0; first < words && count < arguments.enough; first += kThreads) {
        const int word = first + static_cast<int>(threadIdx.x);
        int begin = 0;
        std::uint32_t own = 0;
        if (word < words) {
            begin = shared.begins[word];
            own = find_tokens(arguments, begin, word < ended ? shared.ends[word] : size, shared);
        }
        const BlockSums sums = sum_block(own, shared.warp_counts[first / kThreads % 2]);
        const std::uint64_t at = count + sums.before;
        count += sums.all;
        // Where the last tokens are wanted, no two of a round may go to one place.
        const auto capacity = static_cast<std::uint32_t>(text.capacity);
        std::uint32_t place = capacity > 0 ? static_cast<std::uint32_t>(at) % capacity : 0;
        for (std::uint32_t i = 0; i < own; ++i) {
            const std::uint64_t number = at + i;
            if (arguments.truncate_left ? number + capacity >= count : number < capacity) {
                text.tokens[place] = shared.ids[begin + i];
            }
            place = place + 1 < capacity ? place + 1 : 0;
        }
    }
    return count;
}

// Moves the bytes from `begin` on to the front, as many as matter, and returns how many. Begins with a
// barrier before they change.
__device__ __forceinline__ int keep_unfinished(const WordPieceArguments& arguments, int begin, int size,
                                               const Shared& shared) {
    const int most = arguments.maximum_word_characters + 1;
    const int carried = size - begin < most ? size - begin : most;
    std::uint8_t bytes[kRounds];
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const int at = round * kThreads + static_cast<int>(threadIdx.x);
        bytes[round] = at < carried ? shared.bytes[begin + at] : std::uint8_t{0};
    }
    __syncthreads();
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
        const int at = round * kThreads + static_cast<int>(threadIdx.x);
        if (at < carried) {
            shared.bytes[at] = bytes[round];
        }
    }
    return carried;
}

// Returns how many tokens the text has, or those that it was read for.
__device__ __forceinline__ std::uint64_t tokenize(const WordPieceArguments& arguments, const TextTask& text,
                                                  const Shared& shared) {
    std::uint64_t count = 0;
    int carried = 0;
    for (int begin = 0; begin < text.size && count < arguments.enough; begin += kChunk) {
        const bool last = text.size - begin <= kChunk;
        const int size = load(arguments, text, begin, carried, shared);
        const Words words = find_words(carried, size, shared);
        count =
            add_words(arguments, text, last ? words.begun : words.ended, words.ended, size, count, shared);
        carried = 0;
        if (!last && words.ended < words.begun) {
            carried = keep_unfinished(arguments, shared.begins[words.ended], size, shared);
        }
    }
    return count;
}

// Writes `kept` of the text's tokens, the first ones or the last ones, from the element `at` on.
__device__ __forceinline__ void write_tokens(const WordPieceArguments& arguments, const TextTask& text,
                                             std::uint64_t count, std::uint64_t kept, std::int32_t type_id,
                                             std::int64_t at) {
    const auto capacity = static_cast<std::uint32_t>(text.capacity);
    const std::uint32_t begin =
        arguments.truncate_left && kept > 0 ? static_cast<std::uint32_t>(count - kept) % capacity : 0;
    for (auto i = static_cast<std::uint32_t>(threadIdx.x); i < kept; i += kThreads) {
        const std::uint32_t place = begin + i < capacity ? begin + i : begin + i - capacity;
        arguments.batch.write(at + i, text.tokens[place], 1, type_id);
    }
}

__device__ __forceinline__ void write_row(const WordPieceArguments& arguments, std::int64_t row,
                                          const TextTask* texts, const TokenCounts& full,
                                          const TokenCounts& kept) {
    const std::int64_t length = arguments.batch.length;
    const std::int64_t tokens = arguments.special + static_cast<std::int64_t>(kept.first + kept.second);
    for (std::int64_t i = threadIdx.x; i < length - tokens; i += kThreads) {
        const std::int64_t column = arguments.pad_left ? i : tokens + i;
        arguments.batch.write(row * length + column, arguments.pad_id, 0, arguments.pad_type_id);
    }
    std::int64_t at = row * length + (arguments.pad_left ? length - tokens : 0);
    for (int i = 0; i < arguments.piece_count; ++i) {
        const TemplateToken piece = arguments.pieces[i];
        if (piece.text < 0) {
            if (arguments.add_special_tokens) {
                if (threadIdx.x == 0) {
                    arguments.batch.write(at, piece.id, 1, piece.type_id);
                }
                ++at;
            }
        } else {
            const std::uint64_t count = piece.text == 0 ? full.first : full.second;
            const std::uint64_t stay = piece.text == 0 ? kept.first : kept.second;
            write_tokens(arguments, texts[piece.text], count, stay, piece.type_id, at);
            at += static_cast<std::int64_t>(stay);
        }
    }
    if (threadIdx.x == 0) {
        arguments.lengths[row] = static_cast<std::int32_t>(tokens);
        arguments.truncated[row] = kept.first < full.first || kept.second < full.second ? 1 : 0;
    }
}

}  // namespace wordpiece

extern "C" __global__ void __launch_bounds__(kWordPieceThreads, wordpiece::kBlocks)
    tundish_wordpiece(const WordPieceArguments arguments) {
    using namespace wordpiece;
    __shared__ Bytes bytes;
    __shared__ Ids ids;
    __shared__ Places begins, ends;
    __shared__ GroupCounts group_counts;
    __shared__ WarpCounts warp_counts;
    const Shared shared{bytes, ids, begins, ends, group_counts, warp_counts};

    const std::int64_t row = blockIdx.x;
    const TextTask* const texts = arguments.texts + row * arguments.texts_of_row;
    TokenCounts full{0, 0};
    for (int i = 0; i < arguments.texts_of_row; ++i) {
        const TextTask text = texts[i];
        const std::uint64_t count =
            text.count >= 0 ? static_cast<std::uint64_t>(text.count) : tokenize(arguments, text, shared);
        (i == 0 ? full.first : full.second) = count;
    }
    __syncthreads();
    const TokenCounts kept = keep_longest_first(full, arguments.room, arguments.texts_of_row == 2);
    write_row(arguments, row, texts, full, kept);
}

}  // namespace tundish::cuda
