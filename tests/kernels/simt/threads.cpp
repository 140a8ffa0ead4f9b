// Runs each CUDA thread on a thread of the system; compiled without sanitizers, linked with the thread
// sanitizer.
//
// The sanitizer must see no ordering but CUDA's, and so none of this bookkeeping: locks are atomics in code
// that it does not instrument, waiting is a bare system call. What __syncthreads and __syncwarp order, it is
// told. A shuffle orders no memory accesses, and nothing is told of it.
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "meeting.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}

namespace simt {
namespace {

struct Worker {
    pthread_t thread;
    int turn;           // grows whenever this thread may go on
    unsigned barriers;  // of its block that it has reached
};

struct Run {
    dim3 grid, block;
    unsigned size;
    const std::function<void()>* kernel;
};

Meeting meeting;
Worker workers[kMaximumThreads];
Run run;
int lock_word = 0;
unsigned running = 0;
unsigned block_index = 0;
thread_local unsigned current = 0;

// What the sanitizer is told of. Two of each, taken in turn: a thread that is late in leaving a barrier must
// not be ordered after what others did before the next. Warps have one, since their lanes may differ in
// count.
char block_order[2];
char barrier_order[2];
char warp_order[kMaximumThreads / 32];

void lock() {
    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) != 0) {
        syscall(SYS_sched_yield);
    }
}

void unlock() { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

void wake(unsigned index) {
    __atomic_fetch_add(&workers[index].turn, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &workers[index].turn, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void begin_block() {
    poison_shared(block_index);
    meeting.begin(run.size);
    running = run.size;
    for (unsigned i = 0; i < run.size; ++i) {
        wake(i);
    }
}

// The last thread to stop running decides who goes on. With the lock held.
void stop_running() {
    if (--running > 0) {
        return;
    }
    if (!meeting.resolve()) {  // all have finished
        ++block_index;
        begin_block();
        return;
    }
    unsigned released[kMaximumThreads];
    for (unsigned i = 0; i < run.size; ++i) {
        if (meeting[i].state == State::running) {
            released[running++] = i;
        }
    }
    for (unsigned i = 0, count = running; i < count; ++i) {
        wake(released[i]);
    }
}

// Tells the others of this thread's state and waits until it may go on.
void wait(const Thread& update) {
    const int turn = __atomic_load_n(&workers[current].turn, __ATOMIC_ACQUIRE);
    lock();
    Thread& thread = meeting[current];
    thread.state = update.state;
    thread.site = update.site;
    thread.mask = update.mask;
    thread.value = update.value;
    stop_running();
    unlock();
    while (__atomic_load_n(&workers[current].turn, __ATOMIC_ACQUIRE) == turn) {
        syscall(SYS_futex, &workers[current].turn, FUTEX_WAIT_PRIVATE, turn, nullptr, nullptr, 0);
    }
}

// A block begins after all that the blocks before it did: the shim's shared memory is theirs too.
void* run_thread(void* argument) {
    current = static_cast<unsigned>(static_cast<Worker*>(argument) - workers);
    const unsigned blocks = run.grid.x * run.grid.y * run.grid.z;
    while (true) {
        const unsigned index = __atomic_load_n(&block_index, __ATOMIC_ACQUIRE);
        if (index >= blocks) {
            return nullptr;
        }
        __tsan_acquire(&block_order[index % 2]);
        set_block_index(run.grid, index);
        set_thread_index(run.block, current);
        (*run.kernel)();
        __tsan_release(&block_order[(index + 1) % 2]);
        wait({State::finished, {}, 0, 0, {}});
    }
}

}  // namespace

void set_order(Order, unsigned) {}

void launch(dim3 grid, dim3 block, const std::function<void()>& kernel) {
    run = {grid, block, block.x * block.y * block.z, &kernel};
    if (run.size == 0 || run.size > kMaximumThreads) {
        fail({"launch", __FILE__, __LINE__}, "a block of %u threads", run.size);
    }
    block_index = 0;
    poison_shared(0);
    meeting.begin(run.size);
    running = run.size;
    for (unsigned i = 0; i < run.size; ++i) {
        workers[i].barriers = 0;  // a smaller block has left some of them behind
        if (pthread_create(&workers[i].thread, nullptr, run_thread, &workers[i]) != 0) {
            std::perror("simt: pthread_create");
            std::abort();
        }
    }
    for (unsigned i = 0; i < run.size; ++i) {
        pthread_join(workers[i].thread, nullptr);
    }
}

void wait_block(const Site& site) {
    void* const order = &barrier_order[workers[current].barriers++ % 2];
    __tsan_release(order);
    wait({State::at_block_barrier, site, 0, 0, {}});
    __tsan_acquire(order);
}

void wait_warp(std::uint32_t mask, std::uint64_t value, std::uint64_t (&values)[32], const Site& site) {
    if ((mask >> lane() & 1) == 0) {
        fail(site, "lane %u is not in its own mask %08x", lane(), mask);
    }
    wait({State::at_warp_function, site, mask, value, {}});
    for (unsigned i = 0; i < 32; ++i) {
        values[i] = meeting[current].values[i];
    }
}

void wait_warp(std::uint32_t mask, const Site& site) {
    void* const order = &warp_order[current / 32];
    std::uint64_t values[32];
    __tsan_release(order);
    wait_warp(mask, 0, values, site);
    __tsan_acquire(order);
}

}  // namespace simt
