// The geometry of a convolution.
#pragma once

#include <cstdint>

namespace tundish {

// Along one side of the image: `before` and `after` are how many positions are added there, which hold the
// image's zero.
struct ConvSide {
    std::int64_t kernel;
    std::int64_t stride;
    std::int64_t dilation;
    std::int64_t before;
    std::int64_t after;

    // How many positions of output there are of so many of input, 0 if the kernel reaches over more than
    // there are.
    std::int64_t outputs(std::int64_t inputs) const {
        const std::int64_t room = inputs + before + after - (kernel - 1) * dilation - 1;
        return room < 0 ? 0 : room / stride + 1;
    }
};

}  // namespace tundish
