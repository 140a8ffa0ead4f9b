// Turns one region of an image into one image of an output; keeps its scratch memory from image to image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "output_rows.h"
#include "resample_axis.h"
#include "rgb_rows.h"
#include "row_kernels.h"
#include "scratch.h"
#include "tundish/image.h"

namespace tundish {

// One call's formats, filter and normalisation, and the scratch memory that its images share. For one thread.
class ImageResampler {
  public:
    // Arguments must be valid as resize_normalize_into says. `kernels` must outlive this.
    ImageResampler(const RowKernels& kernels, PixelFormat format, Filter filter,
                   const Normalization& normalization, const Destination& destination);

    // Writes all of image `index` of the destination. Throws std::bad_alloc.
    void run(const ImageView& image, const Region& region, const Window& window, std::size_t index);

  private:
    // What one image is made of: spans of the resized region that the window shows, and where they go.
    struct Job {
        const ImageView& image;
        const Region& region;
        Rectangle visible;
        Span rows;
        Span columns;
        std::uint8_t* output;
    };

    void gather(const Job& job, const std::vector<std::int32_t>& rows,
                const std::vector<std::int32_t>& columns);
    void interpolate(const Job& job);
    void resample(const Job& job);
    void resample_strip(const Job& job, std::size_t begin, std::size_t length);
    void write(const Job& job, const std::uint8_t* planes, std::size_t plane_stride, std::size_t length,
               std::size_t row, std::size_t column) const;

    // Weights of the last image, since images of one batch are often of one size.
    struct CachedAxis {
        Span span{};
        ResampleAxis axis;
        std::vector<std::uint16_t> short_weights;  // of every output pixel, see row_kernels.h
        std::size_t pairs = 0;
        const CachedAxis& get(const Span& wanted, Filter filter);
    };

    const RowKernels& kernels_;
    const Filter filter_;
    const Destination destination_;
    OutputRows output_rows_;
    RgbRows rgb_rows_;
    CachedAxis vertical_;
    CachedAxis horizontal_;
    Scratch<std::uint8_t> columns_;  // sixteen source rows, transposed
    Scratch<std::uint8_t> ring_;     // rows after the horizontal pass
    Scratch<std::int16_t> blended_;  // one row between two source rows
    Scratch<std::uint8_t> row_;      // planes of one row that is ready
};

}  // namespace tundish
