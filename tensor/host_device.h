// Marks inline functions that CUDA kernels call too, so that both devices compute by one formula.
#pragma once

#ifdef __CUDACC__
#define FER_HOST_DEVICE __host__ __device__
#else
#define FER_HOST_DEVICE
#endif
