// Products of patches and weights by AMX, which multiplies matrices that are held in tiles: 16 rows of 64
// bytes each.
//
// Rows of the first matrix are positions, of which a tile has a run of their values; columns of the second
// are channels of the output, by 16, in the order in which other instruction sets have their weights. Four
// tiles hold sums, of 64 channels for one tile of positions, of 32 for two or of 16 for four. While products
// are computed, the sums before them are finished.
#pragma once

#if defined(__AMX_INT8__)
#define TUNDISH_TILES 1

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "patches.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileBytes = 64;  // of a row
constexpr std::size_t kTileChannels = 16;
constexpr std::size_t kTileSums = kTileRows * kTileChannels;
constexpr std::size_t kSumTiles = 4;

// Tiles of positions whose blocks are computed one after the other: their values stay in the cache meanwhile,
// and weights are read once for all of them.
constexpr std::size_t kTilesTogether = 16;

// What LDTILECFG reads. Tiles 0 to 3 are sums, 4 and 5 values, 6 and 7 weights.
struct alignas(64) TileShapes {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};

    TileShapes(std::size_t positions, std::size_t fours) {
        set(0, 4, positions, kTileBytes);
        set(4, 6, positions, fours * kFour);
        set(6, 8, fours, kTileBytes);
    }

  private:
    void set(std::size_t begin, std::size_t end, std::size_t row_count, std::size_t bytes) {
        for (std::size_t i = begin; i < end; ++i) {
            row_bytes[i] = static_cast<std::uint16_t>(bytes);
            rows[i] = static_cast<std::uint8_t>(row_count);
        }
    }
};

// Cuts each row of positions into tiles of one height; the last may have some of those of the one before, so
// that none is lower.
class PositionTiles {
  public:
    explicit PositionTiles(const Patches& patches)
        : patches_(patches),
          of_row_((patches.columns + kTileRows - 1) / kTileRows),
          height_((patches.columns + of_row_ - 1) / of_row_) {}

    std::size_t count() const { return patches_.rows * of_row_; }
    std::size_t height() const { return height_; }
    const std::uint8_t* values(std::size_t tile) const {
        return patches_.values + tile / of_row_ * patches_.row_bytes + column(tile) * patches_.column_bytes;
    }
    // The first of them, among all.
    std::size_t position(std::size_t tile) const { return tile / of_row_ * patches_.columns + column(tile); }

  private:
    std::size_t column(std::size_t tile) const {
        const std::size_t first = tile % of_row_ * height_, last = patches_.columns - height_;
        return first < last ? first : last;
    }

    const Patches& patches_;
    std::size_t of_row_;
    std::size_t height_;
};

// The products of one tile of positions and 64 channels.
inline void multiply_64(const Patches& patches, const std::uint8_t* weights, const std::uint8_t* values) {
    constexpr long kStep = 4 * kTileBytes;
    const auto step = static_cast<long>(patches.column_bytes);
    for (std::size_t i = 0; i < patches.run_count; ++i) {
        _tile_loadd(4, values + patches.runs[i], step);
        _tile_loadd(6, weights, kStep);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, weights + kTileBytes, kStep);
        _tile_dpbusd(1, 4, 7);
        _tile_loadd(6, weights + 2 * kTileBytes, kStep);
        _tile_dpbusd(2, 4, 6);
        _tile_loadd(7, weights + 3 * kTileBytes, kStep);
        _tile_dpbusd(3, 4, 7);
        weights += patches.fours * kStep;
    }
}

// Those of two tiles of positions and 32 channels.
inline void multiply_32(const Patches& patches, const std::uint8_t* weights,
                        const std::uint8_t* const* values) {
    constexpr long kStep = 2 * kTileBytes;
    const auto step = static_cast<long>(patches.column_bytes);
    for (std::size_t i = 0; i < patches.run_count; ++i) {
        _tile_loadd(4, values[0] + patches.runs[i], step);
        _tile_loadd(6, weights, kStep);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, weights + kTileBytes, kStep);
        _tile_dpbusd(1, 4, 7);
        _tile_loadd(5, values[1] + patches.runs[i], step);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
        weights += patches.fours * kStep;
    }
}

// Those of four tiles of positions and 16 channels.
inline void multiply_16(const Patches& patches, const std::uint8_t* weights,
                        const std::uint8_t* const* values) {
    constexpr long kStep = kTileBytes;
    const auto step = static_cast<long>(patches.column_bytes);
    for (std::size_t i = 0; i < patches.run_count; ++i) {
        _tile_loadd(6, weights, kStep);
        _tile_loadd(4, values[0] + patches.runs[i], step);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(5, values[1] + patches.runs[i], step);
        _tile_dpbusd(1, 5, 6);
        _tile_loadd(4, values[2] + patches.runs[i], step);
        _tile_dpbusd(2, 4, 6);
        _tile_loadd(5, values[3] + patches.runs[i], step);
        _tile_dpbusd(3, 5, 6);
        weights += patches.fours * kStep;
    }
}

inline void store_sums(std::size_t width, std::int32_t* sums) {
    const auto step = static_cast<long>(width * sizeof *sums);
    // To the right while there are channels, then to the positions below.
    const auto at = [=](std::size_t tile) {
        const std::size_t across = width / kTileChannels;
        return sums + tile / across * kTileRows * width + tile % across * kTileChannels;
    };
    _tile_stored(0, at(0), step);
    _tile_stored(1, at(1), step);
    _tile_stored(2, at(2), step);
    _tile_stored(3, at(3), step);
}

// Computes blocks of channels for groups of tiles of positions. Where a block begins is its `weights`, and of
// how many channels it is, its `width`; `finish(block, sums, position, count)` is given the sums [count,
// width] of so many positions, in no order and some of them twice.
template <typename Block, typename Finish>
class TileProducts {
  public:
    TileProducts(const Patches& patches, const Finish& finish)
        : patches_(patches), tiles_(patches), finish_(finish) {
        const TileShapes shapes(tiles_.height(), patches.fours);
        asm volatile("" : : "r"(&shapes) : "memory");  // GCC takes the first of its words alone for read
        _tile_loadconfig(&shapes);
    }

    void run(const Block* blocks, std::size_t block_count) {
        for (std::size_t begin = 0; begin < tiles_.count(); begin += kTilesTogether) {
            const std::size_t room = tiles_.count() - begin;
            count_ = room < kTilesTogether ? room : kTilesTogether;
            for (std::size_t tile = 0; tile < count_; ++tile) {
                values_[tile] = tiles_.values(begin + tile);
                positions_[tile] = tiles_.position(begin + tile);
            }
            for (std::size_t tile = count_; tile < kTilesTogether; ++tile) {
                values_[tile] = values_[0];  // read, and not finished
            }
            for (std::size_t i = 0; i < block_count; ++i) {
                compute(blocks[i]);
            }
        }
        finish_waiting();
        _tile_release();  // others take what they find for their own
    }

  private:
    void compute(const Block& block) {
        const std::size_t together = 64 / block.width;
        for (std::size_t tile = 0; tile < count_; tile += together) {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            if (block.width == 64) {
                multiply_64(patches_, block.weights, values_[tile]);
            } else if (block.width == 32) {
                multiply_32(patches_, block.weights, values_ + tile);
            } else {
                multiply_16(patches_, block.weights, values_ + tile);
            }
            finish_waiting();
            waiting_ = sums_[turn_];
            store_sums(block.width, sums_[turn_]);
            turn_ = 1 - turn_;
            block_ = &block;
            const std::size_t left = count_ - tile;
            waiting_tiles_ = left < together ? left : together;
            for (std::size_t i = 0; i < waiting_tiles_; ++i) {
                waiting_positions_[i] = positions_[tile + i];
            }
        }
    }

    // The sums of the products before those that are computed.
    void finish_waiting() const {
        for (std::size_t tile = 0; tile < waiting_tiles_; ++tile) {
            finish_(*block_, waiting_ + tile * kTileRows * block_->width, waiting_positions_[tile],
                    tiles_.height());
        }
    }

    const Patches& patches_;
    const PositionTiles tiles_;
    const Finish& finish_;

    // Of a group.
    std::size_t count_ = 0;
    const std::uint8_t* values_[kTilesTogether] = {};
    std::size_t positions_[kTilesTogether] = {};

    const std::int32_t* waiting_ = nullptr;
    const Block* block_ = nullptr;
    std::size_t waiting_tiles_ = 0;
    std::size_t waiting_positions_[kSumTiles] = {};

    std::size_t turn_ = 0;
    alignas(64) std::int32_t sums_[2][kSumTiles * kTileSums];
};

}  // namespace
}  // namespace TUNDISH_ISA
}  // namespace tundish

#endif
