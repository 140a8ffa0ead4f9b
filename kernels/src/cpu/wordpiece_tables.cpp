// Builds a tokenizer's tables from its settings.
#include "wordpiece_tables.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "arguments.h"
#include "unicode.h"

namespace tundish {
namespace {

using Vocabulary = std::vector<std::pair<std::string, std::int32_t>>;

const std::uint8_t* bytes_of(const std::string& text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

void check_text(const std::string& name, const std::string& text) {
    if (valid_utf8_prefix(bytes_of(text), text.size()) != text.size()) {
        reject(name + " must be UTF-8", "other bytes");
    }
}

void check_template(const char* name, const std::vector<TemplatePiece>& pieces, std::ptrdiff_t second_texts) {
    const auto count = [&](TemplatePiece::Kind kind) {
        return std::count_if(pieces.begin(), pieces.end(),
                             [kind](const TemplatePiece& piece) { return piece.kind == kind; });
    };
    if (count(TemplatePiece::Kind::first) != 1 || count(TemplatePiece::Kind::second) != second_texts) {
        reject(std::string(name) + (second_texts == 0 ? " must have the first text once and no second"
                                                      : " must have the first and the second text once each"),
               std::to_string(count(TemplatePiece::Kind::first)) + " and " +
                   std::to_string(count(TemplatePiece::Kind::second)));
    }
}

void check(const WordPieceSettings& settings) {
    check_range("maximum_word_characters", settings.maximum_word_characters, 0, kMaximumWordCharacters);
    check_text("continuing_prefix", settings.continuing_prefix);
    for (const auto& [subword, id] : settings.vocabulary) {
        check_text("a subword of the vocabulary", subword);
        if (id < 0) {
            reject("ids must not be negative", std::to_string(id) + " for '" + subword + "'");
        }
    }
    check_template("single", settings.single, 0);
    check_template("pair", settings.pair, 1);
}

// Checks that no subword is there twice, and returns the unknown token's id.
std::int32_t find_unknown_id(const WordPieceSettings& settings) {
    std::unordered_map<std::string, std::int32_t> ids;
    for (const auto& [subword, id] : settings.vocabulary) {
        if (!ids.emplace(subword, id).second) {
            reject("the vocabulary must hold each subword once", "'" + subword + "' twice");
        }
    }
    for (std::size_t i = 0; i < settings.added_tokens.size(); ++i) {
        const AddedToken& token = settings.added_tokens[i];
        const auto found = ids.find(token.content);
        const std::string name = element("added_tokens", i);
        check_text(name, token.content);
        if (token.id < 0) {
            reject(name + " must have an id that is not negative", std::to_string(token.id));
        }
        if (found != ids.end() && found->second != token.id) {
            reject(name + " must have the vocabulary's id (" + std::to_string(found->second) + ")",
                   std::to_string(token.id));
        }
    }
    const auto found = ids.find(settings.unknown_token);
    if (found == ids.end()) {
        reject("the vocabulary must hold the unknown token", "none that is '" + settings.unknown_token + "'");
    }
    return found->second;
}

// Without the subwords that are longer than a word may be, which nothing matches.
Vocabulary reachable(const WordPieceSettings& settings) {
    const std::size_t longest =
        4 * static_cast<std::size_t>(settings.maximum_word_characters) + settings.continuing_prefix.size();
    Vocabulary kept;
    std::copy_if(settings.vocabulary.begin(), settings.vocabulary.end(), std::back_inserter(kept),
                 [&](const auto& entry) { return !entry.first.empty() && entry.first.size() <= longest; });
    return kept;
}

NormalizationRules rules_of(const WordPieceSettings& settings) {
    return {settings.clean_text, settings.split_chinese, settings.strip_accents, settings.lowercase};
}

AddedTokenFinder finder(const WordPieceSettings& settings, bool normalized,
                        const BertNormalizer& normalizer) {
    std::vector<AddedToken> tokens;
    std::vector<std::string> patterns;
    for (const AddedToken& token : settings.added_tokens) {
        if (token.normalized != normalized) {
            continue;
        }
        tokens.push_back(token);
        patterns.push_back(token.content);
        if (normalized) {
            NormalizedText made;
            normalizer.normalize(bytes_of(token.content), token.content.size(), false, Isa::scalar, made);
            patterns.back().assign(reinterpret_cast<const char*>(made.bytes.data()), made.size);
        }
    }
    return AddedTokenFinder(std::move(tokens), patterns);
}

}  // namespace

WordPiece::Tables::Tables(WordPieceSettings settings)
    : trie((check(settings), reachable(settings)), settings.continuing_prefix),
      short_words(settings.vocabulary),
      unknown_id(find_unknown_id(settings)),
      maximum_word_characters(static_cast<std::size_t>(settings.maximum_word_characters)),
      normalizer(rules_of(settings)),
      raw_tokens(finder(settings, false, normalizer)),
      normalized_tokens(finder(settings, true, normalizer)),
      trim_offsets(settings.trim_offsets),
      single(std::move(settings.single)),
      pair(std::move(settings.pair)) {}

WordPiece::WordPiece(WordPieceSettings settings) : tables_(std::make_unique<Tables>(std::move(settings))) {}
WordPiece::~WordPiece() = default;
WordPiece::WordPiece(WordPiece&&) noexcept = default;
WordPiece& WordPiece::operator=(WordPiece&&) noexcept = default;

}  // namespace tundish
