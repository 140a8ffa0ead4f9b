// Which threads of a block wait for which, the same for both back ends.
//
// Plain arrays and no functions of the C++ library: threads.cpp must stay invisible to the thread sanitizer,
// and a function that the linker shares with an instrumented file would not be.
#pragma once

#include "simt.h"

namespace simt {

enum class State { running, at_block_barrier, at_warp_function, finished };

struct Thread {
    State state;
    Site site;
    std::uint32_t mask;        // lanes that a warp function waits for
    std::uint64_t value;       // what this lane brings to it
    std::uint64_t values[32];  // what the lanes brought, once it is over
};

class Meeting {
  public:
    void begin(unsigned size) {
        size_ = size;
        for (unsigned i = 0; i < size; ++i) {
            threads_[i].state = State::running;
        }
    }

    Thread& operator[](unsigned index) { return threads_[index]; }

    // To be called when no thread runs. Lets those go on whose barrier or warp function is complete and
    // returns true, or returns false if all have finished; fails if none can go on.
    bool resolve() {
        bool released = false;
        for (unsigned begin = 0; begin < size_; begin += 32) {
            for (unsigned lane = 0; lane < 32 && begin + lane < size_; ++lane) {
                if (threads_[begin + lane].state == State::at_warp_function && complete(begin, lane)) {
                    release_lanes(begin, threads_[begin + lane].mask);
                    released = true;
                }
            }
        }
        return released || resolve_barrier();
    }

  private:
    bool resolve_barrier() {
        unsigned waiting = 0, finished = 0, first = size_, absent = size_;
        for (unsigned i = 0; i < size_; ++i) {
            if (threads_[i].state == State::at_block_barrier) {
                ++waiting;
                first = first == size_ ? i : first;
            } else {
                finished += threads_[i].state == State::finished ? 1 : 0;
                absent = absent == size_ ? i : absent;
            }
        }
        if (finished == size_) {
            return false;
        }
        if (first == size_) {
            fail_warp(absent);
        }
        const Site& site = threads_[first].site;
        if (waiting < size_) {
            fail(site, "thread %u of the block waits, but thread %u %s", first, absent,
                 threads_[absent].state == State::finished ? "has returned" : "waits for its warp");
        }
        for (unsigned i = 0; i < size_; ++i) {
            if (threads_[i].site.line != site.line || threads_[i].site.file != site.file) {
                fail(site, "thread %u of the block waits here, but thread %u in line %d", first, i,
                     threads_[i].site.line);
            }
            threads_[i].state = State::running;
        }
        return true;
    }

    // Whether every lane that this one waits for is at the same call with the same mask.
    bool complete(unsigned begin, unsigned lane) const {
        const Thread& thread = threads_[begin + lane];
        for (unsigned other = 0; other < 32; ++other) {
            if ((thread.mask >> other & 1) != 0 &&
                (begin + other >= size_ || !same_call(thread, threads_[begin + other]))) {
                return false;
            }
        }
        return true;
    }

    static bool same_call(const Thread& thread, const Thread& other) {
        return other.state == State::at_warp_function && other.mask == thread.mask &&
               other.site.line == thread.site.line && other.site.file == thread.site.file;
    }

    void release_lanes(unsigned begin, std::uint32_t mask) {
        for (unsigned lane = 0; lane < 32; ++lane) {
            if ((mask >> lane & 1) != 0) {
                for (unsigned other = 0; other < 32; ++other) {
                    const bool active = (mask >> other & 1) != 0;
                    threads_[begin + lane].values[other] = active ? threads_[begin + other].value : 0;
                }
            }
        }
        for (unsigned lane = 0; lane < 32; ++lane) {
            if ((mask >> lane & 1) != 0) {
                threads_[begin + lane].state = State::running;
            }
        }
    }

    // Says which lane a warp function waits for in vain; `finished` is a thread that does not wait.
    [[noreturn]] void fail_warp(unsigned not_at_barrier) {
        unsigned index = not_at_barrier;
        while (threads_[index].state != State::at_warp_function) {
            ++index;
        }
        const Thread& thread = threads_[index];
        const unsigned begin = index / 32 * 32;
        unsigned lane = 0;
        while ((thread.mask >> lane & 1) == 0 ||
               (begin + lane < size_ && same_call(thread, threads_[begin + lane]))) {
            ++lane;
        }
        fail(thread.site, "thread %u waits for lane %u of its warp, which %s", index, lane,
             begin + lane >= size_                             ? "does not exist"
             : threads_[begin + lane].state == State::finished ? "has returned"
                                                               : "waits elsewhere");
    }

    unsigned size_ = 0;
    Thread threads_[kMaximumThreads];
};

// Fills shared memory with a pattern that differs from block to block and from launch to launch, so that a
// value that nobody wrote does not stay the same.
void poison_shared(unsigned block);

void set_block_index(dim3 grid, unsigned block);
void set_thread_index(dim3 block, unsigned thread);

}  // namespace simt
