// Transposes blocks of 16 × 16 bytes, so that one weight meets the same pixel of sixteen rows in adjacent
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wide.h"

namespace tundish {
namespace TUNDISH_ISA {

// GCC and Clang share this vector extension, but not, before GCC 12, the name of its shuffle.
typedef std::uint8_t Bytes16 __attribute__((vector_size(16)));

inline Bytes16 interleave_low(Bytes16 a, Bytes16 b) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#else
    return __builtin_shuffle(a, b, Bytes16{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
#endif
}

inline Bytes16 interleave_high(Bytes16 a, Bytes16 b) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#else
    return __builtin_shuffle(a, b, Bytes16{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
#endif
}

// Each round is a perfect shuffle of all 256 bytes: it rotates the eight bits of a byte's address (row,
// column) left by one, so that four rounds swap row and column.
inline void transpose(Bytes16 block[16]) {
    for (int round = 0; round < 4; ++round) {
        Bytes16 shuffled[16];
        for (int i = 0; i < 8; ++i) {
            shuffled[2 * i] = interleave_low(block[i], block[i + 8]);
            shuffled[2 * i + 1] = interleave_high(block[i], block[i + 8]);
        }
        for (int i = 0; i < 16; ++i) {
            block[i] = shuffled[i];
        }
    }
}

#if defined(TUNDISH_WIDE)
// The same for a block in each lane of wide registers.
inline void transpose(Wide::Type block[16]) {
    for (int round = 0; round < 4; ++round) {
        Wide::Type shuffled[16];
        for (int i = 0; i < 8; ++i) {
            shuffled[2 * i] = Wide::low8(block[i], block[i + 8]);
            shuffled[2 * i + 1] = Wide::high8(block[i], block[i + 8]);
        }
        for (int i = 0; i < 16; ++i) {
            block[i] = shuffled[i];
        }
    }
}

// Sixteen rows of kBytes to kBytes columns of sixteen.
inline void transpose_lanes(const std::uint8_t* const* rows, std::size_t offset, std::uint8_t* output) {
    Wide::Type block[16];
    for (int row = 0; row < 16; ++row) {
        block[row] = Wide::load(rows[row] + offset);
    }
    transpose(block);
    for (std::size_t column = 0; column < 16; ++column) {
        Wide::store_lanes(block[column], output + column * 16, 256);
    }
}
#endif

// Reads `size` bytes of sixteen rows and writes [size][16].
inline void rows_to_columns(const std::uint8_t* const* rows, std::size_t size, std::uint8_t* output) {
    if (size < 16) {
        for (std::size_t column = 0; column < size; ++column) {
            for (std::size_t row = 0; row < 16; ++row) {
                output[column * 16 + row] = rows[row][column];
            }
        }
        return;
    }
    std::size_t done = 0;
#if defined(TUNDISH_WIDE)
    for (; done + Wide::kBytes <= size; done += Wide::kBytes) {
        transpose_lanes(rows, done, output + done * 16);
    }
#endif
    for (std::size_t column = done; column < size; column += 16) {
        // The last block overlaps the one before it rather than read past the end of a row.
        const std::size_t start = column + 16 <= size ? column : size - 16;
        Bytes16 block[16];
        for (int row = 0; row < 16; ++row) {
            std::memcpy(&block[row], rows[row] + start, 16);
        }
        transpose(block);
        std::memcpy(output + start * 16, block, sizeof block);
    }
}

// Writes a tile [16 pixels][3 channels][16 rows], behind which kTileSlack bytes are read, to sixteen bytes of
// three planes of each row.
constexpr std::size_t kTileSlack = 16;

inline void tile_to_rows(const std::uint8_t* tile, std::uint8_t* const* rows, std::size_t offset,
                         std::size_t plane_stride) {
#if defined(TUNDISH_WIDE)
    constexpr std::size_t kLanes = Wide::kBytes / 16;
    for (std::size_t channel = 0; channel < 3; channel += kLanes) {
        Wide::Type block[16];
        for (std::size_t pixel = 0; pixel < 16; ++pixel) {
            block[pixel] = Wide::load(tile + 48 * pixel + 16 * channel);
        }
        transpose(block);
        const std::size_t lanes = kLanes < 3 - channel ? kLanes : 3 - channel;
        for (int row = 0; row < 16; ++row) {
            Wide::store_lanes(block[row], rows[row] + offset + channel * plane_stride, plane_stride, lanes);
        }
    }
#else
    for (std::size_t channel = 0; channel < 3; ++channel) {
        Bytes16 block[16];
        for (std::size_t pixel = 0; pixel < 16; ++pixel) {
            std::memcpy(&block[pixel], tile + 48 * pixel + 16 * channel, 16);
        }
        transpose(block);
        for (int row = 0; row < 16; ++row) {
            std::memcpy(rows[row] + offset + channel * plane_stride, &block[row], 16);
        }
    }
#endif
}

}  // namespace TUNDISH_ISA
}  // namespace tundish
