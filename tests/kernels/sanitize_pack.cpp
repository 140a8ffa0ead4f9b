// Drives pack_into over small batches, to be built with the sanitizers (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. Beside that: every element is written, and nothing
// is where an argument is refused. The values are compared with NumPy's in Python.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tundish/pack.h"

namespace {

using tundish::PackDestination;
using tundish::RaggedTokens;

constexpr int kUntouched = -77;
int cases = 0;

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "case %d: %s\n", cases, what);
        std::exit(1);
    }
}

template <class Item>
std::unique_ptr<Item[]> exact(std::size_t count, int value) {
    std::unique_ptr<Item[]> made(new Item[count]);
    for (std::size_t i = 0; i < count; ++i) {
        made[i] = static_cast<Item>(value);
    }
    return made;
}

template <class Integer>
bool refuses(const PackDestination<Integer>& destination, const RaggedTokens& tokens) {
    try {
        tundish::pack_into(destination, tokens, {0, 0, false});
    } catch (const std::invalid_argument&) {
        return true;
    }
    return false;
}

template <class Integer>
void run(const std::vector<std::int64_t>& counts, std::size_t length, bool left) {
    const std::size_t batch = counts.size();
    const auto starts = exact<std::int64_t>(batch + 1, 0);
    for (std::size_t row = 0; row < batch; ++row) {
        starts[row + 1] = starts[row] + counts[row];
    }
    const auto size = static_cast<std::size_t>(starts[batch]);
    const auto ids = exact<std::int32_t>(size, 5);
    const auto type_ids = exact<std::int32_t>(size, 6);
    const std::size_t area = batch * length;
    const auto packed = exact<Integer>(area, kUntouched);
    const auto mask = exact<Integer>(area, kUntouched);
    const auto packed_types = exact<Integer>(area, kUntouched);
    const RaggedTokens tokens{ids.get(), type_ids.get(), size, starts.get()};
    const PackDestination<Integer> destination{packed.get(), mask.get(), packed_types.get(), batch, length};
    ++cases;
    tundish::pack_into(destination, tokens, {7, 8, left});
    for (std::size_t row = 0; row < batch; ++row) {
        for (std::size_t column = 0; column < length; ++column) {
            const std::size_t at = row * length + column;
            const auto count = static_cast<std::size_t>(counts[row]);
            const bool is_token = left ? column >= length - count : column < count;
            require(packed[at] == (is_token ? 5 : 7) && mask[at] == (is_token ? 1 : 0) &&
                        packed_types[at] == (is_token ? 6 : 8),
                    "a wrong element");
        }
    }

    PackDestination<Integer> bad = destination;
    if (size > 0) {
        bad.length = length - 1;  // at least one row is as long as the batch
        require(refuses(bad, tokens), "took a row that is too long");
        require(refuses(destination, {nullptr, type_ids.get(), size, starts.get()}), "took null ids");
        require(refuses(destination, {ids.get(), nullptr, size, starts.get()}), "took no type ids for some");
        bad = destination;
        bad.mask = bad.ids;
        require(refuses(bad, tokens), "took arrays that overlap");
        require(refuses(destination, {ids.get(), type_ids.get(), size - 1, starts.get()}),
                "took starts beyond the end");
        starts[0] = 1;
        require(refuses(destination, tokens), "took starts that do not begin at 0");
        starts[0] = 0;
        starts[1] = -1;
        require(refuses(destination, tokens), "took starts that descend");
    }
}

}  // namespace

int main() {
    const std::vector<std::vector<std::int64_t>> batches = {
        {}, {0}, {1}, {3}, {0, 0}, {1, 0, 2}, {5, 5}, {0, 17, 3}, {33, 1, 0, 32, 31}};
    for (const auto& counts : batches) {
        std::int64_t longest = 0;
        for (const std::int64_t count : counts) {
            longest = count > longest ? count : longest;
        }
        for (const bool left : {false, true}) {
            run<std::int32_t>(counts, static_cast<std::size_t>(longest), left);
            run<std::int64_t>(counts, static_cast<std::size_t>(longest), left);
        }
    }
    std::printf("ok: %d batches\n", cases);
    return 0;
}
