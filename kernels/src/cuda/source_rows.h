// Rows of a frame as pixels, converted as they are read: one structure for each SourceKind.
//
// A row is made for one thread, with the addresses that its pixels have in common; y and x count from the
// frame's first pixel. Neighbouring threads read neighbouring pixels, so that the bytes that pixels share, of
// chroma and of a Bayer pattern's neighbours, come from the nearest cache.
#pragma once

#include "resize_normalize_task.h"

namespace tundish::cuda {
namespace resize_normalize {

struct Pixel {
    std::uint8_t first, second, third;  // red, green and blue; of interleaved as the bytes are
};

__device__ __forceinline__ const std::uint8_t* row_of(const SampledPlane& plane, int y) {
    return plane.data + y * plane.row_stride;
}

struct InterleavedRow {
    const std::uint8_t* bytes;

    __device__ __forceinline__ InterleavedRow(const ImageTask& image, const PixelSource&, int y)
        : bytes(row_of(image.planes[0], y)) {}

    __device__ __forceinline__ Pixel operator()(int x) const {
        return {bytes[3 * x], bytes[3 * x + 1], bytes[3 * x + 2]};
    }
};

struct GreyRow {
    const std::uint8_t* pixels;

    __device__ __forceinline__ GreyRow(const ImageTask& image, const PixelSource&, int y)
        : pixels(row_of(image.planes[0], y)) {}

    __device__ __forceinline__ Pixel operator()(int x) const {
        const std::uint8_t pixel = pixels[x];
        return {pixel, pixel, pixel};
    }
};

struct YuvRow {
    const std::uint8_t *luma, *u, *v;
    int luma_step, chroma_step;

    __device__ __forceinline__ YuvRow(const ImageTask& image, const PixelSource& source, int y)
        : luma(row_of(image.planes[0], y)),
          u(row_of(image.planes[1], y >> source.chroma_row_shift)),
          v(row_of(image.planes[2], y >> source.chroma_row_shift)),
          luma_step(source.luma_step),
          chroma_step(source.chroma_step) {}

    __device__ __forceinline__ Pixel operator()(int x) const {
        const int chroma = chroma_step * (x >> 1);
        const YuvToRgb rgb(luma[luma_step * x], u[chroma], v[chroma]);
        return {static_cast<std::uint8_t>(rgb.red), static_cast<std::uint8_t>(rgb.green),
                static_cast<std::uint8_t>(rgb.blue)};
    }
};

// The outermost pixels have no neighbours to interpolate with: they repeat those inside.
struct BayerPixels {
    const std::uint8_t *above, *here, *below;
    int last;  // column that has neighbours
    BayerRow kind;

    __device__ __forceinline__ BayerPixels(const ImageTask& image, const PixelSource& source, int y)
        : last(image.frame_width - 2) {
        const int inner = inside(y, image.frame_height - 2);
        here = row_of(image.planes[0], inner);
        above = here - image.planes[0].row_stride;
        below = here + image.planes[0].row_stride;
        kind = bayer_row(source.bayer, inner % 2 != 0, false);
    }

    __device__ __forceinline__ Pixel operator()(int x) const {
        const int i = inside(x, last);
        const unsigned horizontal = here[i - 1] + here[i + 1];
        const unsigned vertical = above[i] + below[i];
        const unsigned corners = above[i - 1] + above[i + 1] + below[i - 1] + below[i + 1];
        const BayerPixel pixel(kind.green_first == (i % 2 == 0), here[i], horizontal, vertical, corners);
        return {kind.red ? pixel.own : pixel.other, pixel.green, kind.red ? pixel.other : pixel.own};
    }

    static __device__ __forceinline__ int inside(int index, int last) {
        return index < 1 ? 1 : (index > last ? last : index);
    }
};

}  // namespace resize_normalize
}  // namespace tundish::cuda
