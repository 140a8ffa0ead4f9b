// Runs each CUDA thread on a thread of the system; compiled without sanitizers, linked with the thread
// sanitizer.
//
// The sanitizer must see no ordering but CUDA's, and so none of this bookkeeping: it is atomics, in code that
// the sanitizer does not instrument, and waiting is a bare system call. What __syncthreads, __syncwarp and a
// launch order, it is told. A shuffle orders no memory accesses, and nothing is told of it.
//
// Threads are kept from launch to launch: the sanitizer takes longer to make one than most kernels to run.
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>

#include "meeting.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}

namespace simt {
namespace {

constexpr unsigned kMaximumWarps = kMaximumThreads / 32;

struct Worker {
    bool made;
    int turn;           // grows whenever this thread may go on
    int last_turn;      // that it took
    unsigned barriers;  // of its launch that it has reached
};

struct Run {
    dim3 grid, block;
    unsigned size;
    const std::function<void()>* kernel;
};

Meeting meeting;
Worker workers[kMaximumThreads];
Run run;
int warp_turns[kMaximumWarps];  // grows whenever lanes may go on, who sleep on it together
unsigned running = 0;           // of the block
int unfinished = 0;             // of the launch
unsigned block_index = 0;
thread_local unsigned current = 0;

// What the sanitizer is told of. Two of each, taken in turn: a thread that is late in leaving a barrier must
// not be ordered after what others did before the next. Warps have one, since their lanes may differ in
// count.
char launch_begin, launch_end;
char block_order[2];
char barrier_order[2];
char warp_order[kMaximumWarps];

void sleep_while(int* word, int value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake_all(int* word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }

// Lets those threads go on that are running by the meeting, all counted before the first of them does.
void wake_running() {
    bool wakes[kMaximumThreads];
    unsigned count = 0;
    for (unsigned i = 0; i < run.size; ++i) {
        wakes[i] = meeting[i].state == State::running;
        count += wakes[i] ? 1 : 0;
    }
    __atomic_store_n(&running, count, __ATOMIC_RELEASE);
    for (unsigned begin = 0; begin < run.size; begin += 32) {
        bool any = false;
        for (unsigned i = begin; i < begin + 32 && i < run.size; ++i) {
            if (wakes[i]) {
                __atomic_fetch_add(&workers[i].turn, 1, __ATOMIC_RELEASE);
                any = true;
            }
        }
        if (any) {
            __atomic_fetch_add(&warp_turns[begin / 32], 1, __ATOMIC_RELEASE);
            wake_all(&warp_turns[begin / 32]);
        }
    }
}

void begin_block() {
    poison_shared(block_index);
    meeting.begin(run.size);
    wake_running();
}

// The last thread to stop running decides who goes on.
void stop_running() {
    if (__atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    if (meeting.resolve()) {
        wake_running();
    } else {  // all have finished
        ++block_index;
        begin_block();
    }
}

void wait_for_turn() {
    Worker& worker = workers[current];
    int* const word = &warp_turns[current / 32];
    while (true) {
        const int warp_turn = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        const int turn = __atomic_load_n(&worker.turn, __ATOMIC_ACQUIRE);
        if (turn != worker.last_turn) {
            worker.last_turn = turn;
            return;
        }
        sleep_while(word, warp_turn);
    }
}

// Tells the others of this thread's state and waits until it may go on.
void wait(const Thread& update) {
    Thread& thread = meeting[current];
    thread.state = update.state;
    thread.site = update.site;
    thread.mask = update.mask;
    thread.value = update.value;
    stop_running();
    wait_for_turn();
}

// A block begins after all that the blocks before it did: the shim's shared memory is theirs too.
void run_blocks() {
    const unsigned blocks = run.grid.x * run.grid.y * run.grid.z;
    while (true) {
        const unsigned index = __atomic_load_n(&block_index, __ATOMIC_ACQUIRE);
        if (index >= blocks) {
            return;
        }
        __tsan_acquire(&block_order[index % 2]);
        set_block_index(run.grid, index);
        set_thread_index(run.block, current);
        (*run.kernel)();
        __tsan_release(&block_order[(index + 1) % 2]);
        wait({State::finished, {}, 0, 0, {}});
    }
}

void* run_launches(void* argument) {
    current = static_cast<unsigned>(static_cast<Worker*>(argument) - workers);
    while (true) {
        wait_for_turn();
        __tsan_acquire(&launch_begin);
        run_blocks();
        __tsan_release(&launch_end);
        if (__atomic_sub_fetch(&unfinished, 1, __ATOMIC_ACQ_REL) == 0) {
            wake_all(&unfinished);
        }
    }
}

void make(Worker& worker) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run_launches, &worker) != 0) {
        std::perror("simt: pthread_create");
        std::abort();
    }
    pthread_detach(thread);
    worker.made = true;
}

}  // namespace

void set_order(Order, unsigned) {}

void launch(dim3 grid, dim3 block, const std::function<void()>& kernel) {
    run = {grid, block, block.x * block.y * block.z, &kernel};
    if (run.size == 0 || run.size > kMaximumThreads) {
        fail({"launch", __FILE__, __LINE__}, "a block of %u threads", run.size);
    }
    for (unsigned i = 0; i < run.size; ++i) {
        workers[i].barriers = 0;  // a smaller block has left some of them behind
        if (!workers[i].made) {
            make(workers[i]);
        }
    }
    block_index = 0;
    unfinished = static_cast<int>(run.size);
    __tsan_release(&launch_begin);
    begin_block();
    while (const int left = __atomic_load_n(&unfinished, __ATOMIC_ACQUIRE)) {
        sleep_while(&unfinished, left);
    }
    __tsan_acquire(&launch_end);
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
