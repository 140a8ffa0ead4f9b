// Drives resize_normalize_into over awkward sizes, to be built with the sanitizers (TUNDISH_SANITIZE).
#include "sanitize_images.h"
#include "tundish/resize_normalize.h"

namespace {

void run(const ImageView& image, const Window& window, std::int64_t height, std::int64_t width,
         PixelFormat format, Filter filter, const OutputFormat& output = kFloats) {
    run_output(1, height, width, output, [&](const Destination& destination, Isa isa) {
        tundish::resize_normalize_into(destination, &image, &window, 1, format, filter, kNormalization, isa);
    });
}

void run_odd_sizes() {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 15, 16, 17, 33, 64, 101};
    for (const std::int64_t source : kSizes) {
        for (const std::int64_t resized : kSizes) {
            for (const Filter filter : kFilters) {
                const PixelFormat format = kFormats[next_random() % 11];
                const auto other_source = kSizes[next_random() % 10];
                const auto other_resized = kSizes[next_random() % 10];
                const Window whole{resized, other_resized, 0, 0};
                const RandomImage first(format, source, other_source, next_random);
                run(first.view(), whole, resized, other_resized, format, filter, random_output());
                const Window part{other_resized, resized, static_cast<std::int64_t>(next_random() % 9) - 4,
                                  static_cast<std::int64_t>(next_random() % 41) - 20};
                const RandomImage second(format, other_source, source, next_random);
                const auto width = 1 + next_random() % 40;
                run(second.view(), part, 7, width, format, filter, random_output());
            }
        }
    }
}

// Every format at widths around the chunks of the loops, and at whole steps between pixels.
void run_widths() {
    for (const PixelFormat format : kFormats) {
        for (const std::int64_t width : {31, 32, 33, 63, 64, 65, 66, 127, 128, 130, 192, 195}) {
            for (std::int64_t step = 1; step <= 5; ++step) {
                const RandomImage image(format, 5, width * step, next_random);
                const Window window{image.view().height, image.view().width / step, 0, 0};
                run(image.view(), window, 5, width, format, Filter::nearest, random_output());
                run(image.view(), window, 5, width, format, Filter::bilinear_point, random_output());
            }
        }
    }
}

// Halves, quarters and doubles, whose weights have few bits, at widths around those of the lanes.
void run_short_weights() {
    for (const std::int64_t width : {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 129}) {
        for (const std::int64_t factor : {2, 4}) {
            const RandomImage large(PixelFormat::rgb, 17 * factor, width * factor, next_random);
            run(large.view(), {17, width, 0, 0}, 17, width, PixelFormat::rgb, Filter::bilinear,
                random_output());
            const RandomImage small(PixelFormat::rgb, 17, width, next_random);
            run(small.view(), {17 * factor, width * factor, 0, 0}, 17 * factor, width * factor,
                PixelFormat::rgb, Filter::bilinear, random_output());
        }
    }
}

// Sizes at the limits. A stride of zero makes a tall image of one row.
void run_extremes() {
    constexpr std::int64_t kMaximum = tundish::kMaximumExtent;
    std::vector<std::uint8_t> row(static_cast<std::size_t>(3 * kMaximum), 200);
    const Plane same{row.data(), 0};
    for (const Filter filter : kFilters) {
        const bool converts = filter == Filter::bilinear || filter == Filter::bilinear_point;
        for (const PixelFormat format : {PixelFormat::rgb, PixelFormat::nv12}) {
            if (format == PixelFormat::nv12 && !converts) {
                continue;
            }
            const auto run_same = [&](std::int64_t height, std::int64_t width, const Window& window,
                                      std::int64_t out_height, std::int64_t out_width) {
                run({height, width, {same, same, same}}, window, out_height, out_width, format, filter);
            };
            run_same(kMaximum, 10, {1, 40, 0, 0}, 1, 40);  // ring at its largest, strips at their narrowest
            run_same(16, kMaximum, {3, 1, 0, 0}, 3, 1);    // columns at their largest
            run_same(kMaximum, 4, {kMaximum, 5, kMaximum - 2, 0}, 4, 5);  // far end of a long axis
            run_same(4, 4, {kMaximum, kMaximum, kMaximum - 3, kMaximum - 3}, 6, 6);
            run_same(4, 4, {2, 2, kMaximum, -kMaximum}, 2, 2);            // nothing but padding
            run_same(4, 4, {2, kMaximum, 0, 0}, 1, kMaximum);             // widest output
            run_same(4, kMaximum, {3, kMaximum - 1, 0, 0}, 1, kMaximum);  // widest source and output
            run_same(2000, 300, {5, 290, 0, 0}, 5, 290);                  // several strips
        }
    }
}

void run_errors() {
    std::vector<std::uint8_t> pixels(27);
    std::vector<float> output(12);
    const Destination good{output.data(), 1, 2, 2, kFloats};
    const ImageView image{3, 3, {{pixels.data(), 9}, {nullptr, 0}, {nullptr, 0}}};
    const Window window{2, 2, 0, 0};
    const auto refuse = [](const Destination& destination, const ImageView& view, const Window& place,
                           PixelFormat format, const Normalization& normalization, const char* what) {
        require_error(
            [&] {
                tundish::resize_normalize_into(destination, &view, &place, 1, format, Filter::bilinear,
                                               normalization);
            },
            what);
    };
    const auto refuse_destination = [&](const Destination& destination, const char* what) {
        refuse(destination, image, window, PixelFormat::rgb, kNormalization, what);
    };
    const auto refuse_image = [&](const ImageView& view, PixelFormat format, const char* what) {
        refuse(good, view, window, format, kNormalization, what);
    };
    Normalization wrong = kNormalization;
    wrong.std[1] = 0.0;
    refuse(good, image, window, PixelFormat::rgb, wrong, "a std of zero was taken");
    refuse(good, image, {2, tundish::kMaximumExtent + 1, 0, 0}, PixelFormat::rgb, kNormalization,
           "a huge size was taken");
    refuse_destination({nullptr, 1, 2, 2, kFloats}, "a null destination was taken");
    refuse_destination({output.data(), 2, 2, 2, kFloats}, "a wrong batch was taken");
    OutputFormat format = kFloats;
    format.scale = 0.5;
    refuse_destination({output.data(), 1, 2, 2, format}, "a quantised float was taken");
    format.type = ElementType::uint8;
    format.zero_point = -1;
    refuse_destination({output.data(), 1, 2, 2, format}, "a zero point out of range was taken");
    refuse_image({3, 3, {}}, PixelFormat::rgb, "a null image was taken");
    refuse_image({0, 3, {{pixels.data(), 9}, {}, {}}}, PixelFormat::rgb, "an empty image was taken");
    refuse_image(image, PixelFormat::nv12, "an odd width was taken");
    refuse_image({2, 2, {{pixels.data(), 2}, {nullptr, 2}, {}}}, PixelFormat::nv12, "a null plane was taken");
    refuse_image({2, 2, {{pixels.data(), 2}, {}, {}}}, PixelFormat::bayer_rggb, "a tiny Bayer was taken");
    const auto* const inside = reinterpret_cast<std::uint8_t*>(output.data() + 11);
    refuse_image({1, 1, {{inside, 3}, {}, {}}}, PixelFormat::rgb, "overlapping memory was taken");
    refuse_image({2, 2, {{pixels.data(), 2}, {inside, 2}, {}}}, PixelFormat::nv12,
                 "an overlapping plane was taken");
}

}  // namespace

int main() {
    run_odd_sizes();
    run_widths();
    run_short_weights();
    run_extremes();
    run_errors();
    std::printf("ok: %d cases, digest %016llx\n", cases, static_cast<unsigned long long>(digest));
    return 0;
}
