// Kernels for x86-64 processors with avx2.
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=haswell"))), apply_to = function)
#else
#pragma GCC target("arch=haswell")
#endif

#define BEC_SET avx2
#define BEC_LANES 8
#define BEC_ROWS 6
#define BEC_WIDE 2
#include "kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
