// The Python binding of wordpiece.
#include "tundish/wordpiece.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "aligned.h"
#include "bindings.h"
#include "release.h"
#include "texts.h"

namespace nb = nanobind;

namespace {

template <class Item>
using Vector = nb::ndarray<Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Offsets = nb::ndarray<std::int32_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;

constexpr std::int64_t kNanosecondsPerByte = 20;

// About how long they take to be tokenized.
std::int64_t nanoseconds(const tundish::Texts& texts, const tundish::Texts* pairs) {
    const std::size_t bytes = texts.bytes() + (pairs == nullptr ? 0 : pairs->bytes());
    return kNanosecondsPerByte * static_cast<std::int64_t>(bytes);
}

std::size_t capacity(const tundish::WordPiece& tokenizer, const tundish::Texts& texts,
                     const tundish::Texts* pairs, const tundish::TextOptions& options) {
    const tundish::TextView* const second = tundish::optional_data(texts, pairs);
    const tundish::Release release(nanoseconds(texts, pairs));
    return tundish::wordpiece_capacity(tokenizer, texts.data(), second, texts.size(), options.value);
}

void wordpiece_into(const Vector<std::int32_t>& ids, const Vector<std::int32_t>& type_ids,
                    const std::optional<Offsets>& offsets,
                    const std::optional<Vector<std::int32_t>>& word_ids, const Vector<std::int64_t>& starts,
                    const Vector<bool>& truncated, const tundish::WordPiece& tokenizer,
                    const tundish::Texts& texts, const tundish::Texts* pairs,
                    const tundish::TextOptions& options) {
    const std::size_t count = texts.size();
    const std::size_t room = ids.shape(0);
    if (type_ids.shape(0) != room || (offsets && offsets->shape(0) != room) ||
        (word_ids && word_ids->shape(0) != room) || starts.shape(0) != count + 1 ||
        truncated.shape(0) != count) {
        throw nb::value_error("the arrays must be as long as each other and as the texts");
    }
    if (!is_aligned(ids.data()) || !is_aligned(type_ids.data()) ||
        (offsets && !is_aligned(offsets->data())) || (word_ids && !is_aligned(word_ids->data())) ||
        !is_aligned(starts.data())) {
        throw nb::value_error("the arrays of wordpiece must be aligned");
    }
    static_assert(sizeof(bool) == 1);
    const tundish::TokenDestination destination{ids.data(),
                                                type_ids.data(),
                                                offsets ? offsets->data() : nullptr,
                                                word_ids ? word_ids->data() : nullptr,
                                                room,
                                                starts.data(),
                                                reinterpret_cast<std::uint8_t*>(truncated.data())};
    const tundish::TextView* const second = tundish::optional_data(texts, pairs);
    // The arguments hold references to arrays and texts, so their memory stays while other Python threads
    // run.
    const tundish::Release release(nanoseconds(texts, pairs));
    tundish::wordpiece_into(destination, tokenizer, texts.data(), second, count, options.value);
}

using Piece = std::tuple<std::string, std::int32_t, std::int32_t>;

std::vector<tundish::TemplatePiece> pieces_of(const std::vector<Piece>& pieces) {
    std::vector<tundish::TemplatePiece> made;
    for (const auto& [text, id, type_id] : pieces) {
        using Kind = tundish::TemplatePiece::Kind;
        made.push_back(
            {text == "A" ? Kind::first : (text == "B" ? Kind::second : Kind::special), id, type_id});
    }
    return made;
}

using Added = std::tuple<std::string, std::int32_t, bool, bool, bool, bool>;

void make_tokenizer(tundish::WordPiece* memory, std::vector<std::pair<std::string, std::int32_t>> vocabulary,
                    std::string unknown_token, std::string continuing_prefix,
                    std::int64_t maximum_word_characters, bool clean_text, bool split_chinese,
                    bool strip_accents, bool lowercase, const std::vector<Added>& added_tokens,
                    bool trim_offsets, const std::vector<Piece>& single, const std::vector<Piece>& pair) {
    tundish::WordPieceSettings settings{std::move(vocabulary),
                                        std::move(unknown_token),
                                        std::move(continuing_prefix),
                                        maximum_word_characters,
                                        clean_text,
                                        split_chinese,
                                        strip_accents,
                                        lowercase,
                                        {},
                                        trim_offsets,
                                        pieces_of(single),
                                        pieces_of(pair)};
    for (const auto& [content, id, single_word, strip_left, strip_right, normalized] : added_tokens) {
        settings.added_tokens.push_back({content, id, single_word, strip_left, strip_right, normalized});
    }
    const nb::gil_scoped_release release;
    new (memory) tundish::WordPiece(std::move(settings));
}

}  // namespace

void tundish::bind_wordpiece(nb::module_& module) {
    nb::class_<Texts>(module, "Texts")
        .def(nb::init<const nb::object&, const std::string&>(), nb::arg("texts"), nb::arg("name"))
        .def("__len__", &Texts::size);
    nb::class_<TextOptions>(module, "WordPieceOptions")
        .def(nb::init<bool, std::int64_t, const std::string&, bool>(), nb::arg("add_special_tokens"),
             nb::arg("maximum_tokens"), nb::arg("strategy"), nb::arg("truncate_left"));
    nb::class_<WordPiece>(module, "WordPiece")
        .def("__init__", &make_tokenizer, nb::arg("vocabulary"), nb::arg("unknown_token"),
             nb::arg("continuing_prefix"), nb::arg("maximum_word_characters"), nb::arg("clean_text"),
             nb::arg("split_chinese"), nb::arg("strip_accents"), nb::arg("lowercase"),
             nb::arg("added_tokens"), nb::arg("trim_offsets"), nb::arg("single"), nb::arg("pair"));
    module.def("wordpiece_capacity", &capacity, nb::arg("tokenizer"), nb::arg("texts"),
               nb::arg("pairs").none(), nb::arg("options"));
    module.def("wordpiece_into", &::wordpiece_into, nb::arg("ids").noconvert(),
               nb::arg("type_ids").noconvert(), nb::arg("offsets").noconvert().none(),
               nb::arg("word_ids").noconvert().none(), nb::arg("starts").noconvert(),
               nb::arg("truncated").noconvert(), nb::arg("tokenizer"), nb::arg("texts"),
               nb::arg("pairs").none(), nb::arg("options"));
}
