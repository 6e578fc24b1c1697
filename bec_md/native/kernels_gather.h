// Sum over the neighbors of one atom, with its rates of change; part of kernels_body.h.

// What one lane of rates adds to the geometry.
struct RateArrays {
    float* harmonics;  // [component][edge] rates of change
    float* weights;    // [3][edge] of the spline's rate of change
    int lane;          // of messages and results, ≥ 1
};

template <int LMAX>
void prepare_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays& rates) {
    typedef typename LanesOf<BEC_LANES>::type V;
    const int n = call.edges.n_edges, tangents = call.edges.message_lanes - 1, tangent = rates.lane - 1;
    const long stride = edges.stride;
    float* const v = rates.weights;  // velocities until the weights replace them
    for (int e = 0; e < n; ++e)
        for (int c = 0; c < 3; ++c)
            v[c * stride + e] = call.velocities[(static_cast<long>(call.edges.sender[e]) * tangents + tangent) * 3 + c] -
                                call.own_velocity[tangent * 3 + c];
    for (int c = 0; c < 3; ++c)
        for (long e = n; e < stride; ++e) v[c * stride + e] = 0.0f;
    for (long e = 0; e < stride; e += BEC_LANES) {
        const V x = load<V>(edges.unit + e), y = load<V>(edges.unit + stride + e), z = load<V>(edges.unit + 2 * stride + e);
        const V vx = load<V>(v + e), vy = load<V>(v + stride + e), vz = load<V>(v + 2 * stride + e);
        const V speed = x * vx + y * vy + z * vz, inverse = load<V>(edges.inverse + e);
        harmonic_rates<LMAX, V>(edges, e, inverse * (vx - speed * x), inverse * (vy - speed * y),
                                inverse * (vz - speed * z), rates.harmonics);
        for (int w = 0; w < 3; ++w) store<V>(rates.weights + w * stride + e, speed * load<V>(edges.slopes + w * stride + e));
    }
}

// Channels `at` … `at` + N·L of A_lm = Σ_j R_l(r) h_j Y_lm.
template <typename V, int N, int LMAX, bool FIRST>
void gather_scalars(const GatherCall& call, const EdgeArrays& edges, int at) {
    constexpr int L = sizeof(V) / sizeof(float);
    constexpr int M = (LMAX + 1) * (LMAX + 1);
    const EdgeCall& from = call.edges;
    V sum[M][N] = {};
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + at;
        V h[N];
        if (!FIRST) {
            const float* message = from.messages + from.sender[e] * from.message_width + at;
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) h[n] = load<V>(message + n * L);
        }
#pragma GCC unroll 4
        for (int l = 0; l <= LMAX; ++l) {
            V radial[N];
            radial_values<V, N>(radial, edges, e, knot + l * from.channels, from.table_width);
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
        for (int n = 0; n < N; ++n) store<V>(call.out + m * call.stride + at + n * L, sum[m][n]);
}

// The same with one lane of rates: A' = Σ_j (R' h + R h') Y + R h Y'. VALUES: A itself, too.
template <typename V, int LMAX, bool FIRST, bool VALUES>
void gather_scalar_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays& rates, int at) {
    constexpr int M = (LMAX + 1) * (LMAX + 1);
    const EdgeCall& from = call.edges;
    V sum[M] = {}, rate[M] = {};
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + at;
        const float* message = FIRST ? nullptr
                                     : from.messages + from.sender[e] * from.message_lanes * from.message_width + at;
#pragma GCC unroll 4
        for (int l = 0; l <= LMAX; ++l) {
            const float* own = knot + l * from.channels;
            V radial = radial_value<V>(edges, e, own, from.table_width);
            V slope = radial_slope<V>(rates.weights, edges.stride, e, own, from.table_width);
            if (!FIRST) {
                const V h = load<V>(message);
                slope = slope * h + radial * load<V>(message + rates.lane * from.message_width);
                radial *= h;
            }
            if (l == 0) {
                if (VALUES) sum[0] += radial;
                rate[0] += slope;
            } else {
#pragma GCC unroll 8
                for (int m = l * l; m < (l + 1) * (l + 1); ++m) {
                    const float y = edges.harmonics[m * edges.stride + e];
                    if (VALUES) sum[m] += y * radial;
                    rate[m] += y * slope;
                    rate[m] += rates.harmonics[m * edges.stride + e] * radial;
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        if (VALUES) store<V>(call.out + m * call.stride + at, sum[m]);
        store<V>(call.out + m * call.stride + rates.lane * call.lane_stride + at, rate[m]);
    }
}

// Channels `at` … of T_lm = Σ_j R'_l(r) t_j,lm for 1o, 1e, 2e.
template <typename V>
void gather_tensors(const GatherCall& call, const EdgeArrays& edges, int at) {
    const EdgeCall& from = call.edges;
    V sum[11] = {};
    const int start = (from.l_max + 1) * from.channels + at;
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + start;
        const float* message = from.messages + from.sender[e] * from.message_width + from.channels + at;
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const V radial = radial_value<V>(edges, e, knot + i * from.sent_channels, from.table_width);
#pragma GCC unroll 8
            for (int m = first_sent_row[i]; m < first_sent_row[i + 1]; ++m)
                sum[m] += radial * load<V>(message + m * from.sent_channels);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < 11; ++m) store<V>(call.out_sent + m * call.sent_stride + at, sum[m]);
}

template <typename V, bool VALUES>
void gather_tensor_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays& rates, int at) {
    const EdgeCall& from = call.edges;
    V sum[11] = {}, rate[11] = {};
    const int start = (from.l_max + 1) * from.channels + at;
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + start;
        const float* message =
            from.messages + from.sender[e] * from.message_lanes * from.message_width + from.channels + at;
        const float* change = message + rates.lane * from.message_width;
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const float* own = knot + i * from.sent_channels;
            const V radial = radial_value<V>(edges, e, own, from.table_width);
            const V slope = radial_slope<V>(rates.weights, edges.stride, e, own, from.table_width);
#pragma GCC unroll 8
            for (int m = first_sent_row[i]; m < first_sent_row[i + 1]; ++m) {
                const V t = load<V>(message + m * from.sent_channels);
                if (VALUES) sum[m] += radial * t;
                rate[m] += slope * t;
                rate[m] += radial * load<V>(change + m * from.sent_channels);
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < 11; ++m) {
        if (VALUES) store<V>(call.out_sent + m * call.sent_stride + at, sum[m]);
        store<V>(call.out_sent + m * call.sent_stride + rates.lane * call.sent_lane_stride + at, rate[m]);
    }
}

template <int LMAX, bool FIRST>
void gather_layer(const GatherCall& call, const EdgeArrays& edges) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    constexpr int N = (BEC_LANES == 16 && LMAX == 2) ? 2 : 1;
    const int channels = call.edges.channels, sent_channels = call.edges.sent_channels;
    int at = 0;
    for (; at + N * BEC_LANES <= channels; at += N * BEC_LANES) gather_scalars<Wide, N, LMAX, FIRST>(call, edges, at);
    for (; at + BEC_LANES <= channels; at += BEC_LANES) gather_scalars<Wide, 1, LMAX, FIRST>(call, edges, at);
    for (; at < channels; at += 8) gather_scalars<Narrow, 1, LMAX, FIRST>(call, edges, at);
    if (FIRST) return;
    at = 0;
    for (; at + BEC_LANES <= sent_channels; at += BEC_LANES) gather_tensors<Wide>(call, edges, at);
    for (; at < sent_channels; at += 8) gather_tensors<Narrow>(call, edges, at);
}

template <int LMAX, bool FIRST, bool VALUES>
void gather_layer_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays& rates) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    const int channels = call.edges.channels, sent_channels = call.edges.sent_channels;
    int at = 0;
    for (; at + BEC_LANES <= channels; at += BEC_LANES)
        gather_scalar_rates<Wide, LMAX, FIRST, VALUES>(call, edges, rates, at);
    for (; at < channels; at += 8) gather_scalar_rates<Narrow, LMAX, FIRST, VALUES>(call, edges, rates, at);
    if (FIRST) return;
    at = 0;
    for (; at + BEC_LANES <= sent_channels; at += BEC_LANES) gather_tensor_rates<Wide, VALUES>(call, edges, rates, at);
    for (; at < sent_channels; at += 8) gather_tensor_rates<Narrow, VALUES>(call, edges, rates, at);
}

template <int LMAX, bool FIRST>
void gather_all(const GatherCall& call) {
    constexpr int components = (LMAX + 1) * (LMAX + 1);
    const EdgeArrays edges(call.edges, components);
    if (call.edges.message_lanes == 1) {
        prepare_edges<LMAX, false>(call.edges, edges);
        gather_layer<LMAX, FIRST>(call, edges);
        return;
    }
    prepare_edges<LMAX, true>(call.edges, edges);
    for (int lane = 1; lane < call.edges.message_lanes; ++lane) {
        const RateArrays rates{edges.rest, edges.rest + components * edges.stride, lane};
        prepare_rates<LMAX>(call, edges, rates);
        if (lane == 1) gather_layer_rates<LMAX, FIRST, true>(call, edges, rates);
        else gather_layer_rates<LMAX, FIRST, false>(call, edges, rates);
    }
}

void gather(const GatherCall& call) {
    const bool first = call.edges.messages == nullptr;
    if (call.edges.l_max == 2) first ? gather_all<2, true>(call) : gather_all<2, false>(call);
    else first ? gather_all<3, true>(call) : gather_all<3, false>(call);
}
