// Three ways from a text to its words: blocks of plain ASCII, characters through a table, and step by step.
#include "bert_normalizer.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "ascii_kernels.h"
#include "unicode.h"

namespace tundish {
namespace {

// Appends characters to a NormalizedText.
class Writer {
  public:
    Writer(NormalizedText& made, std::size_t size, bool with_origins)
        : made_(made),
          // An isolated character has a blank at either side.
          bytes_(made.bytes.reserve(size * kMaximumGrowth + kAsciiBlock)),
          begins_(made.begins.reserve(size + kAsciiBlock)),
          ends_(made.ends.reserve(size + kAsciiBlock)),
          origins_(with_origins ? made.origins.reserve(size * kMaximumGrowth + kAsciiBlock) : nullptr) {}

    void keep(const std::uint8_t* bytes, std::size_t size, std::uint32_t origin) {
        if (!in_word_) {
            begins_[words_] = size_;
            in_word_ = true;
        }
        append(bytes, size, origin);
    }

    void blank(const std::uint8_t* bytes, std::size_t size, std::uint32_t origin) {
        end_word();
        append(bytes, size, origin);
    }

    void mark(const std::uint8_t* bytes, std::size_t size, std::uint32_t origin) {
        end_word();
        keep(bytes, size, origin);
        end_word();
    }

    void write(const NormalizedCharacter& character, std::uint32_t origin) {
        if (character.action == Action::keep) {
            keep(character.bytes, character.size, origin);
        } else if (character.action == Action::blank) {
            blank(character.bytes, character.size, origin);
        } else {
            mark(character.bytes, character.size, origin);
        }
    }

    void finish() {
        end_word();
        made_.size = size_;
        made_.words = words_;
        made_.has_origins = origins_ != nullptr;
    }

  private:
    void end_word() {
        if (in_word_) {
            ends_[words_++] = size_;
            in_word_ = false;
        }
    }

    void append(const std::uint8_t* bytes, std::size_t size, std::uint32_t origin) {
        for (std::size_t i = 0; i < size; ++i) {
            bytes_[size_ + i] = bytes[i];
        }
        if (origins_ != nullptr) {
            std::fill_n(origins_ + size_, size, origin);
        }
        size_ += static_cast<std::uint32_t>(size);
    }

    NormalizedText& made_;
    std::uint8_t* bytes_;
    std::uint32_t* begins_;
    std::uint32_t* ends_;
    std::uint32_t* origins_;
    std::uint32_t size_ = 0;
    std::uint32_t words_ = 0;
    bool in_word_ = false;
};

constexpr std::uint8_t kBlank[] = {' '};

struct Character {
    std::uint32_t code;
    std::uint32_t origin;
};

// Canonical ordering sorts each run of combining characters. The library keeps origins where they were: the
// n-th character of the sorted text gets the origin of the n-th before, and what a decomposition adds gets
// the origin of what it then stands behind.
std::vector<Character> canonical_decomposition(const std::vector<Character>& characters) {
    struct Part {
        std::uint32_t code;
        std::uint8_t combining;
        bool added;
    };
    std::vector<Part> parts;
    for (const Character& character : characters) {
        std::uint32_t codes[4];
        const std::size_t count = decompose(character.code, codes);
        for (std::size_t i = 0; i < count; ++i) {
            parts.push_back({codes[i], combining_class(codes[i]), i > 0});
        }
    }
    const auto is_starter = [](const Part& part) { return part.combining == 0; };
    for (auto begin = parts.begin(); begin != parts.end();) {
        begin = std::find_if_not(begin, parts.end(), is_starter);
        const auto end = std::find_if(begin, parts.end(), is_starter);
        std::stable_sort(
            begin, end, [](const Part& left, const Part& right) { return left.combining < right.combining; });
        begin = end;
    }
    std::vector<Character> made;
    made.reserve(parts.size());
    std::size_t next = 0;
    for (const Part& part : parts) {
        next += part.added ? 0 : 1;
        made.push_back({part.code, characters[next - 1].origin});
    }
    return made;
}

}  // namespace

BertNormalizer::BertNormalizer(const NormalizationRules& rules) : rules_(rules), map_(rules) {
    for (std::uint32_t code = 0; code < 128; ++code) {
        const CodePointMap::Entry entry = map_.find(code);
        const bool replaced = entry.action == Action::replace;
        ascii_action_[code] = replaced ? map_.pool(entry)->action : entry.action;
        ascii_byte_[code] = replaced ? map_.pool(entry)->bytes[0] : static_cast<std::uint8_t>(code);
        if (rules.clean_text && entry.action == Action::blank) {
            ascii_byte_[code] = ' ';
        }
    }
}

void BertNormalizer::normalize(const std::uint8_t* text, std::size_t size, bool with_origins, Isa isa,
                               NormalizedText& made) const {
    std::uint8_t* const bytes = made.bytes.reserve(size * kMaximumGrowth + kAsciiBlock);
    std::uint32_t* const begins = made.begins.reserve(size + kAsciiBlock);
    std::uint32_t* const ends = made.ends.reserve(size + kAsciiBlock);
    made.words =
        ascii_kernels(isa).split(text, size, {rules_.lowercase, rules_.clean_text}, bytes, begins, ends);
    made.size = size;
    made.has_origins = false;
    if (made.words == kNotPlain && !normalize_characters(text, size, with_origins, made)) {
        normalize_by_steps(text, size, with_origins, made);
    }
}

// Returns false where an order must be found.
bool BertNormalizer::normalize_characters(const std::uint8_t* text, std::size_t size, bool with_origins,
                                          NormalizedText& made) const {
    Writer writer(made, size, with_origins);
    std::uint32_t index = 0;
    for (const std::uint8_t* const end = text + size; text != end; ++index) {
        if (*text < 0x80) {
            const std::uint8_t byte = *text++;
            switch (ascii_action_[byte]) {
                case Action::keep:
                    writer.keep(ascii_byte_ + byte, 1, index);
                    break;
                case Action::blank:
                    writer.blank(ascii_byte_ + byte, 1, index);
                    break;
                case Action::mark:
                    writer.mark(ascii_byte_ + byte, 1, index);
                    break;
                default:
                    break;
            }
            continue;
        }
        const std::uint8_t* const begin = text;
        const std::uint32_t code = decode_utf8(text);
        const auto length = static_cast<std::size_t>(text - begin);
        const CodePointMap::Entry entry = map_.find(code);
        switch (entry.action) {
            case Action::keep:
                writer.keep(begin, length, index);
                break;
            case Action::blank:
                // Where text is not cleaned it stays what it was, which only added tokens can see.
                writer.blank(rules_.clean_text ? kBlank : begin, rules_.clean_text ? 1 : length, index);
                break;
            case Action::drop:
                break;
            case Action::mark:
                writer.mark(begin, length, index);
                break;
            case Action::isolate:
                writer.blank(kBlank, 1, index);
                writer.keep(begin, length, index);
                writer.blank(kBlank, 1, index);
                break;
            case Action::replace: {
                const NormalizedCharacter* const characters = map_.pool(entry);
                for (std::size_t i = 0; i < entry.count; ++i) {
                    writer.write(characters[i], index);
                }
                break;
            }
            case Action::hangul: {
                std::uint32_t parts[4];
                const std::size_t count = decompose(code, parts);
                for (std::size_t i = 0; i < count; ++i) {
                    std::uint8_t encoded[4];
                    writer.keep(encoded, encode_utf8(parts[i], encoded), index);
                }
                break;
            }
            case Action::reorder:
                return false;
        }
    }
    writer.finish();
    return true;
}

void BertNormalizer::normalize_by_steps(const std::uint8_t* text, std::size_t size, bool with_origins,
                                        NormalizedText& made) const {
    std::vector<Character> characters;
    const std::uint8_t* const end = text + size;
    for (std::uint32_t index = 0; text != end; ++index) {
        const std::uint32_t code = decode_utf8(text);
        const std::uint8_t flags = code_point_properties(code);
        if (rules_.clean_text && (flags & kRemoved) != 0) {
            continue;
        }
        const bool isolated = rules_.split_chinese && is_chinese(code);
        if (isolated) {
            characters.push_back({' ', index});
        }
        characters.push_back({rules_.clean_text && (flags & kWhitespace) != 0 ? ' ' : code, index});
        if (isolated) {
            characters.push_back({' ', index});
        }
    }
    if (rules_.strip_accents) {
        characters = canonical_decomposition(characters);
        const auto is_mark = [](const Character& character) {
            return (code_point_properties(character.code) & kMark) != 0;
        };
        characters.erase(std::remove_if(characters.begin(), characters.end(), is_mark), characters.end());
    }
    Writer writer(made, size, with_origins);
    for (const Character& character : characters) {
        std::uint32_t codes[2] = {character.code};
        const std::size_t count = rules_.lowercase ? lowercase(character.code, codes) : 1;
        for (std::size_t i = 0; i < count; ++i) {
            writer.write(final_character(codes[i]), character.origin);
        }
    }
    writer.finish();
}

}  // namespace tundish
