// The Python binding of upsample_argmax.
#include "tundish/upsample_argmax.h"

#include <nanobind/ndarray.h>

#include "bindings.h"

namespace nb = nanobind;

namespace {

template <typename T>
using Maps = nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Logits = nb::ndarray<const float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;

template <typename Label>
void upsample_argmax_into(const Maps<Label>& destination, const Logits& logits) {
    const tundish::LabelMaps<Label> target{
        destination.data(), static_cast<std::int64_t>(destination.shape(0)),
        static_cast<std::int64_t>(destination.shape(1)), static_cast<std::int64_t>(destination.shape(2))};
    const tundish::LogitMaps view{
        logits.data(), static_cast<std::int64_t>(logits.shape(0)), static_cast<std::int64_t>(logits.shape(1)),
        static_cast<std::int64_t>(logits.shape(2)), static_cast<std::int64_t>(logits.shape(3))};
    const nb::gil_scoped_release release;
    tundish::upsample_argmax_into(target, view);
}

template <typename Label>
void bind(nb::module_& module) {
    module.def("upsample_argmax_into", &::upsample_argmax_into<Label>, nb::arg("destination").noconvert(),
               nb::arg("logits").noconvert());
}

}  // namespace

void tundish::bind_upsample_argmax(nb::module_& module) {
    module.attr("MAXIMUM_MASK_EXTENT") = tundish::kMaximumMaskExtent;
    bind<std::uint8_t>(module);
    bind<std::int32_t>(module);
}
