// Radial tables; part of kernels_body.h.

// C = A W in double precision: some rows, two registers of columns at most.
template <int R>
void multiply_double_rows(const double* a, long a_stride, int inputs, const double* w, long outputs, double* c) {
    constexpr int L = BEC_LANES / 2, N = 8 / L >= 2 ? 2 : 1;
    typedef double V __attribute__((vector_size(L * sizeof(double))));
    for (long column = 0; column < outputs; column += N * L) {
        V sum[R][N] = {};
        for (int k = 0; k < inputs; ++k) {
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n) {
                V weight;
                __builtin_memcpy(&weight, w + k * outputs + column + n * L, sizeof(V));
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) sum[r][n] += a[r * a_stride + k] * weight;
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) __builtin_memcpy(c + r * outputs + column, sum[r], N * sizeof(V));
    }
}

void multiply_double(const double* a, int a_stride, int rows, int inputs, const double* w, int outputs, double* c) {
    constexpr int R = BEC_LANES == 16 ? 8 : 4;  // sums in flight hide the latency of additions
    int row = 0;
    for (; row + R <= rows; row += R)
        multiply_double_rows<R>(a + static_cast<long>(row) * a_stride, a_stride, inputs, w, outputs,
                                c + static_cast<long>(row) * outputs);
    for (; row < rows; ++row)
        multiply_double_rows<1>(a + static_cast<long>(row) * a_stride, a_stride, inputs, w, outputs,
                                c + static_cast<long>(row) * outputs);
}

// Cody–Waite reduction and the series of degree 13: 1 ulp.
template <typename V>
BEC_INLINE V exponential_double(V x) {
    constexpr int L = sizeof(V) / sizeof(double);
    typedef std::int64_t I __attribute__((vector_size(L * sizeof(std::int64_t))));
    constexpr double inverse_factorial[14] = {1.0,         1.0,          1.0 / 2,       1.0 / 6,        1.0 / 24,
                                              1.0 / 120,   1.0 / 720,    1.0 / 5040,    1.0 / 40320,    1.0 / 362880,
                                              1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    const V low = V{} - 700.0, high = V{} + 700.0;
    x = x < high ? x : high;
    x = x > low ? x : low;
    const V shifted = x * 1.4426950408889634 + 6755399441055744.0;  // the nearest integer in the last bits
    const V n = shifted - 6755399441055744.0;
    V r = x - n * 0.693145751953125;
    r -= n * 1.4286068203094173e-6;
    V p = V{} + inverse_factorial[13];
#pragma GCC unroll 13
    for (int k = 12; k >= 0; --k) p = p * r + inverse_factorial[k];
    return as<V>(as<I>(p) + (as<I>(shifted) << 52));
}

void silu_double(double* x, std::int64_t length) {
    typedef double V __attribute__((vector_size(8 * sizeof(double) > BEC_LANES * 4 ? BEC_LANES * 4 : 64)));
    constexpr int L = sizeof(V) / sizeof(double);
    for (std::int64_t i = 0; i < length; i += L) {
        V value;
        __builtin_memcpy(&value, x + i, sizeof(V));
        const V result = value / (1.0 + exponential_double<V>(-value));
        __builtin_memcpy(x + i, &result, sizeof(V));
    }
}

// Value f u and slope f' u + f u' at every knot. A cubic Hermite spline is off by h⁴ f⁗ t² (1 − t)² / 24, always to
// one side; f + h⁴ f⁗/720 instead of f centers that, which halves the largest error and lets sums over neighbors
// average it out. Both derivatives are central differences over slope_reach nodes on either side.
void spline(const SplineCall& call) {
    constexpr double center = 91.0 / 8;
    constexpr double fourth[slope_reach] = {-122.0 / 15, 169.0 / 60, -2.0 / 5, 7.0 / 240};
    constexpr double first[slope_reach] = {4.0 / 5, -1.0 / 5, 4.0 / 105, -1.0 / 280};
    constexpr double fifth[slope_reach] = {29.0 / 6, -13.0 / 3, 3.0 / 2, -1.0 / 6};
    typedef typename LanesOf<8>::type V;
    const long width = call.width;
    for (long knot = 0; knot < call.knots; ++knot) {
        const float* row = call.outputs + knot * width;
        const float factor = static_cast<float>(call.envelope[2 * knot]), rate = static_cast<float>(call.envelope[2 * knot + 1]);
        for (long k = 0; k < width; k += 8) {
            V f = load<V>(row + k), slope = {};
            f += static_cast<float>(center / 720) * f + load<V>(call.bias + k);
#pragma GCC unroll 4
            for (int d = 0; d < slope_reach; ++d) {
                const V after = load<V>(row + k + (d + 1) * width), before = load<V>(row + k - (d + 1) * width);
                f += static_cast<float>(fourth[d] / 720) * (after + before);
                slope += static_cast<float>(first[d] + fifth[d] / 720) * (after - before);
            }
            store<V>(call.spline + 2 * knot * width + k, factor * f);
            store<V>(call.spline + (2 * knot + 1) * width + k, factor * slope + rate * f);
        }
    }
}
