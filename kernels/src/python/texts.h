// The texts and options that the bindings of wordpiece take.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tundish/wordpiece.h"

namespace tundish {

// Strings and bytes as UTF-8, and references that keep them while other Python threads run.
class Texts {
  public:
    Texts(const nanobind::object& texts, const std::string& name)
        : owner_(nanobind::steal(PySequence_Tuple(texts.ptr()))) {
        if (!owner_.is_valid()) {
            nanobind::raise_python_error();
        }
        const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(owner_.ptr()));
        views_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            views_.push_back(view(PyTuple_GET_ITEM(owner_.ptr(), static_cast<Py_ssize_t>(i)), name, i));
        }
    }

    const TextView* data() const { return views_.data(); }
    std::size_t size() const { return views_.size(); }

    // Of all of them.
    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const TextView& view : views_) {
            sum += view.size;
        }
        return sum;
    }

  private:
    static TextView view(PyObject* item, const std::string& name, std::size_t index) {
        const auto element = [&] { return name + "[" + std::to_string(index) + "]"; };
        if (PyUnicode_Check(item)) {
            Py_ssize_t size = 0;
            const char* const data = PyUnicode_AsUTF8AndSize(item, &size);
            if (data != nullptr) {
                return {data, static_cast<std::size_t>(size)};
            }
            if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) {
                nanobind::raise_python_error();
            }
            PyErr_Clear();
            throw nanobind::value_error((element() + " must be UTF-8, got a lone surrogate").c_str());
        }
        if (PyBytes_Check(item)) {
            return {PyBytes_AS_STRING(item), static_cast<std::size_t>(PyBytes_GET_SIZE(item))};
        }
        throw nanobind::type_error(
            (element() + " must be str or bytes, got " + Py_TYPE(item)->tp_name).c_str());
    }

    nanobind::object owner_;
    std::vector<TextView> views_;
};

inline const TextView* optional_data(const Texts& texts, const Texts* pairs) {
    if (pairs == nullptr) {
        return nullptr;
    }
    if (pairs->size() != texts.size()) {
        throw nanobind::value_error("pairs must be as many as texts");
    }
    // A null pointer would say that there are no pairs.
    static const TextView none{nullptr, 0};
    return pairs->size() == 0 ? &none : pairs->data();
}

struct TextOptions {
    WordPieceOptions value;

    TextOptions(bool add_special_tokens, std::int64_t maximum_tokens, const std::string& strategy,
                bool truncate_left)
        : value{add_special_tokens, maximum_tokens, parse_strategy(strategy), truncate_left} {}
};

}  // namespace tundish
