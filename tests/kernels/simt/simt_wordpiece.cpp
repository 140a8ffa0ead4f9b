// The literal wordpiece.cu through the shim, against the CPU forms of wordpiece and pack, bit for bit.
//
// Arguments: the order of threads, and how many random cases. The workspace is exactly as large as the
// contract says, so that one byte too far is an error of the address sanitizer.
#include <memory>
#include <string>

#include "driver.h"
#include "tundish/cuda/wordpiece.h"
#include "tundish/pack.h"
#include "wordpiece.cu"
#include "wordpiece_plan.h"

namespace {

using tundish::TextView;
using tundish::WordPiece;
using tundish::WordPieceOptions;
using tundish::WordPieceSettings;
using Kind = tundish::TemplatePiece::Kind;
namespace cuda = tundish::cuda;

struct Rules {
    const char* prefix;
    std::int64_t longest;
    bool clean_text;
    bool lowercase;
    bool normalized_token;
};

constexpr Rules kRules[] = {{"##", 100, true, true, false}, {"##", 1000, true, true, false},
                            {"", 7, true, false, false},    {"##", 100, false, true, false},
                            {"##", 0, false, false, false}, {"##", 100, true, true, true}};

// Vocabulary that leaves some letters, digits and marks unknown.
WordPiece make_tokenizer(const Rules& rules) {
    WordPieceSettings settings{};
    settings.unknown_token = "[UNK]";
    settings.continuing_prefix = rules.prefix;
    settings.maximum_word_characters = rules.longest;
    settings.clean_text = rules.clean_text;
    settings.lowercase = rules.lowercase;
    std::int32_t id = 0;
    for (const char* const token : {"[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
        settings.vocabulary.emplace_back(token, id++);
    }
    std::vector<std::string> words = {"the", "cat", "unbeliev", "ably", "aa", "aaaaaaaa", "Cat", "\x01"};
    for (const char letter : std::string("abcdefghijklmnoprstuvwyz0123456ABC.,!?'-[]\xC3\xA9")) {
        words.emplace_back(1, letter);
    }
    words.resize(words.size() - 2);  // the two bytes of one letter
    words.emplace_back("\xC3\xA9");
    for (const std::string& word : words) {
        settings.vocabulary.emplace_back(word, id++);
        if (!settings.continuing_prefix.empty()) {
            settings.vocabulary.emplace_back(settings.continuing_prefix + word, id++);
        }
    }
    settings.added_tokens = {{"[MASK]", 3, false, true, false, false}};
    if (rules.normalized_token) {
        settings.added_tokens.push_back({"The  c", id++, false, false, true, true});
    }
    settings.single = {{Kind::special, 1, 0}, {Kind::first, 0, 0}, {Kind::special, 2, 0}};
    settings.pair = {{Kind::special, 1, 0}, {Kind::first, 0, 0},   {Kind::special, 2, 0},
                     {Kind::second, 0, 1},  {Kind::special, 2, 1}, {Kind::special, 2, 1}};
    return WordPiece(std::move(settings));
}

// A tokenizer and what the GPU has of it.
struct Tokenizer {
    WordPiece host;
    std::vector<std::uint32_t> memory;
    cuda::TokenizerTables tables;

    explicit Tokenizer(const Rules& rules)
        : host(make_tokenizer(rules)),
          memory(cuda::table_bytes(host) / sizeof(std::uint32_t)),
          tables(cuda::write_tables(host, memory.data(), memory.data())) {}
};

char random_byte(const char* of) { return of[random_below(static_cast<std::int64_t>(std::strlen(of)))]; }

// A long word in which no two letters beside each other are the same.
std::string long_word(std::size_t size) {
    std::string word;
    while (word.size() < size) {
        word += "abcdefghijklmnoprstuvwyz";
    }
    word.resize(size);
    return word;
}

// A run of one kind of characters: words, a long word, marks, blanks, control characters.
void append_piece(std::string& text, std::size_t size) {
    constexpr const char* kWords[] = {"the ",          "The  cat ", "unbelievably",
                                      " aaaaaaaaaaaa", "Cat's-",    "3.14,"};
    const std::int64_t kind = random_below(20);
    std::int64_t count = 1 + random_below(6);
    if (kind < 10) {
        text += kWords[random_below(6)];
    } else if (kind == 10) {
        count = random_below(2) == 0 ? static_cast<std::int64_t>(size) : 1 + random_below(300);
        text += random_below(3) == 0 ? long_word(static_cast<std::size_t>(count))
                                     : std::string(static_cast<std::size_t>(count), random_byte("aAqx"));
    } else if (kind == 11) {
        count = random_below(3) == 0 ? static_cast<std::int64_t>(size) : count;
        text.append(static_cast<std::size_t>(count), random_byte(" \t\n\r\v\f\x01\x7F!"));
    } else {
        for (std::int64_t i = 0; i < count; ++i) {
            text += kind < 14   ? random_byte(".,!?'-[]#\"~")
                    : kind < 16 ? random_byte(" \t\n\v\x1C")
                    : kind < 17 ? random_byte("\x01\x02\v\f\x1F\x7F")
                                : random_byte("abcqxyzABCZ0179");
        }
    }
    if (kind == 12) {
        text += '\0';
    }
}

std::string random_text(bool for_cpu) {
    constexpr std::size_t kSizes[] = {0,    1,    2,    31,   33,   90,   255,  256,  257, 400,
                                      1000, 1023, 1024, 1025, 1030, 1500, 2047, 2049, 3100};
    const std::size_t size = kSizes[random_below(random_below(3) == 0 ? 19 : 10)];
    std::string text;
    while (text.size() < size) {
        append_piece(text, size);
    }
    text.resize(size);
    if (for_cpu) {
        constexpr const char* kOthers[] = {"\xC3\xA9", "[MASK]", " ros\xC3\xA9", "\xE4\xB8\xAD", "[MASK]."};
        const auto at = static_cast<std::size_t>(random_below(static_cast<std::int64_t>(size) + 1));
        text.insert(at, kOthers[random_below(5)]);
    }
    return text;
}

std::vector<TextView> views_of(const std::vector<std::string>& texts) {
    std::vector<TextView> views;
    for (const std::string& text : texts) {
        views.push_back({text.data(), text.size()});
    }
    return views;
}

struct Call {
    const Tokenizer& tokenizer;
    std::vector<std::string> texts;
    std::vector<std::string> pairs;  // none, or as many
    WordPieceOptions options;
    std::size_t length;
    tundish::Padding padding;
};

template <class Integer>
struct Rows {
    std::vector<Integer> ids, mask, type_ids;
    std::vector<std::int32_t> lengths;
    std::vector<std::uint8_t> truncated;

    Rows(std::size_t batch, std::size_t length)
        : ids(unwritten<Integer>(batch * length)),
          mask(unwritten<Integer>(batch * length)),
          type_ids(unwritten<Integer>(batch * length)),
          lengths(unwritten<std::int32_t>(batch)),
          truncated(unwritten<std::uint8_t>(batch)) {}
};

template <class Integer>
Rows<Integer> on_cpu(const Call& call) {
    const std::size_t count = call.texts.size();
    const std::vector<TextView> texts = views_of(call.texts), pairs = views_of(call.pairs);
    const TextView* const second = pairs.empty() ? nullptr : pairs.data();
    const std::size_t capacity =
        tundish::wordpiece_capacity(call.tokenizer.host, texts.data(), second, count, call.options);
    std::vector<std::int32_t> ids(capacity + 1), type_ids(capacity + 1);
    std::vector<std::int64_t> starts(count + 1);
    Rows<Integer> made(count, call.length);
    tundish::wordpiece_into(
        {ids.data(), type_ids.data(), nullptr, nullptr, capacity, starts.data(), made.truncated.data()},
        call.tokenizer.host, texts.data(), second, count, call.options);
    for (std::size_t i = 0; i < count; ++i) {
        made.lengths[i] = static_cast<std::int32_t>(starts[i + 1] - starts[i]);
    }
    tundish::pack_into(tundish::PackDestination<Integer>{made.ids.data(), made.mask.data(),
                                                         made.type_ids.data(), count, call.length},
                       {ids.data(), type_ids.data(), static_cast<std::size_t>(starts[count]), starts.data()},
                       call.padding);
    return made;
}

template <class Integer>
Rows<Integer> on_gpu(const Call& call) {
    const std::size_t count = call.texts.size();
    const std::vector<TextView> texts = views_of(call.texts), pairs = views_of(call.pairs);
    std::size_t text_bytes = 0;
    for (const std::vector<TextView>* const views : {&texts, &pairs}) {
        for (const TextView& text : *views) {
            text_bytes += text.size;
        }
    }
    const std::size_t bytes =
        cuda::wordpiece_workspace_bytes(texts.size() + pairs.size(), text_bytes, call.length);
    std::vector<unsigned char> host(bytes), device(unwritten<unsigned char>(bytes));
    cuda::WordPiecePlan plan = cuda::write_plan({call.tokenizer.host, call.tokenizer.tables, texts.data(),
                                                 pairs.empty() ? nullptr : pairs.data(), count, call.options},
                                                host.data(), device.data(), bytes);
    if (plan.bytes > bytes) {
        std::fprintf(stderr, "case %d: the plan is larger than its bound\n", cases);
        std::exit(1);
    }
    std::memcpy(device.data(), host.data(), plan.bytes);
    host.clear();
    Rows<Integer> made(count, call.length);
    plan.arguments.batch = {made.ids.data(), made.mask.data(), made.type_ids.data(), sizeof(Integer),
                            static_cast<std::int64_t>(call.length)};
    plan.arguments.lengths = made.lengths.data();
    plan.arguments.truncated = made.truncated.data();
    plan.arguments.pad_id = call.padding.id;
    plan.arguments.pad_type_id = call.padding.type_id;
    plan.arguments.pad_left = call.padding.left;
    simt::launch(static_cast<unsigned>(count), cuda::kWordPieceThreads,
                 [&] { cuda::tundish_wordpiece(plan.arguments); });
    return made;
}

template <class Integer>
void compare(const Call& call) {
    const Rows<Integer> expected = on_cpu<Integer>(call), made = on_gpu<Integer>(call);
    require_equal(expected.lengths, made.lengths, "lengths");
    require_equal(expected.truncated, made.truncated, "truncated");
    require_equal(expected.ids, made.ids, "ids");
    require_equal(expected.mask, made.mask, "mask");
    require_equal(expected.type_ids, made.type_ids, "type_ids");
    ++cases;
}

void run_random(const std::vector<std::unique_ptr<Tokenizer>>& tokenizers, int count) {
    constexpr std::int64_t kMaximums[] = {4, 5, 6, 7, 9, 16, 64, 128, 300, 1500};
    for (int i = 0; i < count; ++i) {
        Call call{*tokenizers[static_cast<std::size_t>(random_below(6))], {}, {}, {}, 0, {}};
        call.options.maximum_tokens = kMaximums[random_below(10)];
        call.options.truncate_left = random_below(2) == 0;
        call.options.add_special_tokens = random_below(5) != 0;
        call.length = static_cast<std::size_t>(call.options.maximum_tokens + (i % 3 == 0 ? 3 : 0));
        call.padding = {-5, 3, random_below(2) == 0};
        const bool paired = random_below(3) == 0;
        for (std::int64_t k = random_below(2); k >= 0; --k) {
            call.texts.push_back(random_text(random_below(6) == 0));
            if (paired) {
                call.pairs.push_back(random_text(random_below(6) == 0));
            }
        }
        if (i % 2 == 0) {
            compare<std::int64_t>(call);
        } else {
            compare<std::int32_t>(call);
        }
    }
}

// What random texts seldom reach.
void run_chosen(const std::vector<std::unique_ptr<Tokenizer>>& tokenizers) {
    std::string over_the_border(1020, ' ');
    over_the_border += "unbelievably";
    const std::string all[] = {
        std::string(1024, '.') + "cat",                              // a mark is a chunk's last byte
        std::string(1023, '.') + std::string(1100, '\x01') + "cat",  // a chunk of which nothing is left
        "un" + std::string(3000, '\x01') + "believ" + std::string(1500, '\x7F') + "ably",
        std::string(1023, '!') + "c" + std::string(1024, '\x02'),  // the last chunk ends what another began
        over_the_border,
        std::string(900, ' ') + std::string(124, 'a') + " cat",  // too long, and ends with a chunk
        std::string(40, '.') + long_word(1000),                  // moved to the front over itself
        std::string(999, 'a') + " " + std::string(1000, 'a') + " " + std::string(1001, 'a') + " a",
        std::string(4000, 'a') + " cat"};  // much longer than a word may be
    for (const std::string& text : all) {
        for (const bool left : {false, true}) {
            WordPieceOptions options;
            options.maximum_tokens = 1400;
            options.truncate_left = left;
            compare<std::int64_t>(
                {*tokenizers[left ? 1 : 0], {text, "the cat"}, {}, options, 1400, {0, 0, left}});
        }
    }
    WordPieceOptions none;  // room for special tokens alone
    none.maximum_tokens = 2;
    compare<std::int32_t>({*tokenizers[0], {"the cat", "", "[MASK]"}, {}, none, 2, {0, 0, false}});
    none.add_special_tokens = false;
    none.maximum_tokens = 0;
    compare<std::int32_t>({*tokenizers[0], {"the cat", ""}, {}, none, 1, {0, 0, false}});
}

void run(int count) {
    std::vector<std::unique_ptr<Tokenizer>> tokenizers;
    for (const Rules& rules : kRules) {
        tokenizers.push_back(std::make_unique<Tokenizer>(rules));
    }
    run_random(tokenizers, count);
    run_chosen(tokenizers);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
