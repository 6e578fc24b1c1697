// Kernels for any processor: the compiler's vectors of four floats.
#include "kernels.h"

#define BEC_SET baseline
#define BEC_LANES 4
#define BEC_ROWS 3
#define BEC_WIDE 2
#include "kernels_body.h"
