// The literal resize_normalize.cu through the shim, against the CPU forms of resize_normalize and
// crop_resize_normalize, bit for bit.
//
// Arguments: the order of threads, and how many random cases. Buffers are exactly as large as the contract
// says, so that one byte too far is an error of the address sanitizer.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../random_image.h"
#include "driver.h"
#include "resize_normalize.cu"
#include "resize_normalize_plan.h"
#include "tundish/crop_resize_normalize.h"

namespace {

using tundish::Filter;
using tundish::OutputFormat;
using tundish::Region;
using tundish::Window;
namespace cuda = tundish::cuda;

constexpr Filter kFilters[] = {Filter::nearest, Filter::bilinear,      Filter::bicubic,
                               Filter::lanczos, Filter::bicubic_point, Filter::bilinear_point};
const tundish::Normalization kNormalization{
    1.0 / 255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, {114, 3, 250}};
const OutputFormat kOutputs[] = {
    {tundish::ElementType::float32, tundish::Layout::chw, tundish::ChannelOrder::rgb, 1.0, 0},
    {tundish::ElementType::float16, tundish::Layout::hwc, tundish::ChannelOrder::bgr, 1.0, 0},
    {tundish::ElementType::uint8, tundish::Layout::hwc, tundish::ChannelOrder::rgb, 0.0187, 114},
    {tundish::ElementType::int8, tundish::Layout::chw, tundish::ChannelOrder::bgr, 0.0187, -14}};
constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 15, 16, 17, 31, 33, 64, 101, 130};

// Images as a whole, or regions of the first one.
struct Call {
    Call(PixelFormat pixels, Filter resampling) : format(pixels), filter(resampling) {}

    PixelFormat format;
    Filter filter;
    std::vector<RandomImage> images;
    std::vector<ImageView> views;
    std::vector<Region> regions;
    std::vector<Window> windows;

    void add_frame(std::int64_t height, std::int64_t width) {
        images.emplace_back(format, height, width,
                            [] { return static_cast<std::uint32_t>(random_below(1 << 24)); });
        views.push_back(images.back().view());
    }

    void add(std::int64_t height, std::int64_t width, const Window& window) {
        add_frame(height, width);
        windows.push_back(window);
    }

    void add_region(const Region& region, const Window& window) {
        regions.push_back(region);
        windows.push_back(window);
    }
};

void run_on_cpu(const Call& call, const tundish::Destination& destination) {
    const std::size_t count = call.windows.size();
    if (call.regions.empty()) {
        tundish::resize_normalize_into(destination, call.views.data(), call.windows.data(), count,
                                       call.format, call.filter, kNormalization);
    } else {
        tundish::crop_resize_normalize_into(destination, call.views[0], call.regions.data(),
                                            call.windows.data(), count, call.format, call.filter,
                                            kNormalization);
    }
}

void run_kernel(const Call& call, const tundish::Destination& destination) {
    const cuda::ResizeNormalizeBatch batch{
        call.views.data(),   call.regions.empty() ? nullptr : call.regions.data(),
        call.windows.data(), call.windows.size(),
        destination.height,  destination.width,
        call.filter};
    const std::size_t bound = cuda::plan_bytes(batch);
    std::vector<unsigned char> host(bound), device(bound);
    const cuda::Plan plan =
        cuda::write_plan(batch, call.format, destination, kNormalization, host.data(), device.data());
    if (plan.bytes > bound) {
        std::fprintf(stderr, "case %d: the plan is larger than its bound\n", cases);
        std::exit(1);
    }
    std::memcpy(device.data(), host.data(), plan.bytes);
    device.resize(plan.bytes);
    host.clear();
    const bool interleaved = plan.arguments.source.kind == cuda::SourceKind::interleaved;
    const auto kernel = !cuda::is_point(call.filter) ? cuda::tundish_resize_normalize
                        : interleaved                ? cuda::tundish_resize_normalize_point
                                                     : cuda::tundish_resize_normalize_point_converted;
    const cuda::LaunchSize grid = cuda::grid_of(batch), block = cuda::kBlockSize;
    simt::launch({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, [&] { kernel(plan.arguments); });
}

void compare(const Call& call, std::int64_t height, std::int64_t width,
             const OutputFormat& format = kOutputs[0]) {
    const auto batch = static_cast<std::int64_t>(call.windows.size());
    const std::size_t size =
        static_cast<std::size_t>(3 * batch * height * width) * tundish::element_size(format.type);
    std::vector<std::uint8_t> expected(size), output = unwritten<std::uint8_t>(size);
    run_on_cpu(call, {expected.data(), batch, height, width, format});
    run_kernel(call, {output.data(), batch, height, width, format});
    require_equal(expected, output, "the bytes of destination");
    ++cases;
}

Window random_window() {
    const auto resized_height = kSizes[random_below(12)], resized_width = kSizes[random_below(12)];
    const auto top = random_below(40) - 20, left = random_below(60) - 30;
    return {resized_height, resized_width, top, left};
}

// Half of them end with the frame.
Region random_region(const ImageView& frame) {
    const auto x = random_below(frame.width), y = random_below(frame.height);
    const auto width = 1 + random_below(frame.width - x), height = 1 + random_below(frame.height - y);
    const bool to_the_end = random_below(2) == 0;
    return {x, y, to_the_end ? frame.width - x : width, to_the_end ? frame.height - y : height};
}

// Every format with every filter, in turn of images and of regions.
void run_random(int count) {
    for (int i = 0; i < count; ++i) {
        Call call(kFormats[i % 11], kFilters[i % 6]);
        const bool has_regions = i / 66 % 2 == 1;
        if (has_regions) {
            const auto height = kSizes[random_below(12)];
            call.add_frame(height, kSizes[random_below(12)]);
        }
        for (std::int64_t k = random_below(3); k >= 0; --k) {
            const Window window = random_window();
            if (has_regions) {
                call.add_region(random_region(call.views[0]), window);
            } else {
                const auto height = kSizes[random_below(12)];
                call.add(height, kSizes[random_below(12)], window);
            }
        }
        const std::int64_t height = 1 + random_below(40), width = 1 + random_below(70);
        compare(call, height, width, kOutputs[random_below(4)]);
    }
}

// What random sizes do not reach.
void run_chosen(PixelFormat format, Filter filter) {
    Call wide(format, filter);
    wide.add(40, 700, {2, 3, 0, 0});  // more columns and rows than are taken at a time
    wide.add(40, 700, {2, 3, 0, 1});  // the same axes again, in part
    wide.add(3, 3, {2, 2, 50, -50});  // nothing but padding
    wide.add(17, 33, {17, 33, -2, -3});
    compare(wide, 19, 34);
    Call same(format, filter);  // one table for all
    same.add(20, 30, {16, 32, 0, 0});
    same.add(20, 30, {16, 32, 0, 0});
    compare(same, 16, 32);
    Call long_axis(format, filter);
    long_axis.add(2, 5000, {1, tundish::kMaximumExtent, 0, tundish::kMaximumExtent - 3});
    compare(long_axis, 2, 5);
    Call corners(format, filter);  // one table for all
    corners.add_frame(12, 40);
    for (const std::int64_t x : {0, 23}) {
        for (const std::int64_t y : {0, 5}) {
            corners.add_region({x, y, 17, 7}, {7, 17, 0, 0});
        }
    }
    compare(corners, 7, 17);
}

void run(int count) {
    for (const Filter filter : kFilters) {
        run_chosen(PixelFormat::rgb, filter);
    }
    for (const PixelFormat format : {PixelFormat::grey, PixelFormat::nv12, PixelFormat::bayer_gbrg}) {
        run_chosen(format, Filter::bilinear);
        run_chosen(format, Filter::bilinear_point);
    }
    run_random(count);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
