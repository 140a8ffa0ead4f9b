// What is used of ONNX Runtime's C interface.
//
// Its package for Python, which tundish runs in, brings no headers. The interface is made to be written down:
// it is a table of functions that only ever grows at its end, so that a function's place in it is for good,
// as are the fields of a custom operator up to those of the version that it says it has. Places and
// signatures are those of onnxruntime_c_api.h; tests run them with the ONNX Runtime that is installed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish::onnxruntime {

// ONNX Runtime 1.17, which brought the last of the functions below.
constexpr std::uint32_t kVersion = 17;

// Handles of things that ONNX Runtime owns, but for a status, which belongs to who gets it; null is no error.
struct Status;
struct Value;
struct Shape;
struct Domain;
struct SessionOptions;
struct KernelInfo;
struct KernelContext;

enum class ElementType : std::int32_t { float32 = 1, uint8 = 2, int8 = 3, int32 = 6 };
enum class Presence : std::int32_t { required = 0, optional = 1 };
enum class ErrorCode : std::int32_t { fail = 1, invalid_argument = 2 };

// The table of functions.
class Api {
  public:
    Status* create_status(ErrorCode code, const char* message) const {
        return at<Status*(ErrorCode, const char*)>(0)(code, message);
    }
    void release_status(Status* status) const { at<void(Status*)>(93)(status); }

    Status* create_domain(const char* name, Domain** domain) const {
        return at<Status*(const char*, Domain**)>(26)(name, domain);
    }
    // The domain keeps the address of the operator, and the options that of the domain.
    Status* add_operator(Domain* domain, const struct CustomOperator* added) const {
        return at<Status*(Domain*, const CustomOperator*)>(27)(domain, added);
    }
    Status* add_domain(SessionOptions* options, Domain* domain) const {
        return at<Status*(SessionOptions*, Domain*)>(28)(options, domain);
    }

    // `size` is that of `values` before, and of the attribute after; no values ask for that alone.
    Status* get_attribute(const KernelInfo* info, const char* name, std::int64_t* values,
                          std::size_t* size) const {
        return at<Status*(const KernelInfo*, const char*, std::int64_t*, std::size_t*)>(163)(info, name,
                                                                                             values, size);
    }
    Status* get_constant(const KernelInfo* info, std::size_t index, int* is_constant,
                         const Value** value) const {
        return at<Status*(const KernelInfo*, std::size_t, int*, const Value**)>(249)(info, index, is_constant,
                                                                                     value);
    }

    Status* get_input(const KernelContext* context, std::size_t index, const Value** value) const {
        return at<Status*(const KernelContext*, std::size_t, const Value**)>(90)(context, index, value);
    }
    Status* get_output(KernelContext* context, std::size_t index, const std::int64_t* dimensions,
                       std::size_t count, Value** value) const {
        return at<Status*(KernelContext*, std::size_t, const std::int64_t*, std::size_t, Value**)>(91)(
            context, index, dimensions, count, value);
    }
    // Calls `work` with each number below `total`, on the threads of the session.
    Status* parallel_for(const KernelContext* context, void (*work)(void*, std::size_t), std::size_t total,
                         void* data) const {
        constexpr std::size_t kNoLimit = 0;
        using Work = void (*)(void*, std::size_t);
        return at<Status*(const KernelContext*, Work, std::size_t, std::size_t, void*)>(274)(
            context, work, total, kNoLimit, data);
    }

    Status* get_data(Value* value, void** data) const { return at<Status*(Value*, void**)>(51)(value, data); }
    // The shape belongs to who gets it.
    Status* get_shape(const Value* value, Shape** shape) const {
        return at<Status*(const Value*, Shape**)>(65)(value, shape);
    }
    Status* get_rank(const Shape* shape, std::size_t* rank) const {
        return at<Status*(const Shape*, std::size_t*)>(61)(shape, rank);
    }
    Status* get_dimensions(const Shape* shape, std::int64_t* dimensions, std::size_t rank) const {
        return at<Status*(const Shape*, std::int64_t*, std::size_t)>(62)(shape, dimensions, rank);
    }
    void release_shape(Shape* shape) const { at<void(Shape*)>(99)(shape); }

  private:
    template <typename Function>
    Function* at(std::size_t place) const {
        return reinterpret_cast<Function*>(reinterpret_cast<void (*const*)()>(this)[place]);
    }
};

struct ApiBase {
    const Api* (*get_api)(std::uint32_t version);  // null if it is not known
    const char* (*get_version)();
};

// OrtCustomOp, up to version 17. What is null is not called.
struct CustomOperator {
    std::uint32_t version;
    void* (*create_kernel_without_status)(const CustomOperator*, const Api*, const KernelInfo*);
    const char* (*get_name)(const CustomOperator*);
    const char* (*get_execution_provider)(const CustomOperator*);  // null for the CPU's
    ElementType (*get_input_type)(const CustomOperator*, std::size_t index);
    std::size_t (*get_input_count)(const CustomOperator*);
    ElementType (*get_output_type)(const CustomOperator*, std::size_t index);
    std::size_t (*get_output_count)(const CustomOperator*);
    void (*compute_without_status)(void* kernel, KernelContext*);
    void (*destroy_kernel)(void* kernel);
    Presence (*get_input_presence)(const CustomOperator*, std::size_t index);
    Presence (*get_output_presence)(const CustomOperator*, std::size_t index);
    std::int32_t (*get_input_memory)(const CustomOperator*, std::size_t index);  // 0: that of the provider
    int (*get_variadic_input_minimum)(const CustomOperator*);
    int (*get_variadic_input_homogeneity)(const CustomOperator*);
    int (*get_variadic_output_minimum)(const CustomOperator*);
    int (*get_variadic_output_homogeneity)(const CustomOperator*);
    Status* (*create_kernel)(const CustomOperator*, const Api*, const KernelInfo*, void** kernel);
    Status* (*compute)(void* kernel, KernelContext*);
    Status* (*infer_shape)(const CustomOperator*, void* context);
    int (*get_first_version)(const CustomOperator*);
    int (*get_last_version)(const CustomOperator*);
};

}  // namespace tundish::onnxruntime
