// Lays out and fills in what a launch of wordpiece reads: a tokenizer's tables, and the texts of a call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../cpu/wordpiece_checks.h"
#include "tundish/pack.h"
#include "tundish/wordpiece.h"
#include "wordpiece_arguments.h"

namespace tundish::cuda {

// Bytes that the tables take.
std::size_t table_bytes(const tundish::WordPiece& tokenizer);

// Writes the tables to `host`, table_bytes long and aligned to 4; they will be read at `device`.
TokenizerTables write_tables(const tundish::WordPiece& tokenizer, void* host, const void* device);

// What a call is about; borrows the arrays. `tables` are those of `tokenizer`.
struct WordPieceBatch {
    const tundish::WordPiece& tokenizer;
    const TokenizerTables& tables;
    const TextView* texts;
    const TextView* pairs;  // or null
    std::size_t count;
    const WordPieceOptions& options;  // with a maximum of tokens
};

struct WordPiecePlan {
    WordPieceArguments arguments;  // but for the destination and its padding
    std::size_t bytes;             // to be copied to the GPU
    std::size_t on_cpu;            // texts that the CPU has tokenized
};

// Writes tasks, bytes, and the tokens of what the GPU cannot tokenize to `host`; they will be read at
// `device`. Both are of `bytes`, wordpiece_workspace_bytes at least, and aligned to 8; the GPU also writes
// there, behind what is copied. Throws std::invalid_argument for a text that is null, too long or not UTF-8.
WordPiecePlan write_plan(const WordPieceBatch& batch, void* host, void* device, std::size_t bytes);

}  // namespace tundish::cuda
