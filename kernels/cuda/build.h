// Which of the two builds of the CUDA kernels a file belongs to: nvcc's, for the GPU, or the emulation's, for the CPU.
// Each has a namespace of its own, so that one binary can hold both: fer::cuda::f is the f of the including file's
// build.
#pragma once

#ifdef FER_CUDA_EMULATED
#define FER_CUDA_BUILD emulated
#else
#define FER_CUDA_BUILD device
#endif
