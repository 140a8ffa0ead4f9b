// Binary masks as COCO's compressed run lengths and back, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

constexpr std::int64_t kMaximumRunExtent = 65535;

// A C-contiguous [batch, height, width] array that the caller owns; not 0 where the mask is.
struct Masks {
    const std::uint8_t* data;
    std::int64_t batch;
    std::int64_t height;
    std::int64_t width;
};

// C-contiguous arrays that the caller owns: text [batch, capacity] and lengths [batch].
struct RunLengths {
    std::uint8_t* text;
    std::int64_t* lengths;
    std::int64_t capacity;
};

// Writes the text of each mask to its row and its length in bytes to `lengths`. A length above `capacity`
// says that the text did not fit: the row holds its beginning. No text is longer than 2 × height × width + 14
// bytes; bytes of a row behind its text are left as they were.
//
// The text: columns from left to right, each from top to bottom, as the lengths of alternating runs, the
// first of pixels that are 0 (and of length 0 if there are none). From the fourth on, a length is given by
// its difference to the one two before. Each number is cut, from its lowest bits, into pieces of five bits
// until the rest is the sign of the last; a piece is the character 48 + piece, + 32 if another follows.
//
// All instruction sets give the same bytes. Blocks, on the calling thread alone; safe to call from many
// threads. Borrows all arguments for the call. Scratch memory is 8 bytes for each row, freed before the
// return.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: a null pointer, a size below 1, an extent above kMaximumRunExtent, overlapping memory, an
// instruction set that is not available. Throws std::bad_alloc.
void run_length_encode_into(const RunLengths& destination, const Masks& masks, Isa isa = selected_isa());

// A text of the caller's.
struct RunText {
    const std::uint8_t* data;
    std::size_t length;
};

// A C-contiguous [batch, height, width] array that the caller owns.
struct MaskDestination {
    std::uint8_t* data;
    std::int64_t batch;
    std::int64_t height;
    std::int64_t width;
};

// Writes the masks of `batch` texts, 0 and 1. Allocates nothing. Throws std::invalid_argument, before
// anything is written: sizes and memory as above, or a text that is not of a mask of this size.
void run_length_decode_into(const MaskDestination& destination, const RunText* texts);

}  // namespace tundish
