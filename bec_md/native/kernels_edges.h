// Geometry of the edges of one atom: harmonics and splines with their derivatives; part of kernels_body.h.

// Four Newton steps from a guess by its exponent: 1 ulp, and the same on every processor.
template <typename V>
BEC_INLINE V inverse_square_root(V x) {
    typedef typename IntegersOf<sizeof(V) / sizeof(float)>::type I;
    const V guess = as<V>(0x5f375a86 - (as<I>(x) >> 1));
    const V half = 0.5f * x;
    V y = guess * (1.5f - half * guess * guess);
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    y += 0.5f * y * (1.0f - x * y * y);
    return y;
}

// A number with its derivative along one direction.
template <typename V>
struct Dual {
    V value, rate;
};

template <typename V>
BEC_INLINE Dual<V> operator+(Dual<V> a, Dual<V> b) {
    return {a.value + b.value, a.rate + b.rate};
}
template <typename V>
BEC_INLINE Dual<V> operator-(Dual<V> a, Dual<V> b) {
    return {a.value - b.value, a.rate - b.rate};
}
template <typename V>
BEC_INLINE Dual<V> operator*(Dual<V> a, Dual<V> b) {
    return {a.value * b.value, a.rate * b.value + a.value * b.rate};
}
template <typename V>
BEC_INLINE Dual<V> operator*(float a, Dual<V> b) {
    return {a * b.value, a * b.rate};
}

// Real spherical harmonics as in e3nn (order of the axes: y is polar), Σ_m Y² = 2l + 1; component 0 is one.
template <int LMAX, typename T, typename Put>
BEC_INLINE void harmonics_of(T x, T y, T z, Put put) {
    constexpr float s3 = 1.7320508075688772f, s5 = 2.23606797749979f, s15 = 3.872983346207417f;
    const T x2z2 = x * x + z * z, difference = z * z - x * x;
    put(1, s3 * x);
    put(2, s3 * y);
    put(3, s3 * z);
    put(4, s15 * x * z);
    put(5, s15 * x * y);
    put(6, s5 * (y * y - 0.5f * x2z2));
    put(7, s15 * y * z);
    put(8, 0.5f * s15 * difference);
    if (LMAX == 3) {
        constexpr float s7 = 2.6457513110645907f, s42 = 6.48074069840786f, s70 = 8.366600265340756f,
                        s105 = 10.246950765959598f;
        const T four = 4.0f * y * y - x2z2;
        put(9, 0.25f * s70 * x * (3.0f * z * z - x * x));
        put(10, s105 * x * y * z);
        put(11, 0.25f * s42 * x * four);
        put(12, 0.5f * s7 * y * (2.0f * y * y - 3.0f * x2z2));
        put(13, 0.25f * s42 * z * four);
        put(14, 0.5f * s105 * y * difference);
        put(15, 0.25f * s70 * z * (z * z - 3.0f * x * x));
    }
}

// Arrays over the edges of one atom; each has `stride` places.
struct EdgeArrays {
    long stride;
    float* harmonics;    // [component][edge]
    float* weights;      // [4 or 6][edge] of the spline
    float* slopes;       // [5][edge] the same of its derivative by r
    float* unit;         // [3][edge] direction
    float* inverse;      // [edge] 1/r
    const float** knot;  // [edge] place in the table
    float* rest;         // for derivatives along directions

    EdgeArrays(const EdgeCall& call, int components)
        : stride((call.n_edges + edge_pad - 1) / edge_pad * edge_pad),
          harmonics(call.scratch),
          weights(harmonics + components * stride),
          slopes(weights + 6 * stride),
          unit(slopes + 5 * stride),
          inverse(unit + 3 * stride),
          knot(reinterpret_cast<const float**>(inverse + stride)),
          rest(inverse + 3 * stride) {}
};

template <int LMAX, bool SLOPES>
void prepare_edges(const EdgeCall& call, const EdgeArrays& edges) {
    typedef typename LanesOf<BEC_LANES>::type V;
    typedef typename IntegersOf<BEC_LANES>::type I;
    const int n = call.n_edges;
    const long stride = edges.stride;
    float* const xs = edges.unit;
    float* const ys = xs + stride;
    float* const zs = ys + stride;
    for (int e = 0; e < n; ++e) {
        xs[e] = call.vectors[3 * e];
        ys[e] = call.vectors[3 * e + 1];
        zs[e] = call.vectors[3 * e + 2];
    }
    for (long e = n; e < stride; ++e) {
        xs[e] = call.cutoff;
        ys[e] = 0.0f;
        zs[e] = 0.0f;
    }
    const long interval_floats = (call.polynomials ? 6L : 2L) * call.table_width;
    const V last = V{} + static_cast<float>(call.intervals - 1);
    const V one = V{} + 1.0f;
    for (long e = 0; e < stride; e += BEC_LANES) {
        const V square = load<V>(xs + e) * load<V>(xs + e) + load<V>(ys + e) * load<V>(ys + e) +
                         load<V>(zs + e) * load<V>(zs + e) + 1e-20f;
        const V inverse = inverse_square_root<V>(square);
        const V u = square * inverse * call.inverse_step;
        const I interval = __builtin_convertvector(u < last ? u : last, I);
        V t = u - __builtin_convertvector(interval, V);
        t = t < one ? t : one;  // beyond the cutoff: its end, where all is zero
        if (call.polynomials) {
            V power = one;
#pragma GCC unroll 6
            for (int w = 0; w < 6; ++w) {
                store<V>(edges.weights + w * stride + e, power);
                if (SLOPES && w < 5) store<V>(edges.slopes + w * stride + e, static_cast<float>(w + 1) * call.inverse_step * power);
                power *= t;
            }
        } else {
            const V rest = 1.0f - t;
            store<V>(edges.weights + e, (1.0f + 2.0f * t) * rest * rest);
            store<V>(edges.weights + stride + e, t * rest * rest);
            store<V>(edges.weights + 2 * stride + e, t * t * (3.0f - 2.0f * t));
            store<V>(edges.weights + 3 * stride + e, -t * t * rest);
        }
        if (SLOPES) store<V>(edges.inverse + e, inverse);
        const V x = load<V>(xs + e) * inverse, y = load<V>(ys + e) * inverse, z = load<V>(zs + e) * inverse;
        store<V>(xs + e, x);
        store<V>(ys + e, y);
        store<V>(zs + e, z);
        harmonics_of<LMAX>(x, y, z, [&](int m, V value) BEC_LAMBDA { store<V>(edges.harmonics + m * stride + e, value); });
        store<V>(edges.harmonics + e, as<V>(interval));
    }
    for (int e = 0; e < n; ++e) {
        std::int32_t interval;
        __builtin_memcpy(&interval, edges.harmonics + e, sizeof(interval));
        edges.knot[e] = call.tables[call.species[call.sender[e]]] + interval * interval_floats;
    }
}

// Harmonics along a direction in which the unit vector changes by (dx, dy, dz), for BEC_LANES edges from e.
template <int LMAX, typename V>
BEC_INLINE void harmonic_rates(const EdgeArrays& edges, long e, V dx, V dy, V dz, float* out) {
    const Dual<V> x{load<V>(edges.unit + e), dx}, y{load<V>(edges.unit + edges.stride + e), dy},
        z{load<V>(edges.unit + 2 * edges.stride + e), dz};
    harmonics_of<LMAX>(x, y, z, [&](int m, Dual<V> value) BEC_LAMBDA { store<V>(out + m * edges.stride + e, value.rate); });
}

// N registers of a radial function: Σ of W rows of its table, four of a spline or six of a polynomial.
template <int W, typename V, int N>
BEC_INLINE void radial_values(V (&value)[N], const EdgeArrays& edges, int e, const float* knot, int width) {
    constexpr int L = sizeof(V) / sizeof(float);
#pragma GCC unroll 6
    for (int w = 0; w < W; ++w) {
        const float weight = edges.weights[w * edges.stride + e];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            const V row = load<V>(knot + w * width + n * L);
            value[n] = w == 0 ? weight * row : value[n] + weight * row;
        }
    }
}

template <int W, typename V>
BEC_INLINE V radial_value(const EdgeArrays& edges, int e, const float* knot, int width) {
    V value[1];
    radial_values<W, V, 1>(value, edges, e, knot, width);
    return value[0];
}

// The derivative of a polynomial: differences of values at knots would be too inaccurate.
template <typename V>
BEC_INLINE V radial_slope(const EdgeArrays& edges, int e, const float* knot, int width) {
    V slope = edges.slopes[e] * load<V>(knot + width);
#pragma GCC unroll 4
    for (int w = 1; w < 5; ++w) slope += edges.slopes[w * edges.stride + e] * load<V>(knot + (w + 1) * width);
    return slope;
}

// First row of each irrep that neighbors send: 1o, 1e, 2e.
constexpr int first_sent_row[4] = {0, 3, 6, 11};
