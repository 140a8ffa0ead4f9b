# Compiles the CUDA kernels of src/cuda/ into kernels.fatbin, which is data to everything else: nothing is linked.
#
# Machine code for each GPU generation that nvcc names here, and PTX of the oldest, from which a driver makes code
# for any GPU that is newer or left out. Without a suitable nvcc nothing is built, and the module says so.
set(cuda_generations 75 80 86 89 90 100 120)
set(cuda_targets "")
foreach(generation IN LISTS cuda_generations)
  list(APPEND cuda_targets "-gencode=arch=compute_${generation},code=sm_${generation}")
endforeach()
list(GET cuda_generations 0 cuda_oldest)
list(APPEND cuda_targets "-gencode=arch=compute_${cuda_oldest},code=compute_${cuda_oldest}")

# Sets `version` if nvcc is there and can compile for all of them; a broken one must not stop the installation.
function(find_working_nvcc version)
  find_program(TUNDISH_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATH_SUFFIXES bin PATHS /usr/local/cuda)
  if(NOT TUNDISH_NVCC)
    message(STATUS "CUDA kernels are left out: nvcc was not found")
    return()
  endif()
  set(probe "${CMAKE_CURRENT_BINARY_DIR}/nvcc_probe.cu")
  file(WRITE "${probe}" "#include <cstdint>\n__global__ void probe() {}\n")
  execute_process(
    COMMAND "${TUNDISH_NVCC}" -fatbin -std=c++17 --compress-mode=size ${cuda_targets} "${probe}" -o "${probe}.fatbin"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  execute_process(COMMAND "${TUNDISH_NVCC}" --version OUTPUT_VARIABLE says ERROR_QUIET)
  if(NOT result EQUAL 0 OR NOT says MATCHES "release ([0-9]+\\.[0-9]+)")
    message(STATUS "CUDA kernels are left out: ${TUNDISH_NVCC} does not compile for GPUs from ${cuda_generations}; "
      "it takes nvcc 12.8 or newer\n${output}")
    return()
  endif()
  set(${version} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

set(cuda_version "")
if(TUNDISH_CUDA)
  find_working_nvcc(cuda_version)
endif()

# The driver must be of the compiler's major version at least (driver.cpp).
set(cuda_major 12)  # does not matter without kernels
if(cuda_version)
  string(REGEX MATCH "^[0-9]+" cuda_major "${cuda_version}")
endif()
target_compile_definitions(tundish_kernels_core PRIVATE TUNDISH_CUDA_MAJOR=${cuda_major})

if(cuda_version)
  # Multiply-adds are explicit, as everywhere. Compressed for size, the code is a quarter of what the default makes of it.
  set(cuda_flags -std=c++17 -fmad=false --compress-mode=size -I "${CMAKE_CURRENT_SOURCE_DIR}/include")
  file(GLOB cuda_sources CONFIGURE_DEPENDS src/cuda/*.cu src/cuda/*.h include/tundish/*.h)
  set(tundish_kernels_fatbin "${CMAKE_CURRENT_BINARY_DIR}/kernels.fatbin")
  add_custom_command(OUTPUT "${tundish_kernels_fatbin}"
    COMMAND "${TUNDISH_NVCC}" -fatbin ${cuda_flags} ${cuda_targets}
      "${CMAKE_CURRENT_SOURCE_DIR}/src/cuda/kernels.cu" -o "${tundish_kernels_fatbin}"
    DEPENDS ${cuda_sources}
    COMMENT "Compiling the CUDA kernels" VERBATIM)
  add_custom_target(tundish_kernels_fatbin ALL DEPENDS "${tundish_kernels_fatbin}")
endif()
