// What the bindings of the image operators on a GPU read their arguments with. Memory comes as addresses:
// what they mean was checked in Python.
#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "../image_arguments.h"

namespace tundish {

// One plane: address, rows, bytes of each, and bytes from row to row.
using PlaneAddress = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;

// The planes of an image, in the order of its format.
using PlaneAddresses = std::vector<PlaneAddress>;

// Address, batch, height and width.
using DestinationAddress = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;

// Height and width.
using SizeTuple = std::tuple<std::int64_t, std::int64_t>;

// Each throws as those for arrays do.
Destination read_destination(const DestinationAddress& destination, const OutputTuple& output);
ImageView read_image(const PlaneAddresses& planes, PixelFormat format);

}  // namespace tundish
