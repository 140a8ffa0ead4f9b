// Tensors and attributes of ONNX Runtime's; what goes wrong is thrown, and becomes a status again in
// `as_status`.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "interface.h"

namespace tundish::onnxruntime {

// What ONNX Runtime says is wrong; it belongs to it.
struct Failure {
    Status* status;
};

inline void check(Status* status) {
    if (status != nullptr) {
        throw Failure{status};
    }
}

// Runs `work`; no exception leaves it.
template <typename Work>
Status* as_status(const Api& api, const Work& work) noexcept {
    try {
        work();
        return nullptr;
    } catch (const Failure& failure) {
        return failure.status;
    } catch (const std::invalid_argument& error) {
        return api.create_status(ErrorCode::invalid_argument, error.what());
    } catch (const std::exception& error) {
        return api.create_status(ErrorCode::fail, error.what());
    }
}

inline std::vector<std::int64_t> dimensions_of(const Api& api, const Value* value) {
    Shape* shape = nullptr;
    check(api.get_shape(value, &shape));
    std::size_t rank = 0;
    Status* status = api.get_rank(shape, &rank);
    std::vector<std::int64_t> dimensions(rank);
    if (status == nullptr) {
        status = api.get_dimensions(shape, dimensions.data(), rank);
    }
    api.release_shape(shape);
    check(status);
    return dimensions;
}

template <typename T>
T* data_of(const Api& api, const Value* value) {
    void* data = nullptr;
    // It takes values that may be changed; those of inputs are read alone.
    check(api.get_data(const_cast<Value*>(value), &data));
    return static_cast<T*>(data);
}

// A constant input: `values` belong to ONNX Runtime.
template <typename T>
struct Constant {
    const T* values;
    std::vector<std::int64_t> dimensions;

    std::int64_t size() const {
        std::int64_t product = 1;
        for (const std::int64_t dimension : dimensions) {
            product *= dimension;
        }
        return product;
    }
};

template <typename T>
Constant<T> constant(const Api& api, const KernelInfo* info, std::size_t index, const char* name) {
    int is_constant = 0;
    const Value* value = nullptr;
    check(api.get_constant(info, index, &is_constant, &value));
    if (is_constant == 0 || value == nullptr) {
        throw std::invalid_argument(std::string(name) + " must be a constant, got one that is computed");
    }
    return {data_of<const T>(api, value), dimensions_of(api, value)};
}

template <typename T>
T one(const Api& api, const KernelInfo* info, std::size_t index, const char* name) {
    const Constant<T> value = constant<T>(api, info, index, name);
    if (value.size() != 1) {
        throw std::invalid_argument(std::string(name) + " must be one number, got " +
                                    std::to_string(value.size()));
    }
    return value.values[0];
}

// An attribute of so many numbers.
inline std::vector<std::int64_t> attribute(const Api& api, const KernelInfo* info, const char* name,
                                           std::size_t count) {
    std::size_t size = 0;
    if (Status* const status = api.get_attribute(info, name, nullptr, &size)) {
        api.release_status(status);  // it does not say which one
        throw std::invalid_argument(std::string(name) + " must be " + std::to_string(count) +
                                    " numbers, got none");
    }
    if (size != count) {
        throw std::invalid_argument(std::string(name) + " must be " + std::to_string(count) +
                                    " numbers, got " + std::to_string(size));
    }
    std::vector<std::int64_t> values(count);
    check(api.get_attribute(info, name, values.data(), &size));
    return values;
}

}  // namespace tundish::onnxruntime
