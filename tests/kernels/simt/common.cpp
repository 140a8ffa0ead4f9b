// What both back ends share; compiled without sanitizers, because it writes over the gaps between variables.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "meeting.h"

__thread uint3 threadIdx, blockIdx, blockDim, gridDim;

// The linker's names for the ends of the section; absent if no kernel has shared memory.
extern "C" {
extern unsigned char __start_simt_shared[] __attribute__((weak));
extern unsigned char __stop_simt_shared[] __attribute__((weak));
}

namespace simt {
namespace {

unsigned poison_count = 0;

}  // namespace

void poison_shared(unsigned block) {
    const auto pattern = static_cast<unsigned char>(0xA7 + 37 * block + 101 * ++poison_count);
    // Not memset, which a sanitizer intercepts.
    for (volatile unsigned char* byte = __start_simt_shared; byte != __stop_simt_shared; ++byte) {
        *byte = pattern;
    }
}

void set_block_index(dim3 grid, unsigned block) {
    gridDim = {grid.x, grid.y, grid.z};
    blockIdx = {block % grid.x, block / grid.x % grid.y, block / grid.x / grid.y};
}

void set_thread_index(dim3 block, unsigned thread) {
    blockDim = {block.x, block.y, block.z};
    threadIdx = {thread % block.x, thread / block.x % block.y, thread / block.x / block.y};
}

unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }

void fail(const Site& site, const char* format, ...) {
    std::fprintf(stderr, "simt: %s in %s:%d: ", site.function, site.file, site.line);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputs("\n", stderr);
    std::fflush(stderr);
    std::_Exit(70);
}

}  // namespace simt
