# Compiles the CUDA kernels of src/cuda/ into kernels.fatbin, which is data to everything else: nothing is linked.
#
# Machine code for each GPU generation that nvcc names here, and PTX of the oldest, from which a driver makes code
# for any GPU that is newer or left out. Without a suitable nvcc nothing is built, and the module says so.
set(cuda_generations 75 80 86 89 90 100 120)
set(cuda_oldest_nvcc 12.8)  # knows all of them

# The driver must be of the compiler's major version at least.
set(cuda_version "")
if(TUNDISH_CUDA)
  find_program(TUNDISH_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATH_SUFFIXES bin PATHS /usr/local/cuda)
  if(TUNDISH_NVCC)
    execute_process(COMMAND "${TUNDISH_NVCC}" --version OUTPUT_VARIABLE nvcc_says ERROR_QUIET)
    if(nvcc_says MATCHES "release ([0-9]+\\.[0-9]+)" AND NOT CMAKE_MATCH_1 VERSION_LESS cuda_oldest_nvcc)
      set(cuda_version "${CMAKE_MATCH_1}")
    else()
      message(STATUS "CUDA kernels are left out: ${TUNDISH_NVCC} is older than ${cuda_oldest_nvcc}")
    endif()
  else()
    message(STATUS "CUDA kernels are left out: nvcc was not found")
  endif()
endif()

set(cuda_major 12)  # does not matter without kernels
if(cuda_version)
  string(REGEX MATCH "^[0-9]+" cuda_major "${cuda_version}")
endif()
target_compile_definitions(tundish_kernels_core PRIVATE TUNDISH_CUDA_MAJOR=${cuda_major})

if(cuda_version)
  # Multiply-adds are explicit, as everywhere.
  set(cuda_flags -std=c++17 -fmad=false -Werror all-warnings -I "${CMAKE_CURRENT_SOURCE_DIR}/include")
  set(cuda_targets "")
  foreach(generation IN LISTS cuda_generations)
    list(APPEND cuda_targets "-gencode=arch=compute_${generation},code=sm_${generation}")
  endforeach()
  list(GET cuda_generations 0 oldest)
  list(APPEND cuda_targets "-gencode=arch=compute_${oldest},code=compute_${oldest}")

  file(GLOB cuda_sources CONFIGURE_DEPENDS src/cuda/*.cu src/cuda/*.h include/tundish/*.h)
  set(tundish_kernels_fatbin "${CMAKE_CURRENT_BINARY_DIR}/kernels.fatbin")
  add_custom_command(OUTPUT "${tundish_kernels_fatbin}"
    COMMAND "${TUNDISH_NVCC}" -fatbin ${cuda_flags} ${cuda_targets}
      "${CMAKE_CURRENT_SOURCE_DIR}/src/cuda/kernels.cu" -o "${tundish_kernels_fatbin}"
    DEPENDS ${cuda_sources}
    COMMENT "Compiling the CUDA kernels" VERBATIM)
  add_custom_target(tundish_kernels_fatbin ALL DEPENDS "${tundish_kernels_fatbin}")
endif()
