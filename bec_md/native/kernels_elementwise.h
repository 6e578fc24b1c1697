// Element by element; part of kernels_body.h.

void add_products(const float* x, std::int64_t x_step, const float* y, std::int64_t y_step, int components, int atoms,
                  int width, float* out) {
    typedef typename LanesOf<8>::type V;
    for (int atom = 0; atom < atoms; ++atom) {
        V sum = {};
        for (int m = 0; m < components; ++m) {
            const float* a = x + m * x_step + static_cast<long>(atom) * width;
            const float* b = y + m * y_step + static_cast<long>(atom) * width;
            for (int k = 0; k < width; k += 8) sum += load<V>(a + k) * load<V>(b + k);
        }
        out[atom] += sum_of<V>(sum);
    }
}

void subtract(const float* x, const float* y, const float* factor, int atoms, int width, float* out) {
    typedef typename LanesOf<8>::type V;
    for (int atom = 0; atom < atoms; ++atom) {
        const long start = static_cast<long>(atom) * width;
        for (long k = start; k < start + width; k += 8) store<V>(out + k, load<V>(x + k) - factor[atom] * load<V>(y + k));
    }
}

// Cody–Waite reduction and a polynomial of degree six: 1 ulp.
template <typename V>
BEC_INLINE V exponential(V x) {
    typedef typename IntegersOf<sizeof(V) / sizeof(float)>::type I;
    const V low = V{} - 87.0f, high = V{} + 88.0f;
    x = x < high ? x : high;
    x = x > low ? x : low;
    const V n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  // nearest integer
    V r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    V p = V{} + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    return p * as<V>((__builtin_convertvector(n, I) + 127) << 23);
}

void silu(float* x, float* slope, std::int64_t length) {
    typedef typename LanesOf<8>::type V;
    for (std::int64_t i = 0; i < length; i += 8) {
        const V value = load<V>(x + i), below = 1.0f + exponential<V>(-value), result = value / below;
        store<V>(x + i, result);
        if (slope != nullptr) store<V>(slope + i, (1.0f + value - result) / below);
    }
}
