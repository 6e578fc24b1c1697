// The kernels; included by kernels_<instruction set>.cpp, which define BEC_SET (namespace), BEC_LANES (floats
// in a register), BEC_ROWS (rows of a register tile) and BEC_WIDE (registers per row of a tile) after setting
// the target. Templates of the standard library stay out: their instances would be shared between sets.

namespace bec {
namespace BEC_SET {
namespace {

#define BEC_INLINE inline __attribute__((always_inline))

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

// --- C (+)= A W -------------------------------------------------------------------------------------------

template <typename V, int R, int N, int STRIDE>
BEC_INLINE void multiply_segment(V (&sum)[R][N], const float* a, int width, long stride, const float*& w,
                                 int panel) {
    constexpr int L = sizeof(V) / sizeof(float);
    const long step = STRIDE > 0 ? STRIDE : stride;
    for (int k = 0; k < width; ++k) {
        V weight[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) weight[n] = load<V>(w + n * L);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const float x = a[r * step];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[r][n] += x * weight[n];
        }
        ++a;
        w += panel;
    }
}

struct Tile {
    const Segment* segments;
    int n_segments;
    int panel;
    int c_stride;
    bool accumulate;
};

template <typename V, int R, int N>
void multiply_tile(const Tile& tile, int row, const float* w, float* c, const float* row_scale) {
    constexpr int L = sizeof(V) / sizeof(float);
    V sum[R][N] = {};
    for (int s = 0; s < tile.n_segments; ++s) {
        const Segment& part = tile.segments[s];
        const float* a = part.data + static_cast<long>(row) * part.stride;
        if (part.stride == 32) multiply_segment<V, R, N, 32>(sum, a, part.width, 32, w, tile.panel);
        else multiply_segment<V, R, N, 0>(sum, a, part.width, part.stride, w, tile.panel);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        const float scale = row_scale != nullptr ? row_scale[row + r] : 1.0f;
        float* target = c + static_cast<long>(row + r) * tile.c_stride;
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            V value = scale * sum[r][n];
            if (tile.accumulate) value += load<V>(target + n * L);
            store<V>(target + n * L, value);
        }
    }
}

template <typename V, int N>
void multiply_columns(const Tile& tile, int rows, const float* w, float* c, const float* row_scale) {
    int row = 0;
    for (; row + BEC_ROWS <= rows; row += BEC_ROWS) multiply_tile<V, BEC_ROWS, N>(tile, row, w, c, row_scale);
    if (BEC_ROWS > 6 && row + 6 <= rows) {
        multiply_tile<V, 6, N>(tile, row, w, c, row_scale);
        row += 6;
    }
    for (; row + 3 <= rows; row += 3) multiply_tile<V, 3, N>(tile, row, w, c, row_scale);
    for (; row < rows; ++row) multiply_tile<V, 1, N>(tile, row, w, c, row_scale);
}

void multiply(const Segment* segments, int n_segments, int rows, const float* packed, int outputs, float* c,
              int c_stride, const float* row_scale, bool accumulate) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    int inputs = 0;
    for (int s = 0; s < n_segments; ++s) inputs += segments[s].width;
    Tile tile{segments, n_segments, 0, c_stride, accumulate};
    for (int column = 0; column < outputs; column += tile.panel) {
        tile.panel = panel_width(outputs - column);
        int at = 0;
        for (; at + BEC_WIDE * BEC_LANES <= tile.panel; at += BEC_WIDE * BEC_LANES)
            multiply_columns<Wide, BEC_WIDE>(tile, rows, packed + at, c + column + at, row_scale);
        for (; at + BEC_LANES <= tile.panel; at += BEC_LANES)
            multiply_columns<Wide, 1>(tile, rows, packed + at, c + column + at, row_scale);
        for (; at < tile.panel; at += 8)
            multiply_columns<Narrow, 1>(tile, rows, packed + at, c + column + at, row_scale);
        packed += static_cast<long>(inputs) * tile.panel;
    }
}

// The same for the radial tables: 4 rows, two registers of columns.
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
    int row = 0;
    for (; row + 4 <= rows; row += 4)
        multiply_double_rows<4>(a + static_cast<long>(row) * a_stride, a_stride, inputs, w, outputs,
                                c + static_cast<long>(row) * outputs);
    for (; row < rows; ++row)
        multiply_double_rows<1>(a + static_cast<long>(row) * a_stride, a_stride, inputs, w, outputs,
                                c + static_cast<long>(row) * outputs);
}

// --- Clebsch–Gordan products ------------------------------------------------------------------------------

template <typename V, int N>
BEC_INLINE void couple_chunk(const CouplingEntry* entry, const std::int32_t* ends, int rows, std::int64_t length,
                             const float* u, const float* v, float* out) {
    constexpr int L = sizeof(V) / sizeof(float);
    const CouplingEntry* const first = entry;
    for (int row = 0; row < rows; ++row, out += length) {
        V sum[N] = {};
        for (const CouplingEntry* const end = first + ends[row]; entry != end; ++entry) {
            const float* x = u + entry->u * length;
            const float* y = v + entry->v * length;
            const float value = entry->value;
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[n] += value * (load<V>(x + n * L) * load<V>(y + n * L));
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) store<V>(out + n * L, sum[n]);
    }
}

void couple(const CouplingEntry* entries, const std::int32_t* ends, int rows, std::int64_t length, const float* u,
            const float* v, float* out) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    std::int64_t at = 0;
    for (; at + 8 * BEC_LANES <= length; at += 8 * BEC_LANES)
        couple_chunk<Wide, 8>(entries, ends, rows, length, u + at, v + at, out + at);
    for (; at + 2 * BEC_LANES <= length; at += 2 * BEC_LANES)
        couple_chunk<Wide, 2>(entries, ends, rows, length, u + at, v + at, out + at);
    for (; at < length; at += 8)
        couple_chunk<Narrow, 1>(entries, ends, rows, length, u + at, v + at, out + at);
}

// --- sum over neighbors -----------------------------------------------------------------------------------

// Scratch arrays of one atom's edges.
struct EdgeArrays {
    long stride;
    float* harmonics;      // [component][edge]
    float* weights;        // [4][edge] of the Hermite spline
    const float** knot;    // [edge] place in the table
};

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

// Real spherical harmonics as in e3nn (order of the axes: y is polar), Σ_m Y² = 2l + 1.
template <int LMAX, typename V>
BEC_INLINE void harmonics_of(V x, V y, V z, float* out, long stride) {
    constexpr float s3 = 1.7320508075688772f, s5 = 2.23606797749979f, s15 = 3.872983346207417f;
    const V x2z2 = x * x + z * z, difference = z * z - x * x;
    store<V>(out + 1 * stride, s3 * x);  // component 0 is one
    store<V>(out + 2 * stride, s3 * y);
    store<V>(out + 3 * stride, s3 * z);
    store<V>(out + 4 * stride, s15 * x * z);
    store<V>(out + 5 * stride, s15 * x * y);
    store<V>(out + 6 * stride, s5 * (y * y - 0.5f * x2z2));
    store<V>(out + 7 * stride, s15 * y * z);
    store<V>(out + 8 * stride, 0.5f * s15 * difference);
    if (LMAX == 3) {
        constexpr float s7 = 2.6457513110645907f, s42 = 6.48074069840786f, s70 = 8.366600265340756f,
                        s105 = 10.246950765959598f;
        const V four = 4.0f * y * y - x2z2;
        store<V>(out + 9 * stride, 0.25f * s70 * x * (3.0f * z * z - x * x));
        store<V>(out + 10 * stride, s105 * x * y * z);
        store<V>(out + 11 * stride, 0.25f * s42 * x * four);
        store<V>(out + 12 * stride, 0.5f * s7 * y * (2.0f * y * y - 3.0f * x2z2));
        store<V>(out + 13 * stride, 0.25f * s42 * z * four);
        store<V>(out + 14 * stride, 0.5f * s105 * y * difference);
        store<V>(out + 15 * stride, 0.25f * s70 * z * (z * z - 3.0f * x * x));
    }
}

template <int LMAX>
void prepare_edges(const GatherCall& call, const EdgeArrays& edges) {
    typedef typename LanesOf<BEC_LANES>::type V;
    typedef typename IntegersOf<BEC_LANES>::type I;
    const int n = call.n_edges;
    const long stride = edges.stride;
    // components 1, 2, 3 hold the vectors until the harmonics replace them, component 0 the place in the table
    float* const xs = edges.harmonics + 1 * stride;
    float* const ys = edges.harmonics + 2 * stride;
    float* const zs = edges.harmonics + 3 * stride;
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
    const V last = V{} + static_cast<float>(call.intervals - 1);
    const V one = V{} + 1.0f;
    for (long e = 0; e < stride; e += BEC_LANES) {
        const V x = load<V>(xs + e), y = load<V>(ys + e), z = load<V>(zs + e);
        const V square = x * x + y * y + z * z + 1e-20f;
        const V inverse = inverse_square_root<V>(square);
        const V u = square * inverse * call.inverse_step;
        const I interval = __builtin_convertvector(u < last ? u : last, I);
        V t = u - __builtin_convertvector(interval, V);
        t = t < one ? t : one;  // beyond the cutoff: the last knot, where all is zero
        const V rest = 1.0f - t;
        store<V>(edges.weights + e, (1.0f + 2.0f * t) * rest * rest);
        store<V>(edges.weights + stride + e, t * rest * rest);
        store<V>(edges.weights + 2 * stride + e, t * t * (3.0f - 2.0f * t));
        store<V>(edges.weights + 3 * stride + e, -t * t * rest);
        store<V>(edges.harmonics + e, as<V>(interval));
        harmonics_of<LMAX, V>(x * inverse, y * inverse, z * inverse, edges.harmonics + e, stride);
    }
    for (int e = 0; e < n; ++e) {
        std::int32_t interval;
        __builtin_memcpy(&interval, edges.harmonics + e, sizeof(interval));
        edges.knot[e] = call.tables[call.species[call.sender[e]]] + static_cast<long>(interval) * (2 * call.table_width);
    }
}

template <typename V, int N>
BEC_INLINE void radial_values(V (&value)[N], const EdgeArrays& edges, int e, const float* knot, int width) {
    constexpr int L = sizeof(V) / sizeof(float);
    const float w0 = edges.weights[e], w1 = edges.weights[edges.stride + e];
    const float w2 = edges.weights[2 * edges.stride + e], w3 = edges.weights[3 * edges.stride + e];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
        const float* p = knot + n * L;
        value[n] = w0 * load<V>(p) + w1 * load<V>(p + width) + w2 * load<V>(p + 2 * width) + w3 * load<V>(p + 3 * width);
    }
}

// Channels `at` … `at` + N·L of A_lm = Σ_j R_l(r) h_j Y_lm.
template <typename V, int N, int LMAX, bool FIRST>
void gather_scalars(const GatherCall& call, const EdgeArrays& edges, int at) {
    constexpr int L = sizeof(V) / sizeof(float);
    constexpr int M = (LMAX + 1) * (LMAX + 1);
    V sum[M][N] = {};
    for (int e = 0; e < call.n_edges; ++e) {
        const float* knot = edges.knot[e] + at;
        V h[N];
        if (!FIRST) {
            const float* message = call.messages + call.sender[e] * call.message_width + at;
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) h[n] = load<V>(message + n * L);
        }
#pragma GCC unroll 4
        for (int l = 0; l <= LMAX; ++l) {
            V radial[N];
            radial_values<V, N>(radial, edges, e, knot + l * call.channels, call.table_width);
            if (!FIRST) {
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) radial[n] *= h[n];
            }
            if (l == 0) {
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) sum[0][n] += radial[n];
            } else {
#pragma GCC unroll 8
                for (int m = l * l; m < (l + 1) * (l + 1); ++m) {
                    const float y = edges.harmonics[m * edges.stride + e];
#pragma GCC unroll 4
                    for (int n = 0; n < N; ++n) sum[m][n] += y * radial[n];
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) store<V>(call.out + m * call.out_stride + at + n * L, sum[m][n]);
}

// Channels `at` … of T_lm = Σ_j R'_l(r) t_j,lm for 1o, 1e, 2e.
template <typename V>
void gather_tensors(const GatherCall& call, const EdgeArrays& edges, int at) {
    constexpr int first_row[4] = {0, 3, 6, 11};
    V sum[11] = {};
    const int start = (call.l_max + 1) * call.channels + at;
    for (int e = 0; e < call.n_edges; ++e) {
        const float* knot = edges.knot[e] + start;
        const float* message = call.messages + call.sender[e] * call.message_width + call.channels + at;
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            V radial[1];
            radial_values<V, 1>(radial, edges, e, knot + i * call.sent_channels, call.table_width);
#pragma GCC unroll 8
            for (int m = first_row[i]; m < first_row[i + 1]; ++m)
                sum[m] += radial[0] * load<V>(message + m * call.sent_channels);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < 11; ++m) store<V>(call.out_sent + m * call.out_sent_stride + at, sum[m]);
}

template <int LMAX, bool FIRST>
void gather_layer(const GatherCall& call, const EdgeArrays& edges) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    constexpr int N = (BEC_LANES == 16 && LMAX == 2) ? 2 : 1;
    int at = 0;
    for (; at + N * BEC_LANES <= call.channels; at += N * BEC_LANES)
        gather_scalars<Wide, N, LMAX, FIRST>(call, edges, at);
    for (; at + BEC_LANES <= call.channels; at += BEC_LANES)
        gather_scalars<Wide, 1, LMAX, FIRST>(call, edges, at);
    for (; at < call.channels; at += 8) gather_scalars<Narrow, 1, LMAX, FIRST>(call, edges, at);
    if (!FIRST) {
        at = 0;
        for (; at + BEC_LANES <= call.sent_channels; at += BEC_LANES) gather_tensors<Wide>(call, edges, at);
        for (; at < call.sent_channels; at += 8) gather_tensors<Narrow>(call, edges, at);
    }
}

void gather(const GatherCall& call) {
    const long stride = (call.n_edges + edge_pad - 1) / edge_pad * edge_pad;
    const int components = (call.l_max + 1) * (call.l_max + 1);
    float* weights = call.scratch + components * stride;
    const EdgeArrays edges{stride, call.scratch, weights, reinterpret_cast<const float**>(weights + 4 * stride)};
    const bool first = call.messages == nullptr;
    if (call.l_max == 2) {
        prepare_edges<2>(call, edges);
        if (first) gather_layer<2, true>(call, edges);
        else gather_layer<2, false>(call, edges);
    } else {
        prepare_edges<3>(call, edges);
        if (first) gather_layer<3, true>(call, edges);
        else gather_layer<3, false>(call, edges);
    }
}

// --- element by element -----------------------------------------------------------------------------------

void add_squares(const float* x, int components, int atoms, int width, float* out) {
    typedef typename LanesOf<8>::type V;
    for (int atom = 0; atom < atoms; ++atom) {
        V sum = {};
        for (int m = 0; m < components; ++m) {
            const float* row = x + (static_cast<long>(m) * atoms + atom) * width;
            for (int k = 0; k < width; k += 8) {
                const V value = load<V>(row + k);
                sum += value * value;
            }
        }
        out[atom] += ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
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

void silu(float* x, std::int64_t length) {  // a multiple of 8
    typedef typename LanesOf<8>::type V;
    for (std::int64_t i = 0; i < length; i += 8) {
        const V value = load<V>(x + i);
        store<V>(x + i, value / (1.0f + exponential<V>(-value)));
    }
}

#define BEC_TEXT2(name) #name
#define BEC_TEXT(name) BEC_TEXT2(name)

}  // namespace

const Kernels& table() {
    static const Kernels kernels{BEC_TEXT(BEC_SET), multiply, couple, gather, add_squares,
                                 multiply_double, silu};
    return kernels;
}

}  // namespace BEC_SET
}  // namespace bec
