// The Python binding of pack.
#include "tundish/pack.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <optional>

#include "aligned.h"
#include "bindings.h"
#include "release.h"

namespace nb = nanobind;

namespace {

template <class Item>
using Vector = nb::ndarray<Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Item>
using Matrix = nb::ndarray<Item, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Integer>
void pack_into(const Matrix<Integer>& ids, const std::optional<Matrix<Integer>>& mask,
               const std::optional<Matrix<Integer>>& type_ids, const Vector<const std::int32_t>& token_ids,
               const std::optional<Vector<const std::int32_t>>& token_type_ids,
               const Vector<const std::int64_t>& starts, std::int32_t pad_id, std::int32_t pad_type_id,
               bool left) {
    const auto same_shape = [&](const std::optional<Matrix<Integer>>& other) {
        return !other || (other->shape(0) == ids.shape(0) && other->shape(1) == ids.shape(1));
    };
    if (!same_shape(mask) || !same_shape(type_ids) || starts.shape(0) != ids.shape(0) + 1 ||
        (token_type_ids && token_type_ids->shape(0) != token_ids.shape(0))) {
        throw nb::value_error("the arrays of pack must have shapes that fit each other");
    }
    if (!is_aligned(ids.data()) || (mask && !is_aligned(mask->data())) ||
        (type_ids && !is_aligned(type_ids->data())) || !is_aligned(token_ids.data()) ||
        (token_type_ids && !is_aligned(token_type_ids->data())) || !is_aligned(starts.data())) {
        throw nb::value_error("the arrays of pack must be aligned");
    }
    const tundish::PackDestination<Integer> destination{ids.data(), mask ? mask->data() : nullptr,
                                                        type_ids ? type_ids->data() : nullptr, ids.shape(0),
                                                        ids.shape(1)};
    const tundish::RaggedTokens tokens{token_ids.data(), token_type_ids ? token_type_ids->data() : nullptr,
                                       token_ids.shape(0), starts.data()};
    const tundish::Release release(static_cast<std::int64_t>(ids.size()));  // a nanosecond each
    tundish::pack_into(destination, tokens, {pad_id, pad_type_id, left});
}

template <class Integer>
void bind(nb::module_& module) {
    module.def("pack_into", &pack_into<Integer>, nb::arg("ids").noconvert(),
               nb::arg("mask").noconvert().none(), nb::arg("type_ids").noconvert().none(),
               nb::arg("token_ids").noconvert(), nb::arg("token_type_ids").noconvert().none(),
               nb::arg("starts").noconvert(), nb::arg("pad_id"), nb::arg("pad_type_id"), nb::arg("left"));
}

}  // namespace

void tundish::bind_pack(nb::module_& module) {
    bind<std::int32_t>(module);
    bind<std::int64_t>(module);
}
