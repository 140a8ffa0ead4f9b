// From the beginning of the workspace up: tasks, then the bytes of a text or the tokens that the CPU has
// found, which are copied. From its end down: the places for the tokens that the GPU finds.
#include "wordpiece_plan.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "../cpu/wordpiece_tables.h"
#include "tundish/cuda/wordpiece.h"

namespace tundish::cuda {
namespace {

static_assert(kLongestWord == kMaximumWordCharacters,
              "the kernel has room for as long words as the CPU form");

constexpr std::size_t kTokenBytes = sizeof(std::int32_t);

std::size_t round_up(std::size_t bytes) { return (bytes + kTokenBytes - 1) / kTokenBytes * kTokenBytes; }

TemplateToken template_token(const TemplatePiece& piece) {
    using Kind = TemplatePiece::Kind;
    const std::int32_t text = piece.kind == Kind::first ? 0 : (piece.kind == Kind::second ? 1 : -1);
    return {text, piece.id, piece.type_id};
}

bool is_ascii(const TextView& text) {
    std::size_t i = 0;
    for (std::uint64_t words[8]; i + sizeof words <= text.size; i += sizeof words) {
        std::memcpy(words, text.data + i, sizeof words);
        std::uint64_t bits = 0;
        for (const std::uint64_t word : words) {
            bits |= word;
        }
        if ((bits & 0x8080808080808080U) != 0) {
            return false;
        }
    }
    return std::all_of(text.data + i, text.data + text.size,
                       [](char byte) { return static_cast<std::uint8_t>(byte) < 0x80; });
}

// Says of a text whether it holds an added token; keeps the memory that this takes.
class AddedTokenSearch {
  public:
    explicit AddedTokenSearch(const tundish::WordPiece::Tables& tables) : tables_(tables) {}

    bool finds_any(const TextView& text) {
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data);
        if (finds_any(tables_.raw_tokens, bytes, text.size)) {
            return true;
        }
        if (tables_.normalized_tokens.empty()) {
            return false;
        }
        tables_.normalizer.normalize(bytes, text.size, false, selected_isa(), normalized_);
        return finds_any(tables_.normalized_tokens, normalized_.bytes.data(), normalized_.size);
    }

  private:
    bool finds_any(const AddedTokenFinder& finder, const std::uint8_t* text, std::size_t size) {
        finder.split(text, size, pieces_);
        return std::any_of(pieces_.begin(), pieces_.end(),
                           [](const TextPiece& piece) { return piece.id >= 0; });
    }

    const tundish::WordPiece::Tables& tables_;
    std::vector<TextPiece> pieces_;
    NormalizedText normalized_;
};

// Fills the workspace, text by text.
class Writer {
  public:
    Writer(const WordPieceBatch& batch, const TokenPlan& plan, void* host, void* device, std::size_t bytes)
        : tables_(batch.tokenizer.tables()),
          plan_(plan),
          truncate_left_(batch.options.truncate_left),
          host_(static_cast<std::uint8_t*>(host)),
          device_(static_cast<std::uint8_t*>(device)),
          used_(batch.count * (plan.is_pair ? 2 : 1) * sizeof(TextTask)),
          end_(bytes / kTokenBytes * kTokenBytes),
          search_(tables_) {}

    std::size_t used() const { return used_; }
    std::size_t on_cpu() const { return on_cpu_; }

    TextTask add(const TextView& text, const char* name, std::size_t index) {
        check_text_memory(text, name, index);
        if (!is_ascii(text)) {
            check_utf8(text, name, index);
            return add_tokens(text);
        }
        return search_.finds_any(text) ? add_tokens(text) : add_bytes(text);
    }

  private:
    std::size_t room_for(std::size_t tokens) const { return std::min<std::size_t>(tokens, plan_.room); }

    TextTask add_bytes(const TextView& text) {
        const std::size_t capacity = room_for(text.size);
        end_ -= capacity * kTokenBytes;
        if (text.size > 0) {
            std::memcpy(host_ + used_, text.data, text.size);
        }
        const TextTask task{device_ + used_, tokens_at(end_), static_cast<std::int32_t>(text.size),
                            static_cast<std::int32_t>(capacity), -1};
        used_ += text.size;
        return task;
    }

    TextTask add_tokens(const TextView& text) {
        ++on_cpu_;
        if (!tokenizer_) {
            tokenizer_.emplace(tables_, false, false, selected_isa());
        }
        tokenizer_->tokenize(text, plan_.enough, tokens_);
        const std::size_t capacity = room_for(tokens_.size);
        used_ = round_up(used_);
        auto* const output = reinterpret_cast<std::int32_t*>(host_ + used_);
        const std::size_t first = truncate_left_ ? tokens_.size - capacity : 0;
        for (std::size_t i = first; i < first + capacity; ++i) {
            output[i % capacity] = tokens_.ids.data()[i];
        }
        const TextTask task{nullptr, tokens_at(used_), 0, static_cast<std::int32_t>(capacity),
                            static_cast<std::int32_t>(tokens_.size)};
        used_ += capacity * kTokenBytes;
        return task;
    }

    std::int32_t* tokens_at(std::size_t place) const {
        return reinterpret_cast<std::int32_t*>(device_ + place);
    }

    const tundish::WordPiece::Tables& tables_;
    const TokenPlan& plan_;
    bool truncate_left_;
    std::uint8_t* host_;
    std::uint8_t* device_;
    std::size_t used_;
    std::size_t end_;
    AddedTokenSearch search_;
    std::optional<TextTokenizer> tokenizer_;
    TokenSequence tokens_;
    std::size_t on_cpu_ = 0;
};

}  // namespace

std::size_t table_bytes(const tundish::WordPiece& tokenizer) {
    const tundish::WordPiece::Tables& tables = tokenizer.tables();
    return tables.trie.size() * (sizeof(std::uint32_t) + sizeof(std::int32_t)) +
           (tables.single.size() + tables.pair.size()) * sizeof(TemplateToken);
}

TokenizerTables write_tables(const tundish::WordPiece& tokenizer, void* host, const void* device) {
    const tundish::WordPiece::Tables& tables = tokenizer.tables();
    const WordTrie trie = tables.trie.view();
    const std::size_t size = tables.trie.size();
    auto* const units = static_cast<std::uint32_t*>(host);
    auto* const ids = reinterpret_cast<std::int32_t*>(std::copy_n(trie.units, size, units));
    auto* const single = reinterpret_cast<TemplateToken*>(std::copy_n(trie.ids, size, ids));
    auto* const pair = std::transform(tables.single.begin(), tables.single.end(), single, template_token);
    std::transform(tables.pair.begin(), tables.pair.end(), pair, template_token);

    const auto* const units_there = static_cast<const std::uint32_t*>(device);
    const auto* const ids_there = reinterpret_cast<const std::int32_t*>(units_there + size);
    const auto* const single_there = reinterpret_cast<const TemplateToken*>(ids_there + size);
    return {{units_there, ids_there, trie.first, trie.continuation},
            single_there,
            static_cast<std::int32_t>(tables.single.size()),
            single_there + tables.single.size(),
            static_cast<std::int32_t>(tables.pair.size())};
}

// A text takes either its bytes and as many tokens at most, or tokens alone and what aligns them.
std::size_t wordpiece_workspace_bytes(std::size_t texts, std::size_t text_bytes, std::size_t length) {
    const bool all = texts > 0 && length > text_bytes / texts;  // no product that may be too great
    return texts * (sizeof(TextTask) + kTokenBytes) + text_bytes +
           (all ? text_bytes : texts * length) * kTokenBytes + kTokenBytes;
}

WordPiecePlan write_plan(const WordPieceBatch& batch, void* host, void* device, std::size_t bytes) {
    const TokenPlan plan = plan_tokens(batch.tokenizer, batch.pairs != nullptr, batch.options);
    auto* tasks = static_cast<TextTask*>(host);
    Writer writer(batch, plan, host, device, bytes);
    for (std::size_t i = 0; i < batch.count; ++i) {
        *tasks++ = writer.add(batch.texts[i], "texts", i);
        if (plan.is_pair) {
            *tasks++ = writer.add(batch.pairs[i], "pairs", i);
        }
    }
    const tundish::WordPiece::Tables& tables = batch.tokenizer.tables();
    WordPieceArguments arguments{};
    arguments.texts = static_cast<const TextTask*>(device);
    arguments.texts_of_row = plan.is_pair ? 2 : 1;
    arguments.pieces = plan.is_pair ? batch.tables.pair : batch.tables.single;
    arguments.piece_count = plan.is_pair ? batch.tables.pair_size : batch.tables.single_size;
    arguments.add_special_tokens = batch.options.add_special_tokens;
    arguments.special = static_cast<std::int64_t>(plan.special);
    arguments.room = plan.room;
    arguments.enough = plan.enough;
    arguments.truncate_left = batch.options.truncate_left;
    arguments.trie = batch.tables.trie;
    arguments.unknown_id = tables.unknown_id;
    arguments.maximum_word_characters = static_cast<std::int32_t>(tables.maximum_word_characters);
    arguments.lowercase = tables.normalizer.rules().lowercase;
    arguments.clean_text = tables.normalizer.rules().clean_text;
    return {arguments, writer.used(), writer.on_cpu()};
}

}  // namespace tundish::cuda
