// The literal run_length_encode.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and five times the number of random cases: a block of this size takes
// long here.
#include "driver.h"
#include "run_length_encode.cu"
#include "tundish/cuda/run_length_encode.h"
#include "tundish/run_length_encode.h"

namespace {

namespace cuda = tundish::cuda;

unsigned tiles(std::int64_t length, std::int64_t tile) {
    return static_cast<unsigned>((length + tile - 1) / tile);
}

// `changes` of a thousand pixels differ from the one above them.
std::vector<std::uint8_t> random_masks(std::int64_t batch, std::int64_t height, std::int64_t width,
                                       std::int64_t changes) {
    std::vector<std::uint8_t> masks(static_cast<std::size_t>(batch * height * width));
    bool set = random_below(2) == 0;
    for (std::int64_t mask = 0; mask < batch; ++mask) {
        for (std::int64_t x = 0; x < width; ++x) {
            for (std::int64_t y = 0; y < height; ++y) {
                set = set != (random_below(1000) < changes);
                const auto at = static_cast<std::size_t>((mask * height + y) * width + x);
                masks[at] = set ? static_cast<std::uint8_t>(1 + random_below(255)) : std::uint8_t{0};
            }
        }
    }
    return masks;
}

void compare(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t changes,
             std::int64_t capacity) {
    const std::vector<std::uint8_t> masks = random_masks(batch, height, width, changes);
    const auto texts = static_cast<std::size_t>(batch * capacity), count = static_cast<std::size_t>(batch);
    std::vector<std::uint8_t> expected = unwritten<std::uint8_t>(texts);
    std::vector<std::uint8_t> text = unwritten<std::uint8_t>(texts);
    std::vector<std::int64_t> expected_lengths(count), lengths = unwritten<std::int64_t>(count);
    tundish::run_length_encode_into({expected.data(), expected_lengths.data(), capacity},
                                    {masks.data(), batch, height, width});

    const std::size_t bytes = cuda::run_length_encode_workspace_bytes(batch, height, width);
    std::vector<std::uint32_t> words = unwritten<std::uint32_t>(bytes / sizeof(std::uint32_t));
    const std::int64_t column_words = tiles(height, cuda::kWordRows);
    const cuda::RunLengthEncodeArguments arguments{text.data(),
                                                   lengths.data(),
                                                   capacity,
                                                   masks.data(),
                                                   static_cast<std::int32_t>(height),
                                                   static_cast<std::int32_t>(width),
                                                   static_cast<std::int32_t>(column_words),
                                                   words.data()};
    const auto masks_count = static_cast<unsigned>(batch);
    simt::launch({tiles(width, cuda::kPackColumns), tiles(column_words, cuda::kPackWords), masks_count},
                 {cuda::kPackColumns, cuda::kPackWords},
                 [&] { cuda::tundish_run_length_encode_pack(arguments); });
    simt::launch(masks_count, cuda::kEncodeThreads, [&] { cuda::tundish_run_length_encode(arguments); });
    require_equal(expected_lengths, lengths, "lengths");
    require_equal(expected, text, "text");
    ++cases;
}

void run(int count) {
    constexpr std::int64_t kSizes[] = {1, 2, 31, 32, 33, 64, 65};
    constexpr std::int64_t kChanges[] = {0, 3, 20, 300, 500, 1000};
    for (int i = 0; 5 * i < count; ++i) {
        const std::int64_t height = kSizes[random_below(7)], width = kSizes[random_below(7)];
        const std::int64_t batch = 1 + random_below(2), changes = kChanges[i % 6];
        const std::int64_t room = 2 * height * width + 14;
        compare(batch, height, width, changes, i % 5 == 0 ? 1 + random_below(room) : room);
    }
    compare(1, 33, 1100, 1, 9000);   // words are taken in two turns
    compare(1, 32, 1100, 30, 9000);  // and hold more changes than there are threads
    compare(1, tundish::kMaximumRunExtent, 1, 0, 20);
    compare(1, 1, 3000, 0, 20);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
