// All kernels in one translation unit, as nvcc makes one fatbin of one file.
#include "non_max_suppression.cu"
#include "pack.cu"
#include "pool_normalize.cu"
#include "resize_normalize.cu"
#include "run_length_encode.cu"
#include "softmax_top_k.cu"
#include "upsample_argmax.cu"
#include "wordpiece.cu"
