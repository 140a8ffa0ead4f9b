// The Python binding of run_length_encode and its inverse.
#include "tundish/run_length_encode.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "bindings.h"

namespace nb = nanobind;

namespace {

using Texts = nb::ndarray<std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Lengths = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using MaskArray = nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using DecodedMasks = nb::ndarray<std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void run_length_encode_into(const Texts& text, const Lengths& lengths, const MaskArray& masks) {
    if (text.shape(0) != masks.shape(0) || lengths.shape(0) != masks.shape(0)) {
        throw nb::value_error(
            "text must be [batch, capacity], lengths [batch], masks [batch, height, width]");
    }
    const tundish::RunLengths destination{text.data(), lengths.data(),
                                          static_cast<std::int64_t>(text.shape(1))};
    const tundish::Masks view{masks.data(), static_cast<std::int64_t>(masks.shape(0)),
                              static_cast<std::int64_t>(masks.shape(1)),
                              static_cast<std::int64_t>(masks.shape(2))};
    const nb::gil_scoped_release release;
    tundish::run_length_encode_into(destination, view);
}

void run_length_decode_into(const DecodedMasks& destination, const std::vector<nb::bytes>& texts) {
    if (destination.shape(0) != texts.size()) {
        throw nb::value_error("texts must be as many as masks");
    }
    std::vector<tundish::RunText> views;
    for (const nb::bytes& text : texts) {
        views.push_back({static_cast<const std::uint8_t*>(text.data()), text.size()});
    }
    const tundish::MaskDestination masks{destination.data(), static_cast<std::int64_t>(destination.shape(0)),
                                         static_cast<std::int64_t>(destination.shape(1)),
                                         static_cast<std::int64_t>(destination.shape(2))};
    // `texts` holds references, so that the characters stay while other Python threads run.
    const nb::gil_scoped_release release;
    tundish::run_length_decode_into(masks, views.data());
}

}  // namespace

void tundish::bind_run_length_encode(nb::module_& module) {
    module.attr("MAXIMUM_RUN_EXTENT") = tundish::kMaximumRunExtent;
    module.def("run_length_encode_into", &::run_length_encode_into, nb::arg("text").noconvert(),
               nb::arg("lengths").noconvert(), nb::arg("masks").noconvert());
    module.def("run_length_decode_into", &::run_length_decode_into, nb::arg("destination").noconvert(),
               nb::arg("texts"));
}
