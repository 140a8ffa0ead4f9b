// Computes filter weights in double and rounds them to the integers that the loops use.
//
// Pixels of an antialiased filter can only equal Pillow's if these integers do, so the order of
// floating-point operations here is part of the contract; contraction must stay off.
#include "resample_axis.h"

#include <algorithm>
#include <cmath>

#include "tundish/pixel.h"

namespace tundish {
namespace {

constexpr double kPi = 3.14159265358979323846;

struct Triangle {
    static constexpr double kRadius = 1.0;
    static double weight(double x) { return std::max(0.0, 1.0 - std::fabs(x)); }
};

// Keys' cubic convolution kernel, in Horner form.
double cubic_weight(double x, double a) {
    const double t = std::fabs(x);
    if (t < 1.0) {
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    }
    return t < 2.0 ? (((t - 5.0) * t + 8.0) * t - 4.0) * a : 0.0;
}

struct Cubic {
    static constexpr double kRadius = 2.0;
    static double weight(double x) { return cubic_weight(x, -0.5); }
};

struct Lanczos {
    static constexpr double kRadius = 3.0;
    static double sinc(double x) {
        const double t = x * kPi;
        return x == 0.0 ? 1.0 : std::sin(t) / t;
    }
    static double weight(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }
};

// Rounds half away from zero.
std::int32_t to_fixed_point(double weight) {
    const double scaled = weight * (1 << kCoefficientBits);
    return static_cast<std::int32_t>(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

// Antialiasing: scaling down widens the filter by this much.
double stretch_of(const Span& span) {
    return std::max(static_cast<double>(span.source) / static_cast<double>(span.resized), 1.0);
}

template <typename Kernel>
std::int64_t weighted_taps(const Span& span) {
    const double radius = Kernel::kRadius * stretch_of(span);
    return std::min(span.source, 2 * static_cast<std::int64_t>(std::ceil(radius)) + 1);
}

template <typename Kernel>
ResampleAxis weighted_axis(const Span& span) {
    const double scale = static_cast<double>(span.source) / static_cast<double>(span.resized);
    const double stretch = stretch_of(span);
    const double radius = Kernel::kRadius * stretch;
    const double inverse_stretch = 1.0 / stretch;

    ResampleAxis axis;
    const auto length = static_cast<std::size_t>(span.end - span.begin);
    axis.taps = weighted_taps<Kernel>(span);
    axis.first.resize(length);
    axis.count.resize(length);
    axis.coefficients.resize(length * static_cast<std::size_t>(axis.taps));
    std::vector<double> weights(static_cast<std::size_t>(axis.taps));

    for (std::size_t i = 0; i < length; ++i) {
        const double centre = (static_cast<double>(span.begin + static_cast<std::int64_t>(i)) + 0.5) * scale;
        const auto begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - radius + 0.5));
        const auto end = std::min(span.source, static_cast<std::int64_t>(centre + radius + 0.5));
        const auto count = static_cast<std::size_t>(end - begin);
        double total = 0.0;
        for (std::size_t k = 0; k < count; ++k) {
            const double x = static_cast<double>(begin + static_cast<std::int64_t>(k)) - centre + 0.5;
            weights[k] = Kernel::weight(x * inverse_stretch);
            total += weights[k];
        }
        std::int32_t* const coefficients = &axis.coefficients[i * static_cast<std::size_t>(axis.taps)];
        for (std::size_t k = 0; k < count; ++k) {
            coefficients[k] = to_fixed_point(total == 0.0 ? weights[k] : weights[k] / total);
        }
        axis.first[i] = static_cast<std::int32_t>(begin);
        axis.count[i] = static_cast<std::int32_t>(count);
    }
    return axis;
}

constexpr std::int64_t kCubicPointTaps = 4;

// The nearest four pixels whatever the scale; beyond the edge, the outermost pixel counts once more.
ResampleAxis cubic_point_axis(const Span& span) {
    const double scale = static_cast<double>(span.source) / static_cast<double>(span.resized);
    ResampleAxis axis;
    const auto length = static_cast<std::size_t>(span.end - span.begin);
    axis.taps = std::min(span.source, kCubicPointTaps);
    axis.first.resize(length);
    axis.count.resize(length);
    axis.coefficients.resize(length * static_cast<std::size_t>(axis.taps));
    for (std::size_t i = 0; i < length; ++i) {
        const double position =
            (static_cast<double>(span.begin + static_cast<std::int64_t>(i)) + 0.5) * scale - 0.5;
        const auto before = static_cast<std::int64_t>(std::floor(position));
        const auto inside = [&](std::int64_t x) { return std::clamp<std::int64_t>(x, 0, span.source - 1); };
        const std::int64_t first = inside(before - 1);
        std::int32_t* const coefficients = &axis.coefficients[i * static_cast<std::size_t>(axis.taps)];
        for (std::int64_t x = before - 1; x <= before + 2; ++x) {
            coefficients[inside(x) - first] +=
                to_fixed_point(cubic_weight(static_cast<double>(x) - position, -0.75));
        }
        axis.first[i] = static_cast<std::int32_t>(first);
        axis.count[i] = static_cast<std::int32_t>(inside(before + 2) - first + 1);
    }
    return axis;
}

// What every filter gives at scale one, without the cost of evaluating it.
ResampleAxis unchanged_axis(const Span& span) {
    const auto length = static_cast<std::size_t>(span.end - span.begin);
    ResampleAxis axis;
    axis.taps = 1;
    axis.first.resize(length);
    axis.count.assign(length, 1);
    axis.coefficients.assign(length, 1 << kCoefficientBits);
    for (std::size_t i = 0; i < length; ++i) {
        axis.first[i] = static_cast<std::int32_t>(span.begin + static_cast<std::int64_t>(i));
    }
    return axis;
}

}  // namespace

std::int64_t resample_taps(const Span& span, Filter filter) {
    if (span.source == span.resized) {
        return 1;
    }
    switch (filter) {
        case Filter::bilinear:
            return weighted_taps<Triangle>(span);
        case Filter::bicubic:
            return weighted_taps<Cubic>(span);
        case Filter::bicubic_point:
            return std::min(span.source, kCubicPointTaps);
        default:
            return weighted_taps<Lanczos>(span);
    }
}

ResampleAxis resample_axis(const Span& span, Filter filter) {
    if (span.source == span.resized) {
        return unchanged_axis(span);
    }
    switch (filter) {
        case Filter::bilinear:
            return weighted_axis<Triangle>(span);
        case Filter::bicubic:
            return weighted_axis<Cubic>(span);
        case Filter::bicubic_point:
            return cubic_point_axis(span);
        default:
            return weighted_axis<Lanczos>(span);
    }
}

std::vector<std::int32_t> nearest_axis(const Span& span) {
    const double step = static_cast<double>(span.source) / static_cast<double>(span.resized);
    std::vector<std::int32_t> indices(static_cast<std::size_t>(span.end - span.begin));
    // Adding the step from the first pixel on, and not multiplying, is what decides ties as Pillow does.
    double position = step * 0.5;
    for (std::int64_t i = 0; i < span.end; ++i) {
        if (i >= span.begin) {
            const auto index = std::min(span.source - 1, static_cast<std::int64_t>(position));
            indices[static_cast<std::size_t>(i - span.begin)] = static_cast<std::int32_t>(index);
        }
        position += step;
    }
    return indices;
}

LinearAxis linear_axis(const Span& span, int bits, std::int32_t most) {
    const auto length = static_cast<std::size_t>(span.end - span.begin);
    LinearAxis axis;
    axis.first.resize(length);
    axis.weights.resize(length);
    const std::int64_t unit = 2 * span.resized;
    for (std::size_t i = 0; i < length; ++i) {
        // (x + 1/2) × source / resized - 1/2 in units of 1 / (2 resized), not before the first pixel.
        const std::int64_t x = span.begin + static_cast<std::int64_t>(i);
        const std::int64_t position = std::max<std::int64_t>(0, (2 * x + 1) * span.source - span.resized);
        const std::int64_t first = std::min(position / unit, span.source - 1);
        const std::int64_t rest = first + 1 < span.source ? position % unit : 0;
        const std::int64_t weight = ((rest << bits) + span.resized) / unit;
        axis.first[i] = static_cast<std::int32_t>(first);
        axis.weights[i] = static_cast<std::int16_t>(std::min<std::int64_t>(weight, most));
        axis.interpolates = axis.interpolates || weight != 0;
    }
    return axis;
}

}  // namespace tundish
