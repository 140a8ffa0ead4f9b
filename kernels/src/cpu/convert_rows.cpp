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

// A chunk with a value of chroma for each two pixels.
struct Yuv {
    alignas(64) std::uint8_t y[kChunk];
    alignas(64) std::uint16_t u[kChunk / 2];
    alignas(64) std::uint16_t v[kChunk / 2];
};

// The loops read little-endian words, in which the first byte in memory is the lowest.
struct Nv12 {
    static void spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t*, std::size_t begin,
                       std::size_t length, Yuv& yuv) {
        std::uint16_t pairs[kChunk / 2] = {};
        copy_pixels<1>(u + begin, length, pairs);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            yuv.u[i] = pairs[i] & 0xFF;
            yuv.v[i] = static_cast<std::uint16_t>(pairs[i] >> 8);
        }
        copy_pixels<1>(y + begin, length, yuv.y);
    }
};

struct I420 {
    static void spread(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, std::size_t begin,
                       std::size_t length, Yuv& yuv) {
        widen(u + begin / 2, length / 2, yuv.u);
        widen(v + begin / 2, length / 2, yuv.v);
        copy_pixels<1>(y + begin, length, yuv.y);
    }

    static void widen(const std::uint8_t* __restrict samples, std::size_t length,
                      std::uint16_t* __restrict output) {
        for (std::size_t i = 0; i < length; ++i) {
            output[i] = samples[i];
        }
    }
};

// Four bytes hold two pixels; the shifts say where Y and U of the first begin, Y and V of the second are 16
// bits on.
template <int kLuma, int kChroma>
struct Packed {
    static void spread(const std::uint8_t* y, const std::uint8_t*, const std::uint8_t*, std::size_t begin,
                       std::size_t length, Yuv& yuv) {
        std::uint32_t words[kChunk / 2] = {};
        std::uint16_t luma[kChunk / 2];
        copy_pixels<2>(y + 2 * begin, length, words);
        for (std::size_t i = 0; i < kChunk / 2; ++i) {
            const std::uint32_t both = words[i] >> kLuma;
            luma[i] = static_cast<std::uint16_t>((both & 0xFF) | ((both >> 8) & 0xFF00));
            yuv.u[i] = static_cast<std::uint16_t>((words[i] >> kChroma) & 0xFF);
            yuv.v[i] = static_cast<std::uint16_t>((words[i] >> (kChroma + 16)) & 0xFF);
        }
        std::memcpy(yuv.y, luma, sizeof luma);
    }
};

#if defined(__AVX2__)

// YuvToRgb with 16-bit multiplications: a value x stands beside 128 x, so that a constant of up to 22 bits,
// split after seven, needs one multiplication and addition of pairs. Packing saturates, which is the
// clipping.
class WideYuvToRgb {
  public:
    // Writes a chunk of interleaved pixels.
    void operator()(const Yuv& yuv, std::uint8_t* rgb) const {
        for (std::size_t i = 0; i < kChunk; i += Wide::kBytes) {
            convert(yuv.y + i, yuv.u + i / 2, yuv.v + i / 2, rgb + 3 * i);
        }
    }

  private:
    using Type = Wide::Type;

    static constexpr int split(int constant) {
        return static_cast<int>(static_cast<unsigned>(constant >> 7) << 16 | (constant & 127));
    }

    static Type product(Type pairs, int constant) {
        return Wide::madd16(pairs, Wide::set32(split(constant)));
    }

    // Unpacking takes the low and the high half of each lane, which packing puts back in order.
    void convert(const std::uint8_t* y, const std::uint16_t* u, const std::uint16_t* v,
                 std::uint8_t* rgb) const {
        const Type luma = Wide::subs_u8(Wide::load(y), Wide::set16(0x1010));
        const Type low = Wide::low8(luma, Wide::zero());
        const Type high = Wide::high8(luma, Wide::zero());
        const Type low_shifted = Wide::shl16<7>(low);
        const Type high_shifted = Wide::shl16<7>(high);
        const Type scaled[4] = {product(Wide::low16(low, low_shifted), kLumaWeight),
                                product(Wide::high16(low, low_shifted), kLumaWeight),
                                product(Wide::low16(high, high_shifted), kLumaWeight),
                                product(Wide::high16(high, high_shifted), kLumaWeight)};
        const Type us = Wide::sub16(Wide::load(u), Wide::set16(128));
        const Type vs = Wide::sub16(Wide::load(v), Wide::set16(128));
        const Type us_shifted = Wide::shl16<7>(us);
        const Type vs_shifted = Wide::shl16<7>(vs);
        const Type u_pairs[2] = {Wide::low16(us, us_shifted), Wide::high16(us, us_shifted)};
        const Type v_pairs[2] = {Wide::low16(vs, vs_shifted), Wide::high16(vs, vs_shifted)};
        const Type half = Wide::set32(1 << (kYuvBits - 1));
        Type red[2], green[2], blue[2];
        for (int i = 0; i < 2; ++i) {
            red[i] = Wide::add32(half, product(v_pairs[i], kRedByV));
            green[i] = Wide::add32(
                half, Wide::add32(product(v_pairs[i], kGreenByV), product(u_pairs[i], kGreenByU)));
            blue[i] = Wide::add32(half, product(u_pairs[i], kBlueByU));
        }
        interleave_(sum(scaled, red), sum(scaled, green), sum(scaled, blue), rgb);
    }

    // A sample of chroma serves two pixels.
    static Type sum(const Type (&luma)[4], const Type (&chroma)[2]) {
        const Type sums[4] = {Wide::add32(luma[0], Wide::low32(chroma[0], chroma[0])),
                              Wide::add32(luma[1], Wide::high32(chroma[0], chroma[0])),
                              Wide::add32(luma[2], Wide::low32(chroma[1], chroma[1])),
                              Wide::add32(luma[3], Wide::high32(chroma[1], chroma[1]))};
        return Wide::packus16(Wide::packs32(Wide::sra32<kYuvBits>(sums[0]), Wide::sra32<kYuvBits>(sums[1])),
                              Wide::packs32(Wide::sra32<kYuvBits>(sums[2]), Wide::sra32<kYuvBits>(sums[3])));
    }

    const InterleaveLanes interleave_{};
};

using YuvConverter = WideYuvToRgb;

#else

struct YuvConverter {
    void operator()(const Yuv& yuv, std::uint8_t* rgb) const {
        for (std::size_t i = 0; i < kChunk; ++i) {
            const YuvToRgb pixel(yuv.y[i], static_cast<std::uint8_t>(yuv.u[i / 2]),
                                 static_cast<std::uint8_t>(yuv.v[i / 2]));
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
        Format::spread(y, u, v, begin, kChunk, yuv);
        convert(yuv, rgb + 3 * begin);
    }
    if (begin < length) {
        std::uint8_t rest[3 * kChunk];
        Format::spread(y, u, v, begin, length - begin, yuv);
        convert(yuv, rest);
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
