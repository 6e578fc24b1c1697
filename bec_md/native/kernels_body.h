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

// Scratch arrays of one atom's edges: harmonics, weights of the Hermite spline, place in the table.
struct EdgeArrays {
    long stride;
    float* harmonics;      // [component][edge]
    float* weights;        // [4][edge]
    std::int64_t* offset;  // [edge]
};

BEC_INLINE float inverse_square_root(float x) {
    union { float f; std::uint32_t i; } bits = {x};
    bits.i = 0x5f375a86u - (bits.i >> 1);
    float y = bits.f;
    const float half = 0.5f * x;
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    y += 0.5f * y * (1.0f - x * y * y);
    return y;
}

// Real spherical harmonics as in e3nn (order of the axes: y is polar), Σ_m Y² = 2l + 1.
template <int LMAX>
BEC_INLINE void harmonics_of(float x, float y, float z, float* out, long stride) {
    constexpr float s3 = 1.7320508075688772f, s5 = 2.23606797749979f, s15 = 3.872983346207417f;
    out[0] = 1.0f;
    out[1 * stride] = s3 * x;
    out[2 * stride] = s3 * y;
    out[3 * stride] = s3 * z;
    const float x2z2 = x * x + z * z;
    out[4 * stride] = s15 * x * z;
    out[5 * stride] = s15 * x * y;
    out[6 * stride] = s5 * (y * y - 0.5f * x2z2);
    out[7 * stride] = s15 * y * z;
    const float difference = z * z - x * x;
    out[8 * stride] = 0.5f * s15 * difference;
    if (LMAX == 3) {
        constexpr float s7 = 2.6457513110645907f, s42 = 6.48074069840786f, s70 = 8.366600265340756f,
                        s105 = 10.246950765959598f;
        const float four = 4.0f * y * y - x2z2;
        out[9 * stride] = 0.25f * s70 * x * (3.0f * z * z - x * x);
        out[10 * stride] = s105 * x * y * z;
        out[11 * stride] = 0.25f * s42 * x * four;
        out[12 * stride] = 0.5f * s7 * y * (2.0f * y * y - 3.0f * x2z2);
        out[13 * stride] = 0.25f * s42 * z * four;
        out[14 * stride] = 0.5f * s105 * y * difference;
        out[15 * stride] = 0.25f * s70 * z * (z * z - 3.0f * x * x);
    }
}

template <int LMAX>
void prepare_edges(const GatherCall& call, const EdgeArrays& edges) {
    const int n = call.n_edges;
    const int n_padded = (n + edge_pad - 1) / edge_pad * edge_pad;
    const long stride = edges.stride;
    // components 1, 2, 3 hold the vectors until the harmonics replace them
    float* bx = edges.harmonics + 1 * stride;
    float* by = edges.harmonics + 2 * stride;
    float* bz = edges.harmonics + 3 * stride;
    for (int e = 0; e < n; ++e) {
        bx[e] = call.vectors[3 * e];
        by[e] = call.vectors[3 * e + 1];
        bz[e] = call.vectors[3 * e + 2];
    }
    for (int e = n; e < n_padded; ++e) {
        bx[e] = call.cutoff;
        by[e] = 0.0f;
        bz[e] = 0.0f;
    }
    const float scale = call.inverse_step;
    const float last = static_cast<float>(call.intervals - 1);
    float* weights = edges.weights;
    float* harmonics = edges.harmonics;
    float* place = edges.harmonics;  // component 0 is never read: the place in the table passes through it
#pragma GCC ivdep
    for (int e = 0; e < n_padded; ++e) {
        const float x = bx[e], y = by[e], z = bz[e];
        const float square = x * x + y * y + z * z + 1e-20f;
        const float inverse = inverse_square_root(square);
        const float u = square * inverse * scale;
        float interval = static_cast<float>(static_cast<std::int32_t>(u < last ? u : last));
        float t = u - interval;
        t = t < 1.0f ? t : 1.0f;
        const float rest = 1.0f - t;
        weights[e] = (1.0f + 2.0f * t) * rest * rest;
        weights[stride + e] = t * rest * rest;
        weights[2 * stride + e] = t * t * (3.0f - 2.0f * t);
        weights[3 * stride + e] = -t * t * rest;
        harmonics_of<LMAX>(x * inverse, y * inverse, z * inverse, harmonics + e, stride);
        place[e] = interval;
    }
    for (int e = 0; e < n; ++e)
        edges.offset[e] = call.pair_offset[call.species[call.sender[e]]] +
                          static_cast<std::int64_t>(place[e]) * (2 * call.table_width);
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
        const float* knot = call.table + edges.offset[e] + at;
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
        const float* knot = call.table + edges.offset[e] + start;
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
    const EdgeArrays edges{stride, call.scratch, weights, reinterpret_cast<std::int64_t*>(weights + 4 * stride)};
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
BEC_INLINE float exponential(float x) {
    x = x < 88.0f ? x : 88.0f;
    x = x > -87.0f ? x : -87.0f;
    const float shifted = x * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    union { std::int32_t i; float f; } power = {(static_cast<std::int32_t>(n) + 127) << 23};
    return p * power.f;
}

void silu(float* x, std::int64_t length) {
    for (std::int64_t i = 0; i < length; ++i) x[i] = x[i] / (1.0f + exponential(-x[i]));
}

#define BEC_TEXT2(name) #name
#define BEC_TEXT(name) BEC_TEXT2(name)

}  // namespace

const Kernels& table() {
    static const Kernels kernels{BEC_TEXT(BEC_SET), multiply, couple, gather, add_squares, silu};
    return kernels;
}

}  // namespace BEC_SET
}  // namespace bec
