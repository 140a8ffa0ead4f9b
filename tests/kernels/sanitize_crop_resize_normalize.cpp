// Drives crop_resize_normalize_into over regions at every edge, to be built with the sanitizers
// (TUNDISH_SANITIZE).
#include "sanitize_images.h"
#include "tundish/crop_resize_normalize.h"

namespace {

using tundish::Region;

void run_regions() {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 4, 17, 33, 64, 101};
    for (int round = 0; round < 40; ++round) {
        for (const PixelFormat format : kFormats) {
            const std::int64_t height = kSizes[next_random() % 8];
            const RandomImage image(format, height, kSizes[next_random() % 8], next_random);
            const ImageView& frame = image.view();
            std::vector<Region> regions(4);
            std::vector<Window> windows(4);
            for (std::size_t i = 0; i < 4; ++i) {
                Region& region = regions[i];
                region.x = next_random() % frame.width;
                region.y = next_random() % frame.height;
                // Half of them end with the frame.
                region.width =
                    i % 2 == 0 ? frame.width - region.x : 1 + next_random() % (frame.width - region.x);
                region.height =
                    i % 2 == 0 ? frame.height - region.y : 1 + next_random() % (frame.height - region.y);
                windows[i] = {kSizes[next_random() % 8], kSizes[next_random() % 8], 0, 0};
            }
            const Filter filter = kFilters[next_random() % 6];
            const auto width = 1 + next_random() % 40;
            run_output(4, 9, width, random_output(), [&](const Destination& output, Isa isa) {
                tundish::crop_resize_normalize_into(output, frame, regions.data(), windows.data(), 4, format,
                                                    filter, kNormalization, isa);
            });
        }
    }
}

void run_errors() {
    std::vector<std::uint8_t> pixels(27);
    std::vector<float> output(12);
    const ImageView frame{3, 3, {{pixels.data(), 9}, {}, {}}};
    const Window window{2, 2, 0, 0};
    for (const Region& region : {Region{3, 0, 1, 1}, Region{0, -1, 1, 1}, Region{1, 1, 3, 1},
                                 Region{1, 1, 1, 0}, Region{0, 0, 1, INT64_MAX}}) {
        require_error(
            [&] {
                tundish::crop_resize_normalize_into({output.data(), 1, 2, 2, kFloats}, frame, &region,
                                                    &window, 1, PixelFormat::rgb, Filter::bilinear,
                                                    kNormalization);
            },
            "a region outside the frame was taken");
    }
}

}  // namespace

int main() {
    run_regions();
    run_errors();
    std::printf("ok: %d cases, digest %016llx\n", cases, static_cast<unsigned long long>(digest));
    return 0;
}
