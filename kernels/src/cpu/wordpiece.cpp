// A batch of texts: checks, truncation, and the template that puts special tokens around them.
#include "tundish/wordpiece.h"

#include <algorithm>
#include <iterator>

#include "arguments.h"
#include "memory.h"
#include "tundish/truncation.h"
#include "unicode.h"
#include "wordpiece_checks.h"
#include "wordpiece_tables.h"

namespace tundish {
namespace {

using Kind = TemplatePiece::Kind;
using Strategy = WordPieceOptions::Strategy;

std::size_t special_tokens(const std::vector<TemplatePiece>& pieces) {
    return static_cast<std::size_t>(
        std::count_if(pieces.begin(), pieces.end(),
                      [](const TemplatePiece& piece) { return piece.kind == Kind::special; }));
}

void check_apart(const TokenDestination& destination, std::size_t count) {
    const Memory ranges[] = {
        memory_of(destination.ids, destination.capacity),
        memory_of(destination.type_ids, destination.capacity),
        memory_of(destination.offsets, 2 * destination.capacity),
        memory_of(destination.word_ids, destination.capacity),
        memory_of(destination.starts, count + 1),
        memory_of(destination.truncated, count),
    };
    for (const Memory* left = std::begin(ranges); left != std::end(ranges); ++left) {
        if (std::any_of(left + 1, std::end(ranges),
                        [&](const Memory& right) { return overlap(*left, right); })) {
            reject("the arrays of the destination must lie apart", "memory that overlaps");
        }
    }
}

TokenCounts truncate(const TokenCounts& full, const TokenPlan& plan, Strategy strategy, std::size_t index) {
    if (strategy == Strategy::longest_first || plan.room == 0 || full.first + full.second <= plan.room) {
        return keep_longest_first(full, plan.room, plan.is_pair);
    }
    const std::uint64_t excess = full.first + full.second - plan.room;
    const bool first = strategy == Strategy::only_first;
    const std::uint64_t target = first ? full.first : full.second;
    if (target <= excess) {
        reject(element(first ? "texts" : "pairs", index) + " must have more than the " +
                   std::to_string(excess) + " tokens that are over the limit to be truncated alone",
               std::to_string(target));
    }
    return first ? TokenCounts{full.first - excess, full.second}
                 : TokenCounts{full.first, full.second - excess};
}

// Appends tokens to the destination.
class Output {
  public:
    explicit Output(const TokenDestination& destination) : destination_(destination) {}

    std::size_t size() const { return size_; }

    void add_special(const TemplatePiece& piece) {
        destination_.ids[size_] = piece.id;
        destination_.type_ids[size_] = piece.type_id;
        if (destination_.offsets != nullptr) {
            destination_.offsets[2 * size_] = 0;
            destination_.offsets[2 * size_ + 1] = 0;
        }
        if (destination_.word_ids != nullptr) {
            destination_.word_ids[size_] = -1;
        }
        ++size_;
    }

    // `count` tokens of the sequence from `begin`.
    void add(const TokenSequence& tokens, std::size_t begin, std::size_t count, std::int32_t type_id) {
        if (count == 0) {
            return;
        }
        std::copy_n(tokens.ids.data() + begin, count, destination_.ids + size_);
        std::fill_n(destination_.type_ids + size_, count, type_id);
        if (destination_.offsets != nullptr) {
            std::copy_n(tokens.offsets.data() + 2 * begin, 2 * count, destination_.offsets + 2 * size_);
        }
        if (destination_.word_ids != nullptr) {
            std::copy_n(tokens.word_ids.data() + begin, count, destination_.word_ids + size_);
        }
        size_ += count;
    }

  private:
    TokenDestination destination_;
    std::size_t size_ = 0;
};

}  // namespace

void check_text_memory(const TextView& text, const char* name, std::size_t index) {
    if (text.data == nullptr && text.size > 0) {
        reject(element(name, index) + " must not be null", "null");
    }
    if (text.size > kMaximumTextBytes) {
        reject(element(name, index) + " must have at most " + std::to_string(kMaximumTextBytes) + " bytes",
               std::to_string(text.size));
    }
}

void check_utf8(const TextView& text, const char* name, std::size_t index) {
    const std::size_t valid = valid_utf8_prefix(reinterpret_cast<const std::uint8_t*>(text.data), text.size);
    if (valid != text.size) {
        constexpr char kDigits[] = "0123456789abcdef";
        const auto byte = static_cast<std::uint8_t>(text.data[valid]);
        const std::string hexadecimal{'0', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
        reject(element(name, index) + " must be UTF-8",
               "byte " + hexadecimal + " at position " + std::to_string(valid));
    }
}

TokenPlan plan_tokens(const WordPiece& tokenizer, bool is_pair, const WordPieceOptions& options) {
    const WordPiece::Tables& tables = tokenizer.tables();
    const std::vector<TemplatePiece>& pieces = is_pair ? tables.pair : tables.single;
    const std::size_t special = options.add_special_tokens ? special_tokens(pieces) : 0;
    if (options.maximum_tokens < 0) {
        return {&pieces, special, kAllTokens, kAllTokens, is_pair};
    }
    const auto maximum = static_cast<std::uint64_t>(options.maximum_tokens);
    if (maximum < special) {
        reject(
            "maximum_tokens must be at least the number of special tokens (" + std::to_string(special) + ")",
            std::to_string(maximum));
    }
    const std::uint64_t room = maximum - special;
    // Of a single text that is cut off at its end only that much matters.
    const bool cut_at_end = !is_pair && !options.truncate_left && options.strategy != Strategy::only_second;
    return {&pieces, special, room, cut_at_end ? room + 1 : kAllTokens, is_pair};
}

Strategy parse_strategy(const std::string& name) {
    if (name == "longest_first") {
        return Strategy::longest_first;
    }
    if (name == "only_first") {
        return Strategy::only_first;
    }
    if (name == "only_second") {
        return Strategy::only_second;
    }
    reject("strategy must be longest_first, only_first or only_second", "'" + name + "'");
}

// No character of a text gives more tokens than it has bytes: kMaximumGrowth holds for words, too.
std::size_t wordpiece_capacity(const WordPiece& tokenizer, const TextView* texts, const TextView* pairs,
                               std::size_t count, const WordPieceOptions& options) {
    const TokenPlan plan = plan_tokens(tokenizer, pairs != nullptr, options);
    std::size_t capacity = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t bytes = texts[i].size + (pairs != nullptr ? pairs[i].size : 0);
        capacity += plan.special + std::min<std::size_t>(bytes, plan.room);
    }
    return capacity;
}

void wordpiece_into(const TokenDestination& destination, const WordPiece& tokenizer, const TextView* texts,
                    const TextView* pairs, std::size_t count, const WordPieceOptions& options, Isa isa) {
    check_isa(isa);
    const bool empty = count == 0;
    if (destination.starts == nullptr || (!empty && (destination.truncated == nullptr || texts == nullptr))) {
        reject("starts, truncated and texts must not be null", "null");
    }
    for (std::size_t i = 0; i < count; ++i) {
        check_text_memory(texts[i], "texts", i);
        check_utf8(texts[i], "texts", i);
        if (pairs != nullptr) {
            check_text_memory(pairs[i], "pairs", i);
            check_utf8(pairs[i], "pairs", i);
        }
    }
    const TokenPlan plan = plan_tokens(tokenizer, pairs != nullptr, options);
    const std::size_t capacity = wordpiece_capacity(tokenizer, texts, pairs, count, options);
    if (destination.capacity < capacity) {
        reject("the destination must have room for " + std::to_string(capacity) + " tokens",
               std::to_string(destination.capacity));
    }
    if (capacity > 0 && (destination.ids == nullptr || destination.type_ids == nullptr)) {
        reject("ids and type_ids must not be null", "null");
    }
    check_apart(destination, count);

    TextTokenizer text_tokenizer(tokenizer.tables(), destination.offsets != nullptr,
                                 destination.word_ids != nullptr, isa);
    TokenSequence first;
    TokenSequence second;
    Output output(destination);
    destination.starts[0] = 0;
    for (std::size_t i = 0; i < count; ++i) {
        text_tokenizer.tokenize(texts[i], plan.enough, first);
        if (plan.is_pair) {
            text_tokenizer.tokenize(pairs[i], plan.enough, second);
        }
        const TokenCounts full{first.size, second.size};
        const TokenCounts kept = truncate(full, plan, options.strategy, i);
        for (const TemplatePiece& piece : *plan.pieces) {
            if (piece.kind == Kind::first) {
                output.add(first, options.truncate_left ? full.first - kept.first : 0, kept.first,
                           piece.type_id);
            } else if (piece.kind == Kind::second) {
                output.add(second, options.truncate_left ? full.second - kept.second : 0, kept.second,
                           piece.type_id);
            } else if (options.add_special_tokens) {
                output.add_special(piece);
            }
        }
        destination.starts[i + 1] = static_cast<std::int64_t>(output.size());
        destination.truncated[i] = kept.first < full.first || kept.second < full.second ? 1 : 0;
    }
}

}  // namespace tundish
