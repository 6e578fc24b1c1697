// The kernels; included by kernels_<instruction set>.cpp, which define BEC_SET (namespace), BEC_LANES (floats
// in a register), BEC_ROWS (rows of a register tile) and BEC_WIDE (registers per row of a tile) after setting
// the target. Templates of the standard library stay out: their instances would be shared between sets.

namespace bec {
namespace BEC_SET {
namespace {

#define BEC_INLINE inline __attribute__((always_inline))
#define BEC_LAMBDA __attribute__((always_inline))

template <int L>
struct LanesOf {
    typedef float type __attribute__((vector_size(L * sizeof(float))));
};

template <int L>
struct IntegersOf {
    typedef std::int32_t type __attribute__((vector_size(L * sizeof(std::int32_t))));
};

// The same bits as another type.
template <typename To, typename From>
BEC_INLINE To as(From value) {
    To result;
    __builtin_memcpy(&result, &value, sizeof(To));
    return result;
}

template <typename V>
BEC_INLINE V load(const float* p) {
    V value;  // not through a pointer: rows are aligned to 32 bytes only
    __builtin_memcpy(&value, p, sizeof(V));
    return value;
}

template <typename V>
BEC_INLINE void store(float* p, V value) {
    __builtin_memcpy(p, &value, sizeof(V));
}

// Sum of the elements, always in the same order.
template <typename V>
BEC_INLINE float sum_of(V value) {
    constexpr int L = sizeof(V) / sizeof(float);
    typedef typename LanesOf<4>::type Four;
    float part[L];
    store(part, value);
    Four sum = load<Four>(part);
    if (L == 8) sum += load<Four>(part + L - 4);
    if (L == 16) sum = (sum + load<Four>(part + L / 2)) + (load<Four>(part + L / 4) + load<Four>(part + L - 4));
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

#include "kernels_multiply.h"

#include "kernels_couple.h"

#include "kernels_edges.h"

#include "kernels_gather.h"

#include "kernels_adjoint.h"

#include "kernels_messages.h"

#include "kernels_elementwise.h"

#include "kernels_radial.h"

#define BEC_TEXT2(name) #name
#define BEC_TEXT(name) BEC_TEXT2(name)

}  // namespace

const Kernels& table() {
    static const Kernels kernels{BEC_TEXT(BEC_SET), multiply, couple, couple_adjoint, gather, gather_adjoint,
                                 add_products, subtract, multiply_double, silu,
                                 silu_double, spline, send_harmonics, send_tensors, weigh_harmonics,
                                 weigh_tensors, project_harmonics};
    return kernels;
}

}  // namespace BEC_SET
}  // namespace bec
