// Whether two axis-aligned boxes overlap too much; for the CPU loops and for CUDA kernels.
#pragma once

#include "tundish/pixel.h"

namespace tundish {

// Corners in any unit, x1 <= x2 and y1 <= y2, and (x2 - x1) (y2 - y1).
struct Box {
    float x1;
    float y1;
    float x2;
    float y2;
    float area;
};

// A box that is empty, inside out or NaN becomes a point, which overlaps nothing.
TUNDISH_HOST_DEVICE Box box_of_corners(float x1, float y1, float x2, float y2) {
    const float width = x2 - x1;
    const float height = y2 - y1;
    if (!(width > 0.0F && height > 0.0F)) {
        return {0.0F, 0.0F, 0.0F, 0.0F, 0.0F};
    }
    return {x1, y1, x2, y2, width * height};
}

TUNDISH_HOST_DEVICE Box box_of_center(float cx, float cy, float width, float height) {
    const float half_width = 0.5F * width;
    const float half_height = 0.5F * height;
    return box_of_corners(cx - half_width, cy - half_height, cx + half_width, cy + half_height);
}

// Intersection over union above a threshold, without the division.
struct BoxOverlap {
    float threshold;

    TUNDISH_HOST_DEVICE bool operator()(const Box& a, const Box& b) const {
        const float left = a.x1 > b.x1 ? a.x1 : b.x1;
        const float top = a.y1 > b.y1 ? a.y1 : b.y1;
        const float right = a.x2 < b.x2 ? a.x2 : b.x2;
        const float bottom = a.y2 < b.y2 ? a.y2 : b.y2;
        const float width = right - left > 0.0F ? right - left : 0.0F;
        const float height = bottom - top > 0.0F ? bottom - top : 0.0F;
        const float intersection = width * height;
        return intersection > threshold * ((a.area + b.area) - intersection);
    }
};

}  // namespace tundish
