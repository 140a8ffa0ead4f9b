// Sine and cosine in float64 from fused multiply-adds alone, so that every compiler and the GPU give the same
// bits.
#pragma once

#include <math.h>

#include "tundish/pixel.h"

namespace tundish {

// Beyond this, in radians, a float is known to no better than a sixteenth of a radian.
constexpr double kGreatestAngle = 1048576.0;

struct SineCosine {
    double sine;
    double cosine;
};

// Within 2^-52 of both; NaN for an angle that is not finite or beyond kGreatestAngle either way.
//
// angle = n pi / 2 + r with an integer n and |r| <= pi / 4, pi / 2 in two parts; the Taylor series of r are
// cut where the next term is below 2^-58.
TUNDISH_HOST_DEVICE SineCosine sine_cosine(double angle) {
    if (!(fabs(angle) <= kGreatestAngle)) {
        return {NAN, NAN};
    }
    const double n = rint(angle * 0x1.45f306dc9c883p-1);
    const double r = fma(n, -0x1.1a62633145c07p-54, fma(n, -0x1.921fb54442d18p+0, angle));
    const double square = r * r;

    double p = 1.0 / 355687428096000.0;
    p = fma(p, square, -1.0 / 1307674368000.0);
    p = fma(p, square, 1.0 / 6227020800.0);
    p = fma(p, square, -1.0 / 39916800.0);
    p = fma(p, square, 1.0 / 362880.0);
    p = fma(p, square, -1.0 / 5040.0);
    p = fma(p, square, 1.0 / 120.0);
    p = fma(p, square, -1.0 / 6.0);
    const double sine = fma(p, square * r, r);

    double q = 1.0 / 20922789888000.0;
    q = fma(q, square, -1.0 / 87178291200.0);
    q = fma(q, square, 1.0 / 479001600.0);
    q = fma(q, square, -1.0 / 3628800.0);
    q = fma(q, square, 1.0 / 40320.0);
    q = fma(q, square, -1.0 / 720.0);
    q = fma(q, square, 1.0 / 24.0);
    q = fma(q, square, -0.5);
    const double cosine = fma(q, square, 1.0);

    const int quadrant = static_cast<int>(n) & 3;
    const bool swapped = (quadrant & 1) != 0;
    const double first = swapped ? cosine : sine;
    const double second = swapped ? sine : cosine;
    return {quadrant >= 2 ? -first : first, quadrant == 1 || quadrant == 2 ? -second : second};
}

}  // namespace tundish
