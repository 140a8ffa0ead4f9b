// Rows of a camera's pixel format to interleaved RGB; compiled once per instruction set, see row_kernels.cpp.
//
// A row is worked through in chunks of 64 pixels that are first spread into one byte a channel and pixel,
// then converted by loops that every compiler vectorises, then interleaved. Of the last chunk only the pixels
// that are there are read and written.
#include "convert_rows.h"

#include <cstring>

#include "interleave.h"
#include "row_kernels.h"
#include "tundish/pixel.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kChunk = 64;

struct Planes {
    alignas(64) std::uint8_t bytes[3][kChunk];

    // Interleaves the first `length` pixels.
    void write(std::size_t length, std::uint8_t* rgb) const {
        interleave(bytes[0], bytes[1], bytes[2], length, rgb);
    }
};

std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

void grey_row(const std::uint8_t* pixels, std::size_t length, std::uint8_t* rgb) {
    interleave(pixels, pixels, pixels, length, rgb);
}

// The loops read little-endian words, in which the first byte in memory is the lowest.
struct Nv12 {
    static void spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t*, std::size_t begin,
                       std::size_t length, Planes& yuv) {
        std::uint16_t pairs[kChunk / 2] = {};
        std::uint16_t spread[2][kChunk / 2];
        std::memcpy(pairs, u + begin, length);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            spread[0][i] = static_cast<std::uint16_t>((pairs[i] & 0xFF) | (pairs[i] << 8));
            spread[1][i] = static_cast<std::uint16_t>((pairs[i] >> 8) | (pairs[i] & 0xFF00));
        }
        std::memcpy(yuv.bytes[0], y + begin, length);
        std::memcpy(yuv.bytes[1], spread, sizeof spread);
    }
};

struct I420 {
    static void spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, std::size_t begin,
                       std::size_t length, Planes& yuv) {
        std::uint8_t samples[2][kChunk / 2] = {};
        std::uint16_t spread[2][kChunk / 2];
        std::memcpy(samples[0], u + begin / 2, length / 2);
        std::memcpy(samples[1], v + begin / 2, length / 2);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            spread[0][i] = static_cast<std::uint16_t>(samples[0][i] * 0x101);
            spread[1][i] = static_cast<std::uint16_t>(samples[1][i] * 0x101);
        }
        std::memcpy(yuv.bytes[0], y + begin, length);
        std::memcpy(yuv.bytes[1], spread, sizeof spread);
    }
};

// Four bytes hold two pixels; the shifts say where Y and U of the first begin, Y and V of the second are 16
// bits on.
template <int kLuma, int kChroma>
struct Packed {
    static void spread(const std::uint8_t* y, const std::uint8_t*, const std::uint8_t*, std::size_t begin,
                       std::size_t length, Planes& yuv) {
        std::uint32_t words[kChunk / 2] = {};
        std::uint16_t spread[3][kChunk / 2];
        std::memcpy(words, y + 2 * begin, 2 * length);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            const std::uint32_t luma = words[i] >> kLuma;
            const std::uint32_t chroma = words[i] >> kChroma;
            spread[0][i] = static_cast<std::uint16_t>((luma & 0xFF) | ((luma >> 8) & 0xFF00));
            spread[1][i] = static_cast<std::uint16_t>((chroma & 0xFF) * 0x101);
            spread[2][i] = static_cast<std::uint16_t>(((chroma >> 16) & 0xFF) * 0x101);
        }
        std::memcpy(yuv.bytes[0], spread, sizeof spread);
    }
};

template <typename Format>
void yuv_row(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, std::size_t length,
             std::uint8_t* rgb) {
    Planes yuv = {};
    Planes planes;
    for (std::size_t begin = 0; begin < length; begin += kChunk) {
        const std::size_t count = least(kChunk, length - begin);
        Format::spread(y, u, v, begin, count, yuv);
        for (std::size_t i = 0; i < kChunk; ++i) {
            const YuvToRgb pixel(yuv.bytes[0][i], yuv.bytes[1][i], yuv.bytes[2][i]);
            planes.bytes[0][i] = static_cast<std::uint8_t>(pixel.red);
            planes.bytes[1][i] = static_cast<std::uint8_t>(pixel.green);
            planes.bytes[2][i] = static_cast<std::uint8_t>(pixel.blue);
        }
        planes.write(count, rgb + 3 * begin);
    }
}

void bayer_row(const std::uint8_t* const rows[3], BayerRow kind, std::size_t length, std::uint8_t* rgb) {
    std::uint8_t green_here[kChunk];  // 255 where the pixel itself is green
    for (std::size_t i = 0; i < kChunk; ++i) {
        green_here[i] = (i % 2 == 0) == kind.green_first ? 255 : 0;
    }
    std::uint8_t window[3][kChunk + 2] = {};
    Planes planes;
    // On a row with red pixels, the other colour of a green pixel is above and below it, and blue.
    std::uint8_t* const own = planes.bytes[kind.red ? 0 : 2];
    std::uint8_t* const other = planes.bytes[kind.red ? 2 : 0];
    for (std::size_t begin = 0; begin < length; begin += kChunk) {
        const std::size_t count = least(kChunk, length - begin);
        for (int row = 0; row < 3; ++row) {
            std::memcpy(window[row], rows[row] + begin, count + 2);
        }
        for (std::size_t i = 0; i < kChunk; ++i) {
            const unsigned vertical = window[0][i + 1] + window[2][i + 1];
            const unsigned horizontal = window[1][i] + window[1][i + 2];
            const unsigned corners = window[0][i] + window[0][i + 2] + window[2][i] + window[2][i + 2];
            const unsigned here = window[1][i + 1];
            const unsigned green = green_here[i];
            planes.bytes[1][i] = static_cast<std::uint8_t>(green ? here : (vertical + horizontal + 2) >> 2);
            own[i] = static_cast<std::uint8_t>(green ? (horizontal + 1) >> 1 : here);
            other[i] = static_cast<std::uint8_t>(green ? (vertical + 1) >> 1 : (corners + 2) >> 2);
        }
        planes.write(count, rgb + 3 * begin);
    }
}

}  // namespace

extern const ConvertKernels kConvertKernels = {
    grey_row, yuv_row<Nv12>, yuv_row<I420>, yuv_row<Packed<0, 8>>, yuv_row<Packed<8, 0>>, bayer_row};

}  // namespace TUNDISH_ISA
}  // namespace tundish
