// Drives run_length_encode_into and run_length_decode_into over awkward sizes and texts, to be built with the
// sanitizers (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree; what is decoded
// must be what was encoded, and random texts must be refused or be masks.
#include "sanitize.h"
#include "tundish/run_length_encode.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::Isa;

std::vector<std::uint8_t> encode(const std::vector<std::uint8_t>& mask, std::int64_t height,
                                 std::int64_t width, Isa isa) {
    // First to learn the length, with room for a single byte.
    std::uint8_t first = 0;
    std::int64_t length = -1;
    tundish::run_length_encode_into({&first, &length, 1}, {mask.data(), 1, height, width}, isa);
    require(length >= 1 && length <= 2 * height * width + 14, "a length is out of bounds");
    std::vector<std::uint8_t> text(static_cast<std::size_t>(length));
    std::int64_t again = -1;
    tundish::run_length_encode_into({text.data(), &again, length}, {mask.data(), 1, height, width}, isa);
    require(again == length && text[0] == first, "a second call differs");
    return text;
}

void decode(std::vector<std::uint8_t>& mask, std::int64_t height, std::int64_t width,
            const std::vector<std::uint8_t>& text) {
    const tundish::RunText view{text.data(), text.size()};
    tundish::run_length_decode_into({mask.data(), 1, height, width}, &view);
}

void run(std::int64_t height, std::int64_t width, std::uint32_t density) {
    ++sanitize::cases;
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(height * width));
    for (std::uint8_t& pixel : mask) {
        pixel = next_random() % 256 < density ? static_cast<std::uint8_t>(1 + next_random() % 255) : 0;
    }
    std::vector<std::uint8_t> first;
    for (const Isa isa : tundish::available_isas()) {
        const std::vector<std::uint8_t> text = encode(mask, height, width, isa);
        require(first.empty() || first == text, "instruction sets differ");
        first = text;
    }
    std::vector<std::uint8_t> decoded(mask.size(), 77);
    decode(decoded, height, width, first);
    for (std::size_t i = 0; i < mask.size(); ++i) {
        require(decoded[i] == (mask[i] != 0 ? 1 : 0), "a pixel changed");
    }
    sanitize::add_to_digest(first);
}

void run_random_texts() {
    for (int i = 0; i < 20000; ++i) {
        ++sanitize::cases;
        std::vector<std::uint8_t> text(1 + next_random() % 12);
        for (std::uint8_t& character : text) {
            character = static_cast<std::uint8_t>(i % 2 == 0 ? next_random() : 48 + next_random() % 64);
        }
        std::vector<std::uint8_t> mask(30, 77);
        try {
            decode(mask, 5, 6, text);
            for (const std::uint8_t pixel : mask) {
                require(pixel <= 1, "a pixel was not written");
            }
        } catch (const std::invalid_argument&) {
            for (const std::uint8_t pixel : mask) {
                require(pixel == 77, "a wrong text was written");
            }
        }
    }
}

void run_errors() {
    std::vector<std::uint8_t> mask(12);
    std::vector<std::uint8_t> text(8);
    std::int64_t length = 0;
    const auto encode_call = [](std::uint8_t* into, std::int64_t* lengths, std::int64_t capacity,
                                const std::uint8_t* from, std::int64_t height, std::int64_t width) {
        return [=] { tundish::run_length_encode_into({into, lengths, capacity}, {from, 1, height, width}); };
    };
    std::uint8_t* const to = text.data();
    sanitize::require_error(encode_call(nullptr, &length, 8, mask.data(), 3, 4), "a null text was taken");
    sanitize::require_error(encode_call(to, nullptr, 8, mask.data(), 3, 4), "null lengths were taken");
    sanitize::require_error(encode_call(to, &length, 8, nullptr, 3, 4), "a null mask was taken");
    sanitize::require_error(encode_call(to, &length, 0, mask.data(), 3, 4), "no room was taken");
    sanitize::require_error(encode_call(to, &length, 8, mask.data(), 0, 4), "no rows were taken");
    sanitize::require_error(encode_call(to, &length, 8, mask.data(), 3, 65536), "a huge width was taken");
    sanitize::require_error(encode_call(mask.data() + 11, &length, 8, mask.data(), 3, 4),
                            "overlapping memory was taken");
    const auto decode_call = [&](const std::uint8_t* from, std::size_t size) {
        return [=, &mask] {
            const tundish::RunText view{from, size};
            tundish::run_length_decode_into({mask.data(), 1, 3, 4}, &view);
        };
    };
    sanitize::require_error(decode_call(mask.data() + 11, 1), "a text in its mask was taken");
    sanitize::require_error(decode_call(to, 0), "an empty text was taken");
    sanitize::require_error(decode_call(nullptr, 1), "a null text was taken");
}

}  // namespace

int main() {
    for (const std::int64_t height : {1, 2, 7, 8, 9, 63, 64, 65, 130}) {
        for (const std::int64_t width : {1, 2, 63, 64, 65, 130}) {
            for (const std::uint32_t density : {0, 4, 128, 252, 256}) {
                run(height, width, density);
            }
        }
    }
    run(1, tundish::kMaximumRunExtent, 3);
    run(tundish::kMaximumRunExtent, 1, 3);
    run_random_texts();
    run_errors();
    return sanitize::report();
}
