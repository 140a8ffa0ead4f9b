// Rows of a camera's pixel format to interleaved RGB; compiled once per instruction set, see row_kernels.cpp.
//
// A row is worked through in chunks of 64 pixels. Of the last one only the pixels that are there are read and
// written.
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

// Copies kNumerator / kDenominator bytes a pixel of a chunk. Almost every chunk is full, and copying a known
// size takes no call.
template <std::size_t kNumerator, std::size_t kDenominator = 1>
void copy_pixels(const std::uint8_t* source, std::size_t length, void* output) {
    if (length == kChunk) {
        std::memcpy(output, source, kChunk * kNumerator / kDenominator);
    } else {
        std::memcpy(output, source, length * kNumerator / kDenominator);
    }
}

void grey_row(const std::uint8_t* pixels, std::size_t length, std::uint8_t* rgb) {
    interleave(pixels, pixels, pixels, length, rgb);
}

// A chunk as NV12 has it: a pair of U and V for each two pixels, U in the low byte.
struct Yuv {
    alignas(64) std::uint8_t y[kChunk];
    alignas(64) std::uint16_t uv[kChunk / 2];
};

// Each gives where a chunk's Y and pairs of chroma are: a full one's in the row itself, where they can be
// read there, else in `yuv`. The loops read little-endian words, in which the first byte in memory is the
// lowest.
struct Chunk {
    const std::uint8_t* y;
    const void* uv;
};

struct Nv12 {
    static Chunk spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t*, std::size_t begin,
                        std::size_t length, Yuv& yuv) {
        if (length == kChunk) {
            return {y + begin, u + begin};
        }
        std::memcpy(yuv.uv, u + begin, length);
        std::memcpy(yuv.y, y + begin, length);
        return {yuv.y, yuv.uv};
    }
};

struct I420 {
    static Chunk spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v,
                        std::size_t begin, std::size_t length, Yuv& yuv) {
        pair(u + begin / 2, v + begin / 2, length / 2, yuv.uv);
        if (length == kChunk) {
            return {y + begin, yuv.uv};
        }
        std::memcpy(yuv.y, y + begin, length);
        return {yuv.y, yuv.uv};
    }

    static void pair(const std::uint8_t* __restrict u, const std::uint8_t* __restrict v, std::size_t length,
                     std::uint16_t* __restrict uv) {
        for (std::size_t i = 0; i < length; ++i) {
            uv[i] = static_cast<std::uint16_t>(u[i] | v[i] << 8);
        }
    }
};

// Four bytes hold two pixels; the shifts say where Y and U of the first begin, Y and V of the second are 16
// bits on.
template <int kLuma, int kChroma>
struct Packed {
    static Chunk spread(const std::uint8_t* y, const std::uint8_t*, const std::uint8_t*, std::size_t begin,
                        std::size_t length, Yuv& yuv) {
        std::uint32_t words[kChunk / 2] = {};
        std::uint16_t luma[kChunk / 2];
        copy_pixels<2>(y + 2 * begin, length, words);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            luma[i] = low_bytes(words[i] >> kLuma);
            yuv.uv[i] = low_bytes(words[i] >> kChroma);
        }
        std::memcpy(yuv.y, luma, sizeof luma);
        return {yuv.y, yuv.uv};
    }

    // Of the two halves.
    static std::uint16_t low_bytes(std::uint32_t word) {
        return static_cast<std::uint16_t>((word & 0xFF) | ((word >> 8) & 0xFF00));
    }
};

#if defined(TUNDISH_WIDE)

// YuvToRgb. Even and odd pixels are apart, so that a word of chroma is beside both words of luma that it
// serves. Packing saturates, which is the clipping.
class YuvConverter {
  public:
    // Writes interleaved pixels.
    void operator()(const Chunk& chunk, std::uint8_t* rgb) const {
        for (std::size_t i = 0; i < kChunk; i += Wide::kBytes) {
            convert(Wide::load(chunk.y + i), Wide::load(static_cast<const std::uint8_t*>(chunk.uv) + i),
                    rgb + 3 * i);
        }
    }

  private:
    using Type = Wide::Type;

    using Products = Wide::Products;

    static Products add(const Products& a, const Products& b) {
        return {Wide::add32(a.low, b.low), Wide::add32(a.high, b.high)};
    }

    void convert(Type y, Type uv, std::uint8_t* rgb) const {
        const Type low_bytes = Wide::set16(0xFF);
        const Type luma = Wide::subs_u8(y, Wide::set16(0x1010));
        const Products even = Wide::multiply(Wide::and_(luma, low_bytes), kLumaWeight);
        const Products odd = Wide::multiply(Wide::shr16<8>(luma), kLumaWeight);
        const Type u = Wide::sub16(Wide::and_(uv, low_bytes), Wide::set16(128));
        const Type v = Wide::sub16(Wide::shr16<8>(uv), Wide::set16(128));
        const Products half{Wide::set32(1 << (kYuvBits - 1)), Wide::set32(1 << (kYuvBits - 1))};
        const Products red = add(half, Wide::multiply(v, kRedByV));
        const Products green = add(half, add(Wide::multiply(v, kGreenByV), Wide::multiply(u, kGreenByU)));
        const Products blue = add(half, Wide::multiply(u, kBlueByU));
        interleave_(bytes(even, odd, red), bytes(even, odd, green), bytes(even, odd, blue), rgb);
    }

    static Type bytes(const Products& even, const Products& odd, const Products& chroma) {
        return Wide::packus16(words(Wide::add32(even.low, chroma.low), Wide::add32(odd.low, chroma.low)),
                              words(Wide::add32(even.high, chroma.high), Wide::add32(odd.high, chroma.high)));
    }

    // Even and odd pixels by turns.
    static Type words(Type even, Type odd) {
        return Wide::sra16<kYuvBits - 16>(Wide::upper_words(even, odd));
    }

    const InterleaveLanes interleave_{};
};

#else

struct YuvConverter {
    void operator()(const Chunk& chunk, std::uint8_t* rgb) const {
        const auto* const uv = static_cast<const std::uint8_t*>(chunk.uv);
        for (std::size_t i = 0; i < kChunk; ++i) {
            const YuvToRgb pixel(chunk.y[i], uv[i / 2 * 2], uv[i / 2 * 2 + 1]);
            rgb[3 * i] = static_cast<std::uint8_t>(pixel.red);
            rgb[3 * i + 1] = static_cast<std::uint8_t>(pixel.green);
            rgb[3 * i + 2] = static_cast<std::uint8_t>(pixel.blue);
        }
    }
};

#endif

template <typename Format>
void yuv_row(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, std::size_t length,
             std::uint8_t* rgb) {
    const YuvConverter convert;
    Yuv yuv = {};
    std::size_t begin = 0;
    for (; begin + kChunk <= length; begin += kChunk) {
        convert(Format::spread(y, u, v, begin, kChunk, yuv), rgb + 3 * begin);
    }
    if (begin < length) {
        std::uint8_t rest[3 * kChunk];
        convert(Format::spread(y, u, v, begin, length - begin, yuv), rest);
        std::memcpy(rgb + 3 * begin, rest, 3 * (length - begin));
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
            copy_pixels<1>(rows[row] + begin, count, window[row]);
            std::memcpy(window[row] + count, rows[row] + begin + count, 2);
        }
        for (std::size_t i = 0; i < kChunk; ++i) {
            const unsigned vertical = window[0][i + 1] + window[2][i + 1];
            const unsigned horizontal = window[1][i] + window[1][i + 2];
            const unsigned corners = window[0][i] + window[0][i + 2] + window[2][i] + window[2][i + 2];
            const BayerPixel pixel(green_here[i] != 0, window[1][i + 1], horizontal, vertical, corners);
            planes.bytes[1][i] = pixel.green;
            own[i] = pixel.own;
            other[i] = pixel.other;
        }
        planes.write(count, rgb + 3 * begin);
    }
}

}  // namespace

extern const ConvertKernels kConvertKernels = {
    grey_row, yuv_row<Nv12>, yuv_row<I420>, yuv_row<Packed<0, 8>>, yuv_row<Packed<8, 0>>, bayer_row};

}  // namespace TUNDISH_ISA
}  // namespace tundish
