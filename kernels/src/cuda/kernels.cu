// All kernels in one translation unit, as nvcc makes one fatbin of one file.
#include "pack.cu"
#include "pool_normalize.cu"
#include "resize_normalize.cu"
#include "softmax_top_k.cu"
#include "wordpiece.cu"
