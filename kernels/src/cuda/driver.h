// The functions of the CUDA driver that we call, found in libcuda.so.1 at run time.
//
// The types are those of cuda.h, written out so that no part of the CUDA toolkit is needed to build this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish::cuda {

using Result = int;
constexpr Result kSuccess = 0;
using DeviceHandle = int;
using DevicePointer = std::uint64_t;
using Context = struct ContextHandle*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using Event = struct EventHandle*;

struct Driver {
    Result (*init)(unsigned flags);
    Result (*driver_get_version)(int* version);
    Result (*get_error_string)(Result result, const char** text);
    Result (*device_get_count)(int* count);
    Result (*device_get)(DeviceHandle* device, int ordinal);
    Result (*device_get_attribute)(int* value, int attribute, DeviceHandle device);
    Result (*primary_context_retain)(Context* context, DeviceHandle device);
    Result (*primary_context_release)(DeviceHandle device);
    Result (*context_push)(Context context);
    Result (*context_pop)(Context* context);
    Result (*context_synchronize)();
    Result (*module_load_data)(Module* module, const void* image);
    Result (*module_unload)(Module module);
    Result (*module_get_function)(Function* function, Module module, const char* name);
    Result (*memory_allocate)(DevicePointer* pointer, std::size_t bytes);
    Result (*memory_free)(DevicePointer pointer);
    Result (*memory_set)(DevicePointer memory, unsigned char value, std::size_t bytes, void* stream);
    Result (*host_allocate)(void** pointer, std::size_t bytes, unsigned flags);
    Result (*host_free)(void* pointer);
    Result (*copy_to_device)(DevicePointer to, const void* from, std::size_t bytes, void* stream);
    Result (*event_create)(Event* event, unsigned flags);
    Result (*event_destroy)(Event event);
    Result (*event_record)(Event event, void* stream);
    Result (*event_synchronize)(Event event);
    Result (*pointer_get_attribute)(void* value, int attribute, DevicePointer pointer);
    Result (*launch_kernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                            void* stream, void** parameters, void** extra);
};

// Loads and starts the driver, once. Throws std::runtime_error with one sentence if it is not there, is too
// old for our kernels, or sees no GPU.
const Driver& driver();

// Throws std::runtime_error, "`what`: the driver's text (CUDA error number)", unless the result is success.
void check(const Driver& driver, Result result, const char* what);

// Major × 10 + minor of the compute capability.
int compute_capability(const Driver& driver, DeviceHandle device);

// Throws std::runtime_error if our kernels do not run on a GPU of this capability.
void check_capability(int ordinal, int capability);

// Makes a context current for the life of this object.
class CurrentContext {
  public:
    CurrentContext(const Driver& driver, Context context);
    ~CurrentContext();
    CurrentContext(const CurrentContext&) = delete;
    CurrentContext& operator=(const CurrentContext&) = delete;

  private:
    const Driver& driver_;
};

}  // namespace tundish::cuda
