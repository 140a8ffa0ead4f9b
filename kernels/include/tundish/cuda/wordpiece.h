// wordpiece on an NVIDIA GPU: texts of the host become padded batches in the GPU's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tundish/cuda/device.h"
#include "tundish/pack.h"
#include "tundish/wordpiece.h"

namespace tundish::cuda {

// A tokenizer's tables in a GPU's memory; only read, by any number of calls at a time.
class WordPiece {
  public:
    // Copies the tables and waits until they are there. `device` and `tokenizer` must outlive this. Throws
    // std::runtime_error if there is not so much memory.
    WordPiece(const Device& device, const tundish::WordPiece& tokenizer);
    // Waits for the GPU to be done with them.
    ~WordPiece();
    WordPiece(const WordPiece&) = delete;
    WordPiece& operator=(const WordPiece&) = delete;

    struct State;
    const State& state() const { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

// Arrays in the GPU's memory that the caller owns. Of `rows` mask and type_ids may be null.
template <class Integer>
struct TokenBatch {
    PackDestination<Integer> rows;
    std::int32_t* lengths;    // [batch] tokens of each row, special ones included
    std::uint8_t* truncated;  // [batch] whether tokens were left out: 0 or 1
};

// Bytes of the workspace that wordpiece_into needs for `texts` texts (a pair is two) of `text_bytes` in all
// and rows of `length`. It never falls as one of the three grows, so that the largest that can come are
// enough.
std::size_t wordpiece_workspace_bytes(std::size_t texts, std::size_t text_bytes, std::size_t length);

// Tokenizes texts, or pairs of texts if `pairs` is not null, one to a row, and pads the rows: what
// tundish::wordpiece_into and tundish::pack_into give together, to the bit, but no offsets and no word ids.
// `options.maximum_tokens` is at most the rows' length, and -1 says that length; of the strategies it takes
// longest_first alone, since the others may refuse a text only once it has been tokenized.
//
// The GPU tokenizes texts of ASCII without added tokens in them. The others the CPU tokenizes, on the calling
// thread and before anything is launched; returns how many those were. One copy to the GPU and one launch on
// `stream`, a block for each row. It waits for the copy of the workspace's previous call, and for nothing
// else; allocates nothing on the GPU, and on the host only what the CPU form does for the texts that are left
// to it, and for each text if the tokenizer has normalised added tokens. Texts are borrowed for the call;
// the arrays' memory and the tokenizer must stay until the work is done.
//
// Throws std::invalid_argument as both CPU forms do, and for an array that is not in this GPU's memory, a
// tokenizer on another GPU than the workspace, a workspace that is too small, no rows or columns or more than
// 2^31 - 1; std::runtime_error if the driver refuses. Then nothing was launched.
template <class Integer>
std::size_t wordpiece_into(const TokenBatch<Integer>& destination, const WordPiece& tokenizer,
                           const TextView* texts, const TextView* pairs, const WordPieceOptions& options,
                           const Padding& padding, Workspace& workspace, Stream stream);

extern template std::size_t wordpiece_into(const TokenBatch<std::int32_t>&, const WordPiece&, const TextView*,
                                           const TextView*, const WordPieceOptions&, const Padding&,
                                           Workspace&, Stream);
extern template std::size_t wordpiece_into(const TokenBatch<std::int64_t>&, const WordPiece&, const TextView*,
                                           const TextView*, const WordPieceOptions&, const Padding&,
                                           Workspace&, Stream);

}  // namespace tundish::cuda
