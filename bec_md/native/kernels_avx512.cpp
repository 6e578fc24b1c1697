// Kernels for x86-64 processors with avx512.
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=skylake-avx512"))), apply_to = function)
#else
#pragma GCC target("arch=skylake-avx512")
#endif

#define BEC_SET avx512
#define BEC_LANES 16
#define BEC_ROWS 12
#define BEC_WIDE 2
#include "kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
