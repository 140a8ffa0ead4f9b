// The literal resize_normalize.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and how many random cases. Buffers are exactly as large as the contract
// says, so that one byte too far is an error of the address sanitizer.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "driver.h"
#include "resize_normalize.cu"
#include "resize_normalize_plan.h"

namespace {

using tundish::Filter;
using tundish::ImageView;
using tundish::Window;
namespace cuda = tundish::cuda;

constexpr Filter kFilters[] = {Filter::nearest, Filter::bilinear,      Filter::bicubic,
                               Filter::lanczos, Filter::bicubic_point, Filter::bilinear_point};
const tundish::Normalization kNormalization{
    1.0 / 255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, {114, 3, 250}};

// Images of allocations of their own, every third upside down or with bytes between rows.
struct Images {
    std::vector<std::vector<std::uint8_t>> pixels;
    std::vector<ImageView> views;
    std::vector<Window> windows;

    void add(std::int64_t height, std::int64_t width, const Window& window) {
        const std::int64_t gap = random_below(3) - 1;
        const std::int64_t pitch = 3 * width + (gap > 0 ? 5 : 0);
        pixels.emplace_back(static_cast<std::size_t>(pitch * (height - 1) + 3 * width));
        for (std::uint8_t& pixel : pixels.back()) {
            pixel = static_cast<std::uint8_t>(random_below(256));
        }
        std::uint8_t* const data = pixels.back().data();
        const tundish::Plane plane =
            gap < 0 ? tundish::Plane{data + pitch * (height - 1), -pitch} : tundish::Plane{data, pitch};
        views.push_back({height, width, {plane, {}, {}}});
        windows.push_back(window);
    }
};

const tundish::OutputFormat kOutputs[] = {
    {tundish::ElementType::float32, tundish::Layout::chw, tundish::ChannelOrder::rgb, 1.0, 0},
    {tundish::ElementType::float16, tundish::Layout::hwc, tundish::ChannelOrder::bgr, 1.0, 0},
    {tundish::ElementType::uint8, tundish::Layout::hwc, tundish::ChannelOrder::rgb, 0.0187, 114},
    {tundish::ElementType::int8, tundish::Layout::chw, tundish::ChannelOrder::bgr, 0.0187, -14}};

void compare(const Images& images, std::int64_t height, std::int64_t width, Filter filter,
             const tundish::OutputFormat& format, tundish::PixelFormat source) {
    const std::size_t count = images.views.size();
    const std::size_t size =
        count * 3 * static_cast<std::size_t>(height * width) * tundish::element_size(format.type);
    std::vector<std::uint8_t> expected(size), output = unwritten<std::uint8_t>(size);
    const auto batch_size = static_cast<std::int64_t>(count);
    tundish::resize_normalize_into({expected.data(), batch_size, height, width, format}, images.views.data(),
                                   images.windows.data(), count, source, filter, kNormalization);

    const cuda::ResizeNormalizeBatch batch{
        images.views.data(), images.windows.data(), count, height, width, filter};
    const std::size_t bound = cuda::plan_bytes(batch);
    std::vector<unsigned char> host(bound), device(bound);
    const cuda::Plan plan =
        cuda::write_plan(batch, source, {output.data(), batch_size, height, width, format}, kNormalization,
                         host.data(), device.data());
    if (plan.bytes > bound) {
        std::fprintf(stderr, "case %d: the plan is larger than its bound\n", cases);
        std::exit(1);
    }
    std::memcpy(device.data(), host.data(), plan.bytes);
    device.resize(plan.bytes);
    host.clear();
    const auto kernel = filter == Filter::bilinear_point ? cuda::tundish_resize_normalize_point
                                                         : cuda::tundish_resize_normalize;
    const cuda::LaunchSize grid = cuda::grid_of(batch), block = cuda::kBlockSize;
    simt::launch({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, [&] { kernel(plan.arguments); });
    require_equal(expected, output, "the bytes of destination");
    ++cases;
}

void run_random(int count) {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 15, 16, 17, 31, 33, 64, 101, 130};
    for (int i = 0; i < count; ++i) {
        Images images;
        const std::int64_t height = 1 + random_below(40), width = 1 + random_below(70);
        for (std::int64_t k = random_below(3); k >= 0; --k) {
            images.add(kSizes[random_below(12)], kSizes[random_below(12)],
                       {kSizes[random_below(12)], kSizes[random_below(12)], random_below(40) - 20,
                        random_below(60) - 30});
        }
        const auto source = random_below(2) == 0 ? tundish::PixelFormat::rgb : tundish::PixelFormat::bgr;
        compare(images, height, width, kFilters[i % 6], kOutputs[random_below(4)], source);
    }
}

// What random sizes do not reach.
void run_chosen() {
    for (const Filter filter : kFilters) {
        Images wide;
        wide.add(40, 700, {2, 3, 0, 0});  // more columns and rows than are taken at a time
        wide.add(40, 700, {2, 3, 0, 1});  // the same axes again, in part
        wide.add(3, 3, {2, 2, 50, -50});  // nothing but padding
        wide.add(17, 33, {17, 33, -2, -3});
        compare(wide, 19, 34, filter, kOutputs[0], tundish::PixelFormat::rgb);
        Images same;  // one table for all
        same.add(20, 30, {16, 32, 0, 0});
        same.add(20, 30, {16, 32, 0, 0});
        compare(same, 16, 32, filter, kOutputs[0], tundish::PixelFormat::rgb);
        Images long_axis;
        long_axis.add(2, 5000, {1, tundish::kMaximumExtent, 0, tundish::kMaximumExtent - 3});
        compare(long_axis, 2, 5, filter, kOutputs[0], tundish::PixelFormat::rgb);
    }
}

void run(int count) {
    run_chosen();
    run_random(count);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
