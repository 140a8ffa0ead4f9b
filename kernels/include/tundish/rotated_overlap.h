// Whether two rotated boxes overlap too much: the exact intersection of two convex polygons, in float64.
#pragma once

#include <math.h>

#include "tundish/sine_cosine.h"

#if defined(__CUDACC__)
#define TUNDISH_NO_UNROLL _Pragma("unroll 1")
#else
#define TUNDISH_NO_UNROLL
#endif

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
    const auto [sine, cosine] = sine_cosine(static_cast<double>(angle));
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

// What a step along the corners of a polygon means; other numbers close one of the polygons that follow.
constexpr int kCorner = -1;
constexpr int kClose = 0;

// Twice the area of a convex polygon whose corners come one after the other.
struct AreaSum {
    Point first;
    Point last;
    int count;
    double twice;

    TUNDISH_HOST_DEVICE void step(Point corner, int) {
        if (count == 0) {
            first = corner;
        } else if (count > 1) {
            twice += cross(first, last, corner);
        }
        last = corner;
        ++count;
    }
};

// Passes on the part of a polygon that is on the inner side of the edge from a to b (Sutherland and Hodgman,
// 1974), corner by corner: so that the polygons in between take no memory, which a GPU's threads have little
// of. `next` is called at one place, because all of them are inlined into each other.
template <typename Next>
struct Clip {
    const Point* a;
    const Point* b;
    Next next;
    bool any;
    Point first;
    Point last;
    double first_side;
    double last_side;

    // kCorner: the next corner. kClose: there is none. Otherwise kClose for the polygon `what` steps on.
    TUNDISH_HOST_DEVICE void step(Point corner, int what) {
        const Point start = last;
        const double from = last_side;
        const bool edge = any && what <= kClose;
        Point end = first;
        double to = first_side;
        if (what == kCorner) {
            end = corner;
            to = cross(*a, *b, corner);
            first = any ? first : end;
            first_side = any ? first_side : to;
            any = true;
            last = end;
            last_side = to;
        }
        // What remains of the edge but its end: its start, and where it crosses the line.
        const bool crosses = edge && ((from > 0.0 && to < 0.0) || (from < 0.0 && to > 0.0));
        const bool start_remains = edge && from >= 0.0;
        TUNDISH_NO_UNROLL
        for (int i = 0; i < 2; ++i) {
            if (i == 0 ? start_remains || what > kClose : crosses) {
                const double part = i == 0 ? 0.0 : from / (from - to);
                const double x = i == 0 ? start.x : fma(part, end.x - start.x, start.x);
                const double y = i == 0 ? start.y : fma(part, end.y - start.y, start.y);
                next.step({x, y}, what > kClose ? what - 1 : kCorner);
            }
        }
    }
};

TUNDISH_HOST_DEVICE double intersection_area(const RotatedBox& a, const RotatedBox& b) {
    Clip<Clip<Clip<Clip<AreaSum>>>> clip{};
    auto& second = clip.next;
    auto& third = second.next;
    auto& fourth = third.next;
    clip.a = b.corners;
    clip.b = second.a = b.corners + 1;
    second.b = third.a = b.corners + 2;
    third.b = fourth.a = b.corners + 3;
    fourth.b = b.corners;
    TUNDISH_NO_UNROLL
    for (int i = 0; i < 8; ++i) {  // four corners, and the ends of four polygons
        clip.step(a.corners[i % 4], i < 4 ? kCorner : kClose + i - 4);
    }
    return 0.5 * fourth.next.twice;
}

// Intersection over union above a threshold.
struct RotatedOverlap {
    double threshold;

    TUNDISH_HOST_DEVICE bool operator()(const RotatedBox& a, const RotatedBox& b) const {
        return possible(a, b) && certain(a, b);
    }

    // Whether sizes and distance allow it, which costs little.
    TUNDISH_HOST_DEVICE bool possible(const RotatedBox& a, const RotatedBox& b) const {
        const double smaller = a.area < b.area ? a.area : b.area;
        const double sum = a.area + b.area;
        // An intersection is no larger than the smaller box, and empty if the circles do not meet.
        if (!(smaller > threshold * (sum - smaller))) {
            return false;
        }
        const double dx = a.center.x - b.center.x;
        const double dy = a.center.y - b.center.y;
        const double reach = a.radius + b.radius;
        return !(fma(dx, dx, dy * dy) > reach * reach);
    }

    // Whether it is so where that is possible.
    TUNDISH_HOST_DEVICE bool certain(const RotatedBox& a, const RotatedBox& b) const {
        const double intersection = intersection_area(a, b);
        return intersection > threshold * ((a.area + b.area) - intersection);
    }
};

}  // namespace tundish
