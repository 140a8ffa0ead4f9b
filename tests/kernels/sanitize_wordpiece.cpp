// Drives wordpiece_into over generated and mutated texts, to be built with the sanitizers (TUNDISH_SANITIZE).
//
//     sanitize_wordpiece [rounds [seed]]
//
// Texts and destinations are exactly as large as the contract says, so that one byte too far is an error of
// the address sanitizer. Beside that: invalid UTF-8 is refused and writes nothing, all instruction sets
// agree, and the normaliser's fast ways give what its definition gives, for each code point and for every
// text. Ids are compared with those of `tokenizers` in Python.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../kernels/src/cpu/bert_normalizer.h"
#include "../../kernels/src/cpu/unicode.h"
#include "tundish/wordpiece.h"

namespace {

using tundish::AddedToken;
using tundish::Isa;
using tundish::NormalizedText;
using tundish::TemplatePiece;
using tundish::TextView;
using tundish::TokenDestination;
using tundish::WordPiece;
using tundish::WordPieceOptions;
using tundish::WordPieceSettings;

std::uint64_t random_state = 1;
long cases = 0;
std::uint64_t digest = 14695981039346656037U;  // FNV-1a, to compare machines

std::uint32_t next_random() {
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(random_state >> 33);
}

std::uint32_t below(std::size_t limit) { return next_random() % static_cast<std::uint32_t>(limit); }

std::string current;  // what is being worked on, for a message

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "case %ld: %s:", cases, what);
        for (const char letter : current) {
            std::fprintf(stderr, " %02x", static_cast<unsigned char>(letter));
        }
        std::fprintf(stderr, "\n");
        std::exit(1);
    }
}

void append(std::string& text, std::uint32_t code) {
    std::uint8_t bytes[4];
    text.append(reinterpret_cast<const char*>(bytes), tundish::encode_utf8(code, bytes));
}

// Exactly as many items as asked for; a read or write beside them is found.
template <class Item>
using Exact = std::unique_ptr<Item[]>;

template <class Item>
Exact<Item> exact(std::size_t count, Item value) {
    Exact<Item> made(new Item[count]);
    for (std::size_t i = 0; i < count; ++i) {
        made[i] = value;
    }
    return made;
}

struct ExactText {
    explicit ExactText(const std::string& text) : bytes(exact<char>(text.size(), 0)), size(text.size()) {
        std::copy(text.begin(), text.end(), bytes.get());
    }
    TextView view() const { return {size == 0 ? nullptr : bytes.get(), size}; }

    Exact<char> bytes;
    std::size_t size;
};

WordPiece make_tokenizer(int variant) {
    WordPieceSettings settings;
    settings.unknown_token = "[UNK]";
    settings.continuing_prefix = variant % 3 == 0 ? "" : "##";
    settings.maximum_word_characters = variant % 4 == 3 ? 5 : 100;
    settings.clean_text = (variant & 1) == 0;
    settings.split_chinese = (variant & 2) == 0;
    settings.strip_accents = (variant & 4) == 0;
    settings.lowercase = (variant & 8) == 0;
    std::int32_t id = 0;
    for (const char* const token : {"[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
        settings.vocabulary.emplace_back(token, id++);
    }
    std::vector<std::string> words = {"the",          "cat",      "\xe4\xb8\xad", "\xed\x95\x9c",
                                      "\xe1\x84\x92", "\xc3\xa9", "aa",           "aaab"};
    for (char letter = '!'; letter <= '~'; ++letter) {
        words.emplace_back(1, letter);
    }
    for (const std::string& word : words) {
        settings.vocabulary.emplace_back(word, id++);
        if (!settings.continuing_prefix.empty()) {
            settings.vocabulary.emplace_back(settings.continuing_prefix + word, id++);
        }
    }
    settings.added_tokens = {{"[MASK]", 3, variant % 5 == 1, variant % 2 == 1, variant % 3 == 1, false}};
    if (variant % 4 == 2) {
        settings.added_tokens.push_back({"Foo  b", id++, false, true, true, true});
        settings.added_tokens.push_back({"\xc3\x89z", id++, true, false, false, true});
        settings.added_tokens.push_back({"\xc3\x89", id++, false, false, true, false});
    }
    settings.trim_offsets = variant % 5 == 2;
    using Kind = TemplatePiece::Kind;
    settings.single = {{Kind::special, 1, 0}, {Kind::first, 0, 0}, {Kind::special, 2, 0}};
    settings.pair = settings.single;
    settings.pair.push_back({Kind::second, 0, 1});
    settings.pair.push_back({Kind::special, 2, 1});
    return WordPiece(std::move(settings));
}

// What a call wrote, to compare calls.
struct Result {
    std::vector<std::int32_t> tokens;
    std::vector<std::int64_t> starts;
    bool failed = false;

    bool operator==(const Result& other) const {
        return tokens == other.tokens && starts == other.starts && failed == other.failed;
    }
};

constexpr std::int32_t kUntouched = -77;

Result run(const WordPiece& tokenizer, const std::vector<ExactText>& texts, bool as_pairs,
           const WordPieceOptions& options, Isa isa) {
    std::vector<TextView> views;
    for (const ExactText& text : texts) {
        views.push_back(text.view());
    }
    const std::size_t count = as_pairs ? views.size() / 2 : views.size();
    const TextView* const pairs = as_pairs ? views.data() + count : nullptr;
    const std::size_t capacity = tundish::wordpiece_capacity(tokenizer, views.data(), pairs, count, options);
    const auto ids = exact(capacity, kUntouched);
    const auto type_ids = exact(capacity, kUntouched);
    const auto offsets = exact(2 * capacity, kUntouched);
    const auto word_ids = exact(capacity, kUntouched);
    const auto starts = exact<std::int64_t>(count + 1, kUntouched);
    const auto truncated = exact<std::uint8_t>(count, 99);
    const TokenDestination destination{ids.get(), type_ids.get(), offsets.get(),  word_ids.get(),
                                       capacity,  starts.get(),   truncated.get()};
    Result result;
    try {
        tundish::wordpiece_into(destination, tokenizer, views.data(), pairs, count, options, isa);
    } catch (const std::invalid_argument&) {
        result.failed = true;
    }
    const std::size_t size = result.failed ? 0 : static_cast<std::size_t>(starts[count]);
    bool valid = true;
    for (const ExactText& text : texts) {
        valid = valid && tundish::valid_utf8_prefix(reinterpret_cast<const std::uint8_t*>(text.bytes.get()),
                                                    text.size) == text.size;
    }
    require(!result.failed || !valid || options.strategy != WordPieceOptions::Strategy::longest_first,
            "refused what is valid");
    require(valid || result.failed, "took what is not UTF-8");
    require(size <= capacity, "more tokens than the capacity");
    if (!valid) {
        require(starts[0] == kUntouched && (capacity == 0 || ids[0] == kUntouched),
                "written though not UTF-8");
    }
    for (std::size_t i = 0; i < size; ++i) {
        require(
            ids[i] >= 0 && offsets[2 * i] >= 0 && offsets[2 * i] <= offsets[2 * i + 1] && word_ids[i] >= -1,
            "a token that cannot be");
        result.tokens.insert(result.tokens.end(),
                             {ids[i], type_ids[i], offsets[2 * i], offsets[2 * i + 1], word_ids[i]});
    }
    result.starts.assign(starts.get(), starts.get() + (result.failed ? 0 : count + 1));
    ++cases;
    return result;
}

bool same(const NormalizedText& left, const NormalizedText& right) {
    if (left.size != right.size || left.words != right.words ||
        (left.size > 0 && std::memcmp(left.bytes.data(), right.bytes.data(), left.size) != 0)) {
        return false;
    }
    for (std::size_t i = 0; i < left.words; ++i) {
        if (left.begins.data()[i] != right.begins.data()[i] || left.ends.data()[i] != right.ends.data()[i]) {
            return false;
        }
    }
    for (std::size_t i = 0; i < left.size; ++i) {
        if (left.origin(i) != right.origin(i)) {
            return false;
        }
    }
    return true;
}

void compare_normalizers(const tundish::BertNormalizer& normalizer, const std::string& text) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    NormalizedText expected;
    normalizer.normalize_by_steps(bytes, text.size(), true, expected);
    require(expected.size <= tundish::kMaximumGrowth * text.size(), "grew by more than three times");
    require(expected.words <= text.size(), "more words than bytes");
    for (const Isa isa : tundish::available_isas()) {
        NormalizedText made;
        normalizer.normalize(bytes, text.size(), true, isa, made);
        require(same(made, expected), "differs from the normaliser's definition");
    }
}

std::uint32_t random_code() {
    static const std::uint32_t kAwkward[] = {0,      '\t',    ' ',     0x85,   0xA0,    0xAD,   0x130,
                                             0x300,  0x323,   0x344,   0x345,  0x1100,  0x1161, 0xAC01,
                                             0x302E, 0xA9C0,  0x4E2D,  0xF900, 0x2F800, 0xFFFD, 0x200D,
                                             0x2028, 0x1D160, 0x1D16D, 0x0F73, 0x0F74,  0x1DFB};
    switch (below(6)) {
        case 0:
            return kAwkward[below(sizeof kAwkward / sizeof *kAwkward)];
        case 1:
            return below(0x800);
        case 2:
            return below(0xD800);
        case 3: {
            const std::uint32_t code = below(tundish::kCodePoints);
            return (code & ~0x7FFU) == 0xD800 ? 'a' : code;
        }
        default:
            return ' ' + below(95);
    }
}

std::string random_text() {
    static const char* const kParts[] = {"[MASK]",    "foo  B", "the cat", "[MASK",
                                         "\xc3\x89z", "aaab",   "\xc3\x89"};
    std::string text;
    const std::size_t size = below(8) == 0 ? below(300) : below(40);
    const bool plain = below(3) == 0;
    while (text.size() < size) {
        if (below(8) == 0) {
            text += kParts[below(sizeof kParts / sizeof *kParts)];
        } else {
            append(text, plain ? ' ' + below(95) : random_code());
        }
    }
    if (below(20) == 0) {
        text.append(below(5000), 'a');
    }
    return text;
}

// Changes, removes or doubles some bytes, whatever they were.
void mutate(std::string& text) {
    for (std::uint32_t i = below(4); i > 0 && !text.empty(); --i) {
        const std::size_t at = below(text.size());
        switch (below(3)) {
            case 0:
                text[at] = static_cast<char>(next_random());
                break;
            case 1:
                text.erase(at, 1 + below(3));
                break;
            default:
                text.insert(at, 1, text[at]);
        }
    }
}

void check_every_code_point(const std::vector<tundish::BertNormalizer>& normalizers) {
    for (std::uint32_t code = 0; code < tundish::kCodePoints; code += code < 0x3000 ? 1 : 7) {
        if ((code & ~0x7FFU) == 0xD800) {
            continue;
        }
        std::string text = "a";
        for (int i = 0; i < 3; ++i) {
            append(text, code);
        }
        current = text + "b";
        compare_normalizers(normalizers[code % normalizers.size()], current);
    }
}

void fuzz_once(const std::vector<WordPiece>& tokenizers,
               const std::vector<tundish::BertNormalizer>& normalizers) {
    std::vector<ExactText> texts;
    current.clear();
    for (std::uint32_t i = 2 * below(3); i-- > 0;) {
        std::string text = random_text();
        if (below(3) == 0) {
            mutate(text);
        }
        current += text;
        if (tundish::valid_utf8_prefix(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) ==
            text.size()) {
            compare_normalizers(normalizers[below(normalizers.size())], text);
        }
        texts.emplace_back(text);
    }
    const WordPiece& tokenizer = tokenizers[below(tokenizers.size())];
    WordPieceOptions options;
    options.add_special_tokens = below(4) != 0;
    options.maximum_tokens = below(2) == 0 ? -1 : 3 + below(40);
    options.strategy = static_cast<WordPieceOptions::Strategy>(below(6) < 4 ? 0 : 1 + below(2));
    options.truncate_left = below(2) == 0;
    const bool as_pairs = below(2) == 0;
    const Result expected = run(tokenizer, texts, as_pairs, options, Isa::scalar);
    for (const std::int32_t token : expected.tokens) {
        digest = (digest ^ static_cast<std::uint32_t>(token)) * 1099511628211U;
    }
    for (const Isa isa : tundish::available_isas()) {
        require(run(tokenizer, texts, as_pairs, options, isa) == expected, "instruction sets differ");
    }
}

void check_refusals(const WordPiece& tokenizer) {
    const TextView text{"a b", 3};
    std::int32_t ids[5];
    std::int64_t starts[2] = {kUntouched, kUntouched};
    std::uint8_t truncated[1];
    const auto refuses = [&](const TokenDestination& destination, const WordPieceOptions& options,
                             TextView view) {
        try {
            tundish::wordpiece_into(destination, tokenizer, &view, nullptr, 1, options);
        } catch (const std::invalid_argument&) {
            return starts[0] == kUntouched;
        }
        return false;
    };
    std::int32_t type_ids[5];
    const TokenDestination good{ids, type_ids, nullptr, nullptr, 5, starts, truncated};
    TokenDestination bad = good;
    bad.capacity = 4;
    require(refuses(bad, {}, text), "took a destination that is too small");
    bad = good;
    bad.starts = nullptr;
    require(refuses(bad, {}, text), "took null starts");
    bad = good;
    bad.type_ids = ids + 1;
    require(refuses(bad, {}, text), "took arrays that overlap");
    bad = good;
    bad.ids = nullptr;
    require(refuses(bad, {}, text), "took null ids");
    require(refuses(good, {}, {nullptr, 3}), "took a null text");
    WordPieceOptions short_options;
    short_options.maximum_tokens = 1;
    require(refuses(good, short_options, text), "took a limit below the special tokens");
}

}  // namespace

int main(int argc, char** argv) {
    const long rounds = argc > 1 ? std::atol(argv[1]) : 1500;
    random_state = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    std::vector<WordPiece> tokenizers;
    std::vector<tundish::BertNormalizer> normalizers;
    for (int variant = 0; variant < 16; ++variant) {
        tokenizers.push_back(make_tokenizer(variant));
        normalizers.emplace_back(tundish::NormalizationRules{(variant & 1) == 0, (variant & 2) == 0,
                                                             (variant & 4) == 0, (variant & 8) == 0});
    }
    check_refusals(tokenizers[0]);
    check_every_code_point(normalizers);
    for (long round = 0; round < rounds; ++round) {
        fuzz_once(tokenizers, normalizers);
    }
    std::printf("ok: %ld rounds, digest %016llx\n", rounds, static_cast<unsigned long long>(digest));
    return 0;
}
