// What the bindings of the image operators read their arguments with.
#pragma once

#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "tundish/image.h"

namespace tundish {

// One plane: [rows, bytes].
using PlaneArray = nanobind::ndarray<const std::uint8_t, nanobind::ndim<2>, nanobind::device::cpu>;

// The planes of an image, in the order of its format.
using PlaneArrays = std::vector<PlaneArray>;

using DestinationArray = nanobind::ndarray<nanobind::ndim<4>, nanobind::c_contig, nanobind::device::cpu>;

// dtype, layout, order, scale, zero_point
using OutputTuple = std::tuple<std::string, std::string, std::string, double, std::int64_t>;

// scale, mean, std, pad
using NormalizationTuple =
    std::tuple<double, std::array<double, 3>, std::array<double, 3>, std::array<std::int64_t, 3>>;

// A window or a region.
using Quadruples = std::vector<std::array<std::int64_t, 4>>;

// One plane, wherever its memory is.
struct PlaneRows {
    Plane plane;
    std::int64_t rows;
    std::int64_t bytes;  // of each row
};

// Each throws nb::value_error or std::invalid_argument. What they return borrows the memory of the arrays.
Destination read_destination(const DestinationArray& array, const OutputTuple& output);
OutputFormat read_output_format(const OutputTuple& output);
ImageView read_image(const PlaneArrays& planes, PixelFormat format);
ImageView make_image(const std::vector<PlaneRows>& planes, PixelFormat format);
Normalization read_normalization(const NormalizationTuple& values);
std::vector<Region> read_regions(const Quadruples& regions);
std::vector<Window> read_windows(const Quadruples& windows, std::size_t count);

}  // namespace tundish
