// Fuzzes the reading of run lengths, and their writing: fuzz_run_length_encode CORPUS -max_total_time=600
// (see `make fuzz`).
//
// A text is refused and nothing written, or gives a mask that every instruction set writes as the same text,
// from which the same mask comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "tundish/run_length_encode.h"

namespace {

constexpr std::uint8_t kUntouched = 0xA5;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

bool decode(const std::vector<std::uint8_t>& text, std::int64_t height, std::int64_t width,
            std::vector<std::uint8_t>& mask) {
    mask.assign(static_cast<std::size_t>(height * width), kUntouched);
    const tundish::RunText view{text.data(), text.size()};
    try {
        tundish::run_length_decode_into({mask.data(), 1, height, width}, &view);
    } catch (const std::invalid_argument&) {
        for (const std::uint8_t value : mask) {
            require(value == kUntouched);
        }
        return false;
    }
    for (const std::uint8_t value : mask) {
        require(value <= 1);
    }
    return true;
}

std::vector<std::uint8_t> encode(const std::vector<std::uint8_t>& mask, std::int64_t height,
                                 std::int64_t width, tundish::Isa isa) {
    std::vector<std::uint8_t> text(2 * mask.size() + 14);
    std::int64_t length = 0;
    tundish::run_length_encode_into({text.data(), &length, static_cast<std::int64_t>(text.size())},
                                    {mask.data(), 1, height, width}, isa);
    require(length > 0 && length <= static_cast<std::int64_t>(text.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) {
        return 0;
    }
    const std::int64_t height = 1 + data[0];
    const std::int64_t width = 1 + data[1];
    // A copy of exactly its size, so that the address sanitizer sees a byte too far.
    const std::vector<std::uint8_t> given(data + 2, data + size);
    std::vector<std::uint8_t> mask;
    if (!decode(given, height, width, mask)) {
        return 0;
    }
    const std::vector<std::uint8_t> text = encode(mask, height, width, tundish::Isa::scalar);
    require(text.size() <= given.size());  // no other text of the mask is shorter
    for (const tundish::Isa isa : tundish::available_isas()) {
        require(encode(mask, height, width, isa) == text);
    }
    std::vector<std::uint8_t> again;
    require(decode(text, height, width, again) && again == mask);
    return 0;
}
