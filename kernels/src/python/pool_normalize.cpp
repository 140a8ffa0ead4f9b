// The Python binding of pool_normalize.
#include "tundish/pool_normalize.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <string>

#include "bindings.h"
#include "release.h"

namespace nb = nanobind;

namespace {

using Destination = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Tokens = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Mask = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <typename T>
void pool_normalize_into(const Destination& destination, const Tokens& tokens, const Mask<T>& mask,
                         const std::string& pooling, bool normalize) {
    if (mask.shape(0) != tokens.shape(0) || mask.shape(1) != tokens.shape(1) ||
        destination.shape(0) != tokens.shape(0) || destination.shape(1) != tokens.shape(2)) {
        throw nb::value_error(
            "tokens must be [batch, tokens, width], mask [batch, tokens], destination [batch, width]");
    }
    const tundish::TokenVectors<T> view{
        tokens.data(), mask.data(), static_cast<std::int64_t>(tokens.shape(0)),
        static_cast<std::int64_t>(tokens.shape(1)), static_cast<std::int64_t>(tokens.shape(2))};
    const tundish::Release release(static_cast<std::int64_t>(tokens.size()));  // a nanosecond each
    tundish::pool_normalize_into(destination.data(), view, tundish::parse_pooling(pooling), normalize);
}

template <typename T>
void bind(nb::module_& module) {
    module.def("pool_normalize_into", &::pool_normalize_into<T>, nb::arg("destination").noconvert(),
               nb::arg("tokens").noconvert(), nb::arg("mask").noconvert(), nb::arg("pooling"),
               nb::arg("normalize"));
}

}  // namespace

void tundish::bind_pool_normalize(nb::module_& module) {
    bind<std::int64_t>(module);
    bind<std::int32_t>(module);
    bind<std::uint8_t>(module);
}
