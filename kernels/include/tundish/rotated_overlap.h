// Whether two rotated boxes overlap too much: the exact intersection of two convex polygons, in float64.
#pragma once

#include <math.h>

#include "tundish/pixel.h"

namespace tundish {

struct Point {
    double x;
    double y;
};

struct RotatedBox {
    Point corners[4];  // in the order of the rotation from x to y
    Point center;
    double radius;  // of the circle through the corners
    double area;    // 0 for a box that is empty or not finite, which overlaps nothing
};

// `angle` in radians turns the x axis towards the y axis: clockwise in an image.
TUNDISH_HOST_DEVICE RotatedBox rotated_box(float cx, float cy, float width, float height, float angle) {
    const double cosine = cos(static_cast<double>(angle));
    const double sine = sin(static_cast<double>(angle));
    const double half_width = 0.5 * static_cast<double>(width);
    const double half_height = 0.5 * static_cast<double>(height);
    RotatedBox box{};
    box.center = {static_cast<double>(cx), static_cast<double>(cy)};
    for (int i = 0; i < 4; ++i) {
        const double along = i == 0 || i == 3 ? -half_width : half_width;
        const double across = i < 2 ? -half_height : half_height;
        box.corners[i] = {fma(-across, sine, fma(along, cosine, box.center.x)),
                          fma(across, cosine, fma(along, sine, box.center.y))};
    }
    box.radius = sqrt(fma(half_width, half_width, half_height * half_height));
    const double area = 4.0 * half_width * half_height;
    const bool finite = fabs(box.corners[0].x + box.corners[0].y + area) < 1e300;
    box.area = finite && half_width > 0.0 && half_height > 0.0 ? area : 0.0;
    return box;
}

// Twice the area of the triangle a, b, c; positive if c lies to the inner side of the edge from a to b.
TUNDISH_HOST_DEVICE double cross(const Point& a, const Point& b, const Point& c) {
    return fma(b.x - a.x, c.y - a.y, -((b.y - a.y) * (c.x - a.x)));
}

// A convex polygon of two boxes' intersection has at most eight corners; rounding may add some more.
struct Polygon {
    static constexpr int kCapacity = 16;
    Point corners[kCapacity];
    int count;

    TUNDISH_HOST_DEVICE void add(const Point& corner) {
        if (count < kCapacity) {
            corners[count] = corner;
            ++count;
        }
    }
};

// The part of a polygon on the inner side of the edge from a to b (Sutherland and Hodgman, 1974).
TUNDISH_HOST_DEVICE void clip(Polygon& polygon, const Point& a, const Point& b) {
    Polygon kept{};
    for (int i = 0; i < polygon.count; ++i) {
        const Point& start = polygon.corners[i];
        const Point& end = polygon.corners[i + 1 == polygon.count ? 0 : i + 1];
        const double from = cross(a, b, start);
        const double to = cross(a, b, end);
        if (from >= 0.0) {
            kept.add(start);
        }
        if ((from > 0.0 && to < 0.0) || (from < 0.0 && to > 0.0)) {
            const double part = from / (from - to);
            kept.add({fma(part, end.x - start.x, start.x), fma(part, end.y - start.y, start.y)});
        }
    }
    polygon = kept;
}

TUNDISH_HOST_DEVICE double intersection_area(const RotatedBox& a, const RotatedBox& b) {
    Polygon polygon{};
    for (int i = 0; i < 4; ++i) {
        polygon.add(a.corners[i]);
    }
    for (int i = 0; i < 4; ++i) {
        clip(polygon, b.corners[i], b.corners[(i + 1) % 4]);
    }
    double twice = 0.0;
    for (int i = 1; i + 1 < polygon.count; ++i) {
        twice += cross(polygon.corners[0], polygon.corners[i], polygon.corners[i + 1]);
    }
    return 0.5 * twice;
}

// Intersection over union above a threshold.
struct RotatedOverlap {
    double threshold;

    TUNDISH_HOST_DEVICE bool operator()(const RotatedBox& a, const RotatedBox& b) const {
        const double smaller = a.area < b.area ? a.area : b.area;
        const double sum = a.area + b.area;
        // An intersection is no larger than the smaller box, and empty if the circles do not meet.
        if (!(smaller > threshold * (sum - smaller))) {
            return false;
        }
        const double dx = a.center.x - b.center.x;
        const double dy = a.center.y - b.center.y;
        const double reach = a.radius + b.radius;
        if (fma(dx, dx, dy * dy) > reach * reach) {
            return false;
        }
        const double intersection = intersection_area(a, b);
        return intersection > threshold * (sum - intersection);
    }
};

}  // namespace tundish
