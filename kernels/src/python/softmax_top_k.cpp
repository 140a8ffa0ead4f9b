// The Python binding of softmax_top_k.
#include "tundish/softmax_top_k.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <string>

#include "bindings.h"
#include "release.h"

namespace nb = nanobind;

namespace {

constexpr std::int64_t kNanosecondsPerLogit = 2;

template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <typename Index>
void softmax_top_k_into(const Matrix<Index>& indices, const Matrix<float>& scores,
                        const Matrix<const float>& logits, const std::string& function) {
    if (indices.shape(0) != logits.shape(0) || scores.shape(0) != logits.shape(0) ||
        indices.shape(1) != scores.shape(1)) {
        throw nb::value_error("indices and scores must be [batch, k], logits [batch, classes]");
    }
    const tundish::TopK<Index> destination{indices.data(), scores.data(),
                                           static_cast<std::int64_t>(indices.shape(1))};
    const tundish::LogitsView view{logits.data(), static_cast<std::int64_t>(logits.shape(0)),
                                   static_cast<std::int64_t>(logits.shape(1))};
    const tundish::Release release(kNanosecondsPerLogit * static_cast<std::int64_t>(logits.size()));
    tundish::softmax_top_k_into(destination, view, tundish::parse_score_function(function));
}

template <typename Index>
void bind(nb::module_& module) {
    module.def("softmax_top_k_into", &::softmax_top_k_into<Index>, nb::arg("indices").noconvert(),
               nb::arg("scores").noconvert(), nb::arg("logits").noconvert(), nb::arg("function"));
}

}  // namespace

void tundish::bind_softmax_top_k(nb::module_& module) {
    bind<std::int64_t>(module);
    bind<std::int32_t>(module);
}
