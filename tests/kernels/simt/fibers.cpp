// Runs each CUDA thread on a stack of its own, one at a time, switching where it waits for others.
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "meeting.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
static void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
static void __asan_unpoison_memory_region(const volatile void*, std::size_t) {}
#endif

namespace simt {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

// Where a stack goes on. `swapcontext` would do, but asks the system for the mask of signals each time, and
// the address sanitizer's version of it forgets what is poisoned on the stack that it switches to.
using Place = void* [5];

struct Fiber {
    Place place;
    bool begun = false;
    char* stack = nullptr;
    void* fake_stack = nullptr;
};

Order order = Order::ascending;
std::mt19937 generator;

Meeting meeting;
std::vector<Fiber> fibers(kMaximumThreads);
unsigned current = 0;
const std::function<void()>* current_kernel = nullptr;

Place scheduler;
void* scheduler_fake_stack = nullptr;
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_bytes = 0;

// These are not instrumented: the sanitizer takes a jump for the end of all that is on the stack. And not one
// function: the compiler does not expect a jump within one.
#define SIMT_SWITCH __attribute__((noinline, no_sanitize_address))

[[noreturn]] SIMT_SWITCH void leave(Place& there) { __builtin_longjmp(there, 1); }

SIMT_SWITCH void jump(Place& here, Place& there) {
    if (__builtin_setjmp(here) == 0) {
        leave(there);
    }
}

SIMT_SWITCH void begin(Place& here, const ucontext_t& context) {
    if (__builtin_setjmp(here) == 0) {
        setcontext(&context);
    }
}

void return_to_scheduler(bool for_good) {
    Fiber& fiber = fibers[current];
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fiber.fake_stack, scheduler_stack,
                                   scheduler_stack_bytes);
    jump(fiber.place, scheduler);
    __sanitizer_finish_switch_fiber(fiber.fake_stack, &scheduler_stack, &scheduler_stack_bytes);
}

void run_thread() {
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
    (*current_kernel)();
    meeting[current].state = State::finished;
    return_to_scheduler(true);
}

void prepare(Fiber& fiber) {
    if (fiber.stack == nullptr) {
        void* const memory =
            mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("simt: mmap");
            std::abort();
        }
        fiber.stack = static_cast<char*>(memory);
    }
    // Of the thread that had it before, which ended within a function.
    __asan_unpoison_memory_region(fiber.stack, kStackBytes);
    fiber.begun = false;
}

// Switches to a fiber, to the beginning of the kernel or to where it waits.
void enter(Fiber& fiber) {
    if (fiber.begun) {
        jump(scheduler, fiber.place);
        return;
    }
    fiber.begun = true;
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, run_thread, 0);
    begin(scheduler, context);
}

void go_on(dim3 block, unsigned thread) {
    current = thread;
    set_thread_index(block, thread);
    Fiber& fiber = fibers[thread];
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber.stack, kStackBytes);
    enter(fiber);
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
}

void arrange(std::vector<unsigned>& indices) {
    std::iota(indices.begin(), indices.end(), 0U);
    if (order == Order::descending) {
        std::reverse(indices.begin(), indices.end());
    } else if (order == Order::shuffled) {
        std::shuffle(indices.begin(), indices.end(), generator);
    }
}

void run_block(dim3 block, std::vector<unsigned>& threads) {
    meeting.begin(static_cast<unsigned>(threads.size()));
    for (std::size_t i = 0; i < threads.size(); ++i) {
        prepare(fibers[i]);
    }
    do {
        arrange(threads);
        for (const unsigned thread : threads) {
            if (meeting[thread].state == State::running) {
                go_on(block, thread);
            }
        }
    } while (meeting.resolve());
}

}  // namespace

void set_order(Order wanted, unsigned seed) {
    order = wanted;
    generator.seed(seed);
}

void launch(dim3 grid, dim3 block, const std::function<void()>& kernel) {
    const unsigned size = block.x * block.y * block.z;
    if (size == 0 || size > kMaximumThreads) {
        fail({"launch", __FILE__, __LINE__}, "a block of %u threads", size);
    }
    current_kernel = &kernel;
    std::vector<unsigned> threads(size);
    std::vector<unsigned> blocks(std::size_t{grid.x} * grid.y * grid.z);
    arrange(blocks);
    for (const unsigned index : blocks) {
        set_block_index(grid, index);
        poison_shared(index);
        run_block(block, threads);
    }
}

void wait_block(const Site& site) {
    meeting[current].state = State::at_block_barrier;
    meeting[current].site = site;
    return_to_scheduler(false);
}

void wait_warp(std::uint32_t mask, std::uint64_t value, std::uint64_t (&values)[32], const Site& site) {
    Thread& thread = meeting[current];
    if ((mask >> lane() & 1) == 0) {
        fail(site, "lane %u is not in its own mask %08x", lane(), mask);
    }
    thread.state = State::at_warp_function;
    thread.site = site;
    thread.mask = mask;
    thread.value = value;
    return_to_scheduler(false);
    std::copy(std::begin(thread.values), std::end(thread.values), values);
}

void wait_warp(std::uint32_t mask, const Site& site) {
    std::uint64_t values[32];
    wait_warp(mask, 0, values, site);
}

}  // namespace simt
