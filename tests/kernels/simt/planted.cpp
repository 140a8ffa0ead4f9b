// Runs one kernel of planted.cu, in the order named, and prints what two blocks of it wrote.
#include "planted.cu"

#include <cstdio>
#include <cstring>
#include <vector>

#include "driver.h"

namespace {

struct Case {
    const char* name;
    void (*kernel)(int*);
};

#define CASE(name) {#name, name}
constexpr Case kCases[] = {CASE(missing_barrier),      CASE(missing_warp_barrier), CASE(barriers_in_place),
                           CASE(shared_out_of_bounds), CASE(global_out_of_bounds), CASE(divergent_barrier),
                           CASE(different_barriers),   CASE(absent_lane),          CASE(inactive_source),
                           CASE(not_in_mask),          CASE(uninitialised_shared), CASE(warp_functions)};

}  // namespace

int main(int count, char** arguments) {
    if (count != 3 || !set_order(arguments[2])) {
        std::fputs("planted KERNEL ORDER\n", stderr);
        return 2;
    }
    for (const Case& one : kCases) {
        if (std::strcmp(one.name, arguments[1]) == 0) {
            std::vector<int> output(2 * kThreads);
            int* const data = output.data();
            simt::launch(2, kThreads, [&] { one.kernel(data + blockIdx.x * kThreads); });
            for (const int value : output) {
                std::printf("%d ", value);
            }
            return 0;
        }
    }
    return 2;
}
