// The literal pool_normalize.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and how many random cases.
#include <cmath>

#include "driver.h"
#include "pool_normalize.cu"
#include "tundish/pool_normalize.h"

namespace {

using tundish::Pooling;
namespace cuda = tundish::cuda;

constexpr Pooling kPoolings[] = {Pooling::mean, Pooling::cls, Pooling::max};

// What the mask leaves out is NaN, and sometimes a little of what it keeps.
template <typename Mask>
void compare(std::int64_t batch, std::int64_t tokens, std::int64_t width, Pooling pooling, bool normalize,
             std::int64_t kept_of_ten, bool with_nan) {
    std::vector<Mask> mask(static_cast<std::size_t>(batch * tokens));
    std::vector<float> vectors(mask.size() * static_cast<std::size_t>(width));
    for (std::size_t i = 0; i < mask.size(); ++i) {
        mask[i] = static_cast<Mask>(random_below(10) < kept_of_ten ? 1 + random_below(3) : 0);
        for (std::size_t j = 0; j < static_cast<std::size_t>(width); ++j) {
            const float value = static_cast<float>(random_below(1 << 20)) / 300000.0F - 1.7F;
            const bool nan = mask[i] == 0 || (with_nan && random_below(100) == 0);
            vectors[i * static_cast<std::size_t>(width) + j] = nan                    ? NAN
                                                               : random_below(9) == 0 ? -0.0F
                                                                                      : value;
        }
    }
    const auto size = static_cast<std::size_t>(batch * width);
    std::vector<float> expected(size), output = unwritten<float>(size);
    tundish::pool_normalize_into(
        expected.data(), tundish::TokenVectors<Mask>{vectors.data(), mask.data(), batch, tokens, width},
        pooling, normalize);

    const cuda::PoolNormalizeArguments arguments{output.data(),
                                                 vectors.data(),
                                                 mask.data(),
                                                 sizeof(Mask),
                                                 tokens,
                                                 width,
                                                 static_cast<int>(pooling),
                                                 normalize,
                                                 tundish::kSmallestNorm};
    simt::launch(static_cast<unsigned>(batch), cuda::kPoolNormalizeThreads,
                 [&] { cuda::tundish_pool_normalize(arguments); });
    require_equal(expected, output, "destination");
    ++cases;
}

void run(int count) {
    constexpr std::int64_t kTokens[] = {1, 2, 7, 8, 9, 31, 33, 255, 256, 257, 300};
    constexpr std::int64_t kWidths[] = {1, 3, 15, 16, 17, 33, 255, 257};
    for (int i = 0; i < count; ++i) {
        const std::int64_t tokens = kTokens[i % 11], width = kWidths[i % 8], batch = 1 + random_below(2);
        const Pooling pooling = kPoolings[i % 3];
        const bool normalize = random_below(2) == 0, with_nan = random_below(5) == 0;
        const std::int64_t kept = random_below(11);
        if (i % 4 == 0) {
            compare<std::uint8_t>(batch, tokens, width, pooling, normalize, kept, with_nan);
        } else if (i % 4 == 1) {
            compare<std::int32_t>(batch, tokens, width, pooling, normalize, kept, with_nan);
        } else {
            compare<std::int64_t>(batch, tokens, width, pooling, normalize, kept, with_nan);
        }
    }
    compare<std::int64_t>(1, 1300, 5, Pooling::mean, true, 9,
                          false);                                     // the ring of kept positions goes round
    compare<std::int64_t>(1, 9, 100, Pooling::mean, true, 9, false);  // lanes read what other threads wrote
    compare<std::int64_t>(1, 1300, 5, Pooling::cls, false, 9, false);
    compare<std::int64_t>(1, 1300, 5, Pooling::max, false, 9, false);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
