// The library that ONNX Runtime loads to know the operators of the domain `tundish`.
#include <initializer_list>

#include "interface.h"
#include "operators.h"

namespace {

using namespace tundish::onnxruntime;

// The domain with its operators, which lives as long as the library; null, and a status, if it cannot be
// made.
Domain* make_domain(const Api& api, Status** status) {
    Domain* domain = nullptr;
    *status = api.create_domain("tundish", &domain);
    for (const CustomOperator* each : {&kQLinearDenseConv, &kQLinearDepthwiseConv, &kQLinearStemConv,
                                       &kQuantizedLinear, &kQuantizedLinearNorm, &kSelfAttention}) {
        if (*status == nullptr) {
            *status = api.add_operator(domain, each);
        }
    }
    return *status == nullptr ? domain : nullptr;
}

}  // namespace

// Called by ONNX Runtime for each session whose options name this library; from any thread.
extern "C" __attribute__((visibility("default"))) Status* RegisterCustomOps(SessionOptions* options,
                                                                            const ApiBase* base) {
    const Api* const api = base->get_api(kVersion);
    if (api == nullptr) {
        // Without its functions there is no status to return; its own log says what version it wanted.
        return nullptr;
    }
    Status* status = nullptr;
    static Domain* const domain = make_domain(*api, &status);
    if (domain == nullptr) {
        return status != nullptr
                   ? status
                   : api->create_status(ErrorCode::fail, "the domain tundish could not be made");
    }
    return api->add_domain(options, domain);
}
