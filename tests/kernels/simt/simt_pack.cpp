// The literal pack.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and how many random cases. Arrays are exactly as large as the contract
// says, so that one element too far is an error of the address sanitizer.
#include "driver.h"
#include "pack.cu"
#include "tundish/pack.h"

namespace {

namespace cuda = tundish::cuda;

template <class Integer>
cuda::PackArguments arguments_of(const tundish::PackDestination<Integer>& destination,
                                 const tundish::RaggedTokens& tokens, const tundish::Padding& padding) {
    return {{destination.ids, destination.mask, destination.type_ids, sizeof(Integer),
             static_cast<std::int64_t>(destination.length)},
            static_cast<std::int64_t>(destination.batch),
            tokens.ids,
            tokens.type_ids,
            static_cast<std::int64_t>(tokens.size),
            tokens.starts,
            padding.id,
            padding.type_id,
            padding.left};
}

void launch(const cuda::PackArguments& arguments) {
    const std::int64_t blocks = (arguments.rows + cuda::kPackRows - 1) / cuda::kPackRows;
    simt::launch(static_cast<unsigned>(blocks), 32 * cuda::kPackRows, [&] { cuda::tundish_pack(arguments); });
}

std::vector<std::int32_t> random_integers(std::size_t size) {
    std::vector<std::int32_t> made(size);
    for (std::int32_t& value : made) {
        value = static_cast<std::int32_t>(random_below(1 << 24)) - (1 << 23);
    }
    return made;
}

// A batch with or without mask and type ids; `unwritten` memory for both devices.
template <class Integer>
struct Batch {
    std::vector<Integer> ids, mask, type_ids;
    tundish::PackDestination<Integer> destination;

    Batch(std::size_t rows, std::size_t length, bool with_mask, bool with_type_ids)
        : ids(unwritten<Integer>(rows * length)),
          mask(with_mask ? ids : std::vector<Integer>()),
          type_ids(with_type_ids ? ids : std::vector<Integer>()),
          destination{ids.data(), with_mask ? mask.data() : nullptr,
                      with_type_ids ? type_ids.data() : nullptr, rows, length} {}
};

template <class Integer>
void compare(std::size_t rows, std::int64_t longest, std::size_t length, bool with_mask, bool with_type_ids) {
    std::vector<std::int64_t> starts(rows + 1);
    for (std::size_t row = 0; row < rows; ++row) {
        starts[row + 1] = starts[row] + random_below(longest + 1);
    }
    starts[rows] = starts[rows - 1] + longest;
    const auto size = static_cast<std::size_t>(starts[rows]);
    const std::vector<std::int32_t> ids = random_integers(size), type_ids = random_integers(size);
    const tundish::RaggedTokens tokens{ids.data(), with_type_ids ? type_ids.data() : nullptr, size,
                                       starts.data()};
    const tundish::Padding padding{-7, 9, random_below(2) == 0};
    Batch<Integer> expected(rows, length, with_mask, with_type_ids);
    Batch<Integer> made(rows, length, with_mask, with_type_ids);
    tundish::pack_into(expected.destination, tokens, padding);
    launch(arguments_of(made.destination, tokens, padding));
    require_equal(expected.ids, made.ids, "ids");
    require_equal(expected.mask, made.mask, "mask");
    require_equal(expected.type_ids, made.type_ids, "type_ids");
    ++cases;
}

// Nothing beside the arrays is touched, and a row that is too long is cut off.
void run_wrong_starts() {
    const std::vector<std::int32_t> ids = {1, 2, 3};
    const std::vector<std::int64_t> wrong[] = {
        {0, 3, 3}, {-5, 2, 9}, {2, 1, 0}, {INT64_MAX, INT64_MIN, INT64_MAX}, {INT64_MIN, INT64_MAX, 3}};
    for (const std::vector<std::int64_t>& starts : wrong) {
        Batch<std::int64_t> made(2, 2, true, false);
        launch(arguments_of(made.destination, {ids.data(), nullptr, 3, starts.data()}, {7, 0, false}));
        if (&starts == wrong) {
            require_equal({1, 2, 7, 7}, made.ids, "ids of a row that is cut off");
            require_equal({1, 1, 0, 0}, made.mask, "mask of a row that is cut off");
        }
        ++cases;
    }
}

void run(int count) {
    constexpr std::int64_t kLongest[] = {1, 2, 31, 32, 33, 64, 100, 257};
    constexpr std::size_t kRows[] = {1, 2, 7, 8, 9, 17};
    for (int i = 0; i < count; ++i) {
        const std::int64_t longest = kLongest[i % 8];
        const std::int64_t extra = random_below(40);
        const auto length = static_cast<std::size_t>(longest + random_below(3) * extra);
        const std::size_t rows = kRows[random_below(6)];
        const bool with_mask = random_below(4) != 0, with_type_ids = random_below(3) != 0;
        if (i % 2 == 0) {
            compare<std::int64_t>(rows, longest, length, with_mask, with_type_ids);
        } else {
            compare<std::int32_t>(rows, longest, length, with_mask, with_type_ids);
        }
    }
    run_wrong_starts();
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
