// Drives resize_normalize_into over awkward sizes, to be built with the sanitizers (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says, so that one byte too far is an error of the address
// sanitizer. Beside that, it checks what the sanitizers cannot see: every element is written, all instruction
// sets agree, and scratch memory keeps its bound. Pixels themselves are compared with Pillow's in Python.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

#include "tundish/resize_normalize.h"

namespace {

std::size_t live_bytes = 0;
std::size_t peak_bytes = 0;
constexpr std::size_t kHeader = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t size) {
    auto* const memory = static_cast<unsigned char*>(std::malloc(size + kHeader));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    std::memcpy(memory, &size, sizeof size);
    live_bytes += size;
    peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
    return memory + kHeader;
}

void operator delete(void* pointer) noexcept {
    if (pointer == nullptr) {
        return;
    }
    auto* const memory = static_cast<unsigned char*>(pointer) - kHeader;
    std::size_t size;
    std::memcpy(&size, memory, sizeof size);
    live_bytes -= size;
    std::free(memory);
}

void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

namespace {

using tundish::Destination;
using tundish::Filter;
using tundish::ImageView;
using tundish::Isa;
using tundish::Normalization;
using tundish::Window;

constexpr std::size_t kScratchLimit = std::size_t{24} << 20;
constexpr Filter kFilters[] = {Filter::nearest, Filter::bilinear, Filter::bicubic, Filter::lanczos};
const Normalization kNormalization{1.0 / 255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 114};

std::uint32_t random_state = 1;
int cases = 0;
std::uint64_t digest = 14695981039346656037U;  // FNV-1a, to compare machines

std::uint32_t next_random() {
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "case %d: %s\n", cases, what);
        std::exit(1);
    }
}

// Runs one image on every instruction set.
void run(const ImageView& image, const Window& window, std::int64_t height, std::int64_t width,
         Filter filter) {
    ++cases;
    const auto size = static_cast<std::size_t>(3 * height * width);
    std::vector<float> first;
    for (const Isa isa : tundish::available_isas()) {
        std::vector<float> output(size, std::numeric_limits<float>::quiet_NaN());
        const std::size_t before = peak_bytes = live_bytes;
        tundish::resize_normalize_into({output.data(), 1, height, width}, &image, &window, 1, filter,
                                       kNormalization, isa);
        require(peak_bytes - before <= kScratchLimit, "scratch memory above its bound");
        for (const float value : output) {
            require(std::isfinite(value), "an element was not written");
        }
        require(first.empty() || std::memcmp(first.data(), output.data(), size * sizeof(float)) == 0,
                "instruction sets differ");
        first = output;
    }
    for (const float value : first) {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        digest = (digest ^ bits) * 1099511628211U;
    }
}

// An image of its own allocation, upside down or with bytes between rows if `gap` says so.
void run_random(std::int64_t height, std::int64_t width, const Window& window, std::int64_t out_height,
                std::int64_t out_width, Filter filter, std::int64_t gap) {
    const std::int64_t pitch = 3 * width + (gap > 0 ? gap : 0);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(pitch * (height - 1) + 3 * width));
    for (std::uint8_t& pixel : pixels) {
        pixel = static_cast<std::uint8_t>(next_random());
    }
    const ImageView image = gap < 0 ? ImageView{pixels.data() + pitch * (height - 1), height, width, -pitch}
                                    : ImageView{pixels.data(), height, width, pitch};
    run(image, window, out_height, out_width, filter);
}

void run_odd_sizes() {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 15, 16, 17, 33, 64, 101};
    for (const std::int64_t source : kSizes) {
        for (const std::int64_t resized : kSizes) {
            for (const Filter filter : kFilters) {
                const auto other_source = kSizes[next_random() % 10];
                const auto other_resized = kSizes[next_random() % 10];
                const auto gap = static_cast<std::int64_t>(next_random() % 3) - 1;
                const Window whole{resized, other_resized, 0, 0};
                run_random(source, other_source, whole, resized, other_resized, filter, gap);
                const Window part{other_resized, resized, static_cast<std::int64_t>(next_random() % 9) - 4,
                                  static_cast<std::int64_t>(next_random() % 41) - 20};
                run_random(other_source, source, part, 7, 1 + next_random() % 40, filter, gap);
            }
        }
    }
}

// Sizes at the limits. A stride of zero makes a tall image of one row.
void run_extremes() {
    constexpr std::int64_t kMaximum = tundish::kMaximumExtent;
    std::vector<std::uint8_t> row(static_cast<std::size_t>(3 * kMaximum), 200);
    for (const Filter filter : kFilters) {
        run({row.data(), kMaximum, 64, 0}, {1, 300, 0, 0}, 1, 300, filter);  // ring at its largest
        run({row.data(), 16, kMaximum, 0}, {3, 1, 0, 0}, 3, 1, filter);      // columns at their largest
        run({row.data(), kMaximum, 3, 0}, {kMaximum, 5, kMaximum - 2, 0}, 4, 5,
            filter);  // far end of a long axis
        run({row.data(), 1, 1, 3}, {kMaximum, kMaximum, kMaximum - 3, kMaximum - 3}, 6, 6, filter);
        run({row.data(), 3, 3, 9}, {2, 2, kMaximum, -kMaximum}, 2, 2, filter);  // nothing but padding
        run({row.data(), 2, 2, 6}, {2, kMaximum, 0, 0}, 1, kMaximum, filter);   // widest output
        run({row.data(), 2000, 300, 0}, {5, 290, 0, 0}, 5, 290, filter);        // several strips
    }
}

void require_error(const Destination& destination, const ImageView& image, const Window& window,
                   const Normalization& normalization, const char* what) {
    try {
        tundish::resize_normalize_into(destination, &image, &window, 1, Filter::bilinear, normalization);
    } catch (const std::invalid_argument&) {
        return;
    }
    require(false, what);
}

void run_errors() {
    std::vector<std::uint8_t> pixels(27);
    std::vector<float> output(12);
    const Destination destination{output.data(), 1, 2, 2};
    const ImageView image{pixels.data(), 3, 3, 9};
    const Window window{2, 2, 0, 0};
    Normalization wrong = kNormalization;
    wrong.std[1] = 0.0;
    require_error(destination, image, window, wrong, "a std of zero was taken");
    require_error({nullptr, 1, 2, 2}, image, window, kNormalization, "a null destination was taken");
    require_error({output.data(), 2, 2, 2}, image, window, kNormalization, "a wrong batch was taken");
    require_error(destination, {nullptr, 3, 3, 9}, window, kNormalization, "a null image was taken");
    require_error(destination, {pixels.data(), 3, 0, 9}, window, kNormalization, "an empty image was taken");
    require_error(destination, image, {2, tundish::kMaximumExtent + 1, 0, 0}, kNormalization,
                  "a huge size was taken");
    require_error(destination, {reinterpret_cast<std::uint8_t*>(output.data() + 11), 1, 1, 3}, window,
                  kNormalization, "overlapping memory was taken");
}

}  // namespace

int main() {
    run_odd_sizes();
    run_extremes();
    run_errors();
    std::printf("ok: %d cases, digest %016llx\n", cases, static_cast<unsigned long long>(digest));
    return 0;
}
