// Turns one image into one normalised planar array; keeps its scratch memory from image to image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resample_axis.h"
#include "row_kernels.h"
#include "tundish/resize_normalize.h"

namespace tundish {

// The functor of one channel. Its numbers may be infinite, if std is tiny.
NormalizePixel make_normalize(const Normalization& normalization, std::size_t channel);

// One call's filter, normalisation and output size, and the scratch memory that its images share. For one
// thread.
class ImageResampler {
  public:
    // Arguments must be valid as resize_normalize_into says. `kernels` must outlive this.
    ImageResampler(const RowKernels& kernels, Filter filter, const Normalization& normalization,
                   std::int64_t height, std::int64_t width);

    // Writes all of output [3, height, width]. Throws std::bad_alloc.
    void run(const ImageView& image, const Window& window, float* output);

  private:
    // Half-open rectangle of output pixels that show the image; may be empty.
    struct Visible {
        std::int64_t top, bottom, left, right;
    };

    Visible visible_part(const Window& window) const;
    void fill_padding(const Visible& visible, float* output) const;
    void gather(const ImageView& image, const Window& window, const Visible& visible, float* output);
    void resample(const ImageView& image, const Window& window, const Visible& visible, float* output);
    void resample_strip(const ImageView& image, const Visible& visible, std::size_t begin, std::size_t length,
                        float* output);
    void normalize(const std::uint8_t* planes, std::size_t plane_stride, std::size_t length, std::int64_t y,
                   std::int64_t x, float* output) const;

    // Weights of the last image, since images of one batch are often of one size.
    struct CachedAxis {
        Span span{};
        ResampleAxis axis;
        const ResampleAxis& get(const Span& wanted, Filter filter);
    };

    const RowKernels& kernels_;
    Filter filter_;
    std::int64_t height_;
    std::int64_t width_;
    Channel channels_[3];
    float padding_[3];
    CachedAxis vertical_;
    CachedAxis horizontal_;
    std::vector<std::uint8_t> columns_;  // sixteen source rows, transposed
    std::vector<std::uint8_t> ring_;     // rows after the horizontal pass
    std::vector<std::uint8_t> row_;      // one row after the vertical pass
};

}  // namespace tundish
