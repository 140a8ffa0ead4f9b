// All kernels in one translation unit, as nvcc makes one fatbin of one file.
#include "resize_normalize.cu"
