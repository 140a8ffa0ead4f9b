// What the drivers of the image operators share: counted memory, exact buffers, and the checks of an output.
//
// Every buffer is exactly as large as the contract says, so that one byte too far is an error of the address
// sanitizer. Beside that, it checks what the sanitizers cannot see: every element is written, all instruction
// sets agree, and scratch memory keeps its bound. Pixels themselves are compared with oracles in Python.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "random_image.h"
#include "tundish/image.h"
#include "tundish/isa.h"

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
using tundish::ElementType;
using tundish::Filter;
using tundish::ImageView;
using tundish::Isa;
using tundish::Layout;
using tundish::Normalization;
using tundish::OutputFormat;
using tundish::PixelFormat;
using tundish::Plane;
using tundish::Window;

constexpr std::size_t kScratchLimit = std::size_t{24} << 20;
constexpr Filter kFilters[] = {Filter::nearest, Filter::bilinear,       Filter::bicubic,
                               Filter::lanczos, Filter::bilinear_point, Filter::bicubic_point};
const Normalization kNormalization{1.0 / 255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, {114, 0, 255}};
const OutputFormat kFloats{ElementType::float32, Layout::chw, tundish::ChannelOrder::rgb, 1.0, 0};

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

// Any of the output formats.
OutputFormat random_output() {
    constexpr ElementType kTypes[] = {ElementType::float32, ElementType::float16, ElementType::uint8,
                                      ElementType::int8};
    OutputFormat output = kFloats;
    output.type = kTypes[next_random() % 4];
    output.layout = next_random() % 2 == 0 ? Layout::chw : Layout::hwc;
    output.order = next_random() % 2 == 0 ? tundish::ChannelOrder::rgb : tundish::ChannelOrder::bgr;
    if (output.type == ElementType::uint8 || output.type == ElementType::int8) {
        constexpr double kScales[] = {0.02, 1.0, 1e-30, 1e30};
        output.scale = kScales[next_random() % 4];
        output.zero_point = next_random() % 128;
    }
    return output;
}

// Calls `operate` with a destination on each instruction set, each over the complement of the last filling.
template <typename Operate>
void run_output(std::int64_t batch, std::int64_t height, std::int64_t width, const OutputFormat& format,
                const Operate& operate) {
    ++cases;
    const std::size_t size =
        static_cast<std::size_t>(3 * batch * height * width) * tundish::element_size(format.type);
    std::vector<Isa> isas = tundish::available_isas();
    if (isas.size() == 1) {
        isas.push_back(isas[0]);
    }
    std::vector<std::uint8_t> first;
    std::uint8_t filling = 0x5A;
    for (const Isa isa : isas) {
        std::vector<std::uint8_t> output(size, filling);
        filling = static_cast<std::uint8_t>(~filling);
        const std::size_t before = peak_bytes = live_bytes;
        operate(Destination{output.data(), batch, height, width, format}, isa);
        require(peak_bytes - before <= kScratchLimit, "scratch memory above its bound");
        require(first.empty() || first == output, "instruction sets differ, or an element was not written");
        first = output;
    }
    for (const std::uint8_t byte : first) {
        digest = (digest ^ byte) * 1099511628211U;
    }
}

// Whether `operate` refuses its arguments.
template <typename Operate>
void require_error(const Operate& operate, const char* what) {
    try {
        operate();
    } catch (const std::invalid_argument&) {
        return;
    }
    require(false, what);
}

}  // namespace
