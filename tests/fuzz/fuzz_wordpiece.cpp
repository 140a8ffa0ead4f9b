// Fuzzes the tokenizer with texts, pairs and truncations: fuzz_wordpiece CORPUS -max_total_time=600 (see
// `make fuzz`).
//
// Beside what the sanitizers see, all instruction sets must agree, and what is written must be as the
// contract says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "tundish/wordpiece.h"

namespace {

using tundish::AddedToken;
using tundish::TemplatePiece;
using tundish::TextView;
using tundish::WordPiece;
using tundish::WordPieceOptions;

constexpr std::size_t kVariants = 16;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// A small vocabulary, so that the fuzzer often meets its words; each variant switches some setting.
WordPiece make_tokenizer(std::size_t variant) {
    tundish::WordPieceSettings settings{};
    const char* const words[] = {"[PAD]",  "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",     "##a",    "b",
                                 "##b",    "ab",    "##ab",  "aba",   "e",      "##e",   "\u00e9", "##\u0301",
                                 "\u4e2d", "!",     "##!",   "i",     "##s",    "\u03c3"};
    std::int32_t id = 0;
    for (const char* const word : words) {
        settings.vocabulary.emplace_back(word, id++);
    }
    settings.unknown_token = "[UNK]";
    settings.continuing_prefix = "##";
    settings.maximum_word_characters = 7;
    settings.clean_text = (variant & 1) == 0;
    settings.split_chinese = (variant & 2) == 0;
    settings.lowercase = (variant & 4) == 0;
    settings.strip_accents = settings.lowercase;
    const bool normalized = (variant & 8) != 0;
    settings.added_tokens = {{"[MASK]", 4, false, true, false, false},
                             {"[SEP]", 3, false, false, false, false},
                             {"Ab", 22, true, false, true, normalized}};
    using Kind = TemplatePiece::Kind;
    settings.single = {{Kind::special, 2, 0}, {Kind::first, 0, 0}, {Kind::special, 3, 0}};
    settings.pair = {{Kind::special, 2, 0},
                     {Kind::first, 0, 0},
                     {Kind::special, 3, 0},
                     {Kind::second, 0, 1},
                     {Kind::special, 3, 1}};
    return WordPiece(std::move(settings));
}

struct Result {
    std::vector<std::int32_t> ids, type_ids, offsets, word_ids;
    std::int64_t starts[2] = {-1, -1};
    std::uint8_t truncated = 2;
    bool refused = false;

    bool operator==(const Result& other) const {
        return refused == other.refused &&
               (refused ||
                (ids == other.ids && type_ids == other.type_ids && offsets == other.offsets &&
                 word_ids == other.word_ids && starts[1] == other.starts[1] && truncated == other.truncated));
    }
};

Result run(const WordPiece& tokenizer, const TextView& text, const TextView* pair,
           const WordPieceOptions& options, tundish::Isa isa) {
    Result result;
    try {
        const std::size_t capacity = tundish::wordpiece_capacity(tokenizer, &text, pair, 1, options);
        result.ids.resize(capacity);
        result.type_ids.resize(capacity);
        result.offsets.resize(2 * capacity);
        result.word_ids.resize(capacity);
        tundish::wordpiece_into({result.ids.data(), result.type_ids.data(), result.offsets.data(),
                                 result.word_ids.data(), capacity, result.starts, &result.truncated},
                                tokenizer, &text, pair, 1, options, isa);
    } catch (const std::invalid_argument&) {
        result.refused = true;
        return result;
    }
    const auto count = static_cast<std::size_t>(result.starts[1]);
    require(result.starts[0] == 0 && count <= result.ids.size() && result.truncated <= 1);
    require(options.maximum_tokens < 0 || result.starts[1] <= options.maximum_tokens);
    result.ids.resize(count);
    result.type_ids.resize(count);
    result.offsets.resize(2 * count);
    result.word_ids.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        require(result.ids[i] >= 0 && result.ids[i] <= 22 && result.word_ids[i] >= -1);
        require(result.offsets[2 * i] >= 0 && result.offsets[2 * i] <= result.offsets[2 * i + 1]);
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<WordPiece> tokenizers = [] {
        std::vector<WordPiece> made;
        for (std::size_t variant = 0; variant < kVariants; ++variant) {
            made.push_back(make_tokenizer(variant));
        }
        return made;
    }();
    if (size < 3) {
        return 0;
    }
    const WordPiece& tokenizer = tokenizers[data[0] % kVariants];
    WordPieceOptions options;
    options.strategy = static_cast<WordPieceOptions::Strategy>(data[1] % 3);
    options.truncate_left = (data[1] & 4) != 0;
    options.add_special_tokens = (data[1] & 8) != 0;
    options.maximum_tokens = (data[1] & 16) != 0 ? data[1] >> 5 : -1;
    data += 3;
    size -= 3;
    // Copies of exactly their size, so that the address sanitizer sees a byte too far.
    const std::size_t split = (data[-1] & 1) != 0 ? size / 2 : size;
    const std::vector<char> first(data, data + split);
    const std::vector<char> second(data + split, data + size);
    const TextView text{first.data(), first.size()};
    const TextView other{second.data(), second.size()};
    const TextView* const pair = (data[-1] & 1) != 0 ? &other : nullptr;

    const Result expected = run(tokenizer, text, pair, options, tundish::Isa::scalar);
    for (const tundish::Isa isa : tundish::available_isas()) {
        require(run(tokenizer, text, pair, options, isa) == expected);
    }
    return 0;
}
