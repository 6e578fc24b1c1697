// Sum over the neighbors of one atom, with its rates of change; part of kernels_body.h.

// What T lanes of rates add to the geometry.
template <int T>
struct RateArrays {
    float* harmonics[T];  // [component][edge] rates of change
    float* speed[T];      // [edge] of the length
    int lane;             // of messages and results, ≥ 1: the first of them
};

// `lane` of the velocities; `work` has room for three arrays, of which the first becomes the speeds.
template <int LMAX>
void prepare_rates(const GatherCall& call, const EdgeArrays& edges, int lane, float* harmonics, float* work) {
    typedef typename LanesOf<BEC_LANES>::type V;
    const int n = call.edges.n_edges, tangents = call.edges.message_lanes - 1, tangent = lane - 1;
    const long stride = edges.stride;
    for (int e = 0; e < n; ++e)
        for (int c = 0; c < 3; ++c)
            work[c * stride + e] = call.velocities[(static_cast<long>(call.edges.sender[e]) * tangents + tangent) * 3 + c] -
                                   call.own_velocity[tangent * 3 + c];
    for (int c = 0; c < 3; ++c)
        for (long e = n; e < stride; ++e) work[c * stride + e] = 0.0f;
    for (long e = 0; e < stride; e += BEC_LANES) {
        const V x = load<V>(edges.unit + e), y = load<V>(edges.unit + stride + e), z = load<V>(edges.unit + 2 * stride + e);
        const V vx = load<V>(work + e), vy = load<V>(work + stride + e), vz = load<V>(work + 2 * stride + e);
        const V speed = x * vx + y * vy + z * vz, inverse = load<V>(edges.inverse + e);
        harmonic_rates<LMAX, V>(edges, e, inverse * (vx - speed * x), inverse * (vy - speed * y),
                                inverse * (vz - speed * z), harmonics);
        store<V>(work + e, speed);
    }
}

// Channels `at` … `at` + N·L of A_lm = Σ_j R_l(r) h_j Y_lm.
template <typename V, int N, int LMAX, bool FIRST, int W>
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
            radial_values<W, V, N>(radial, edges, e, knot + l * from.channels, from.table_width);
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

// The same with T lanes of rates: A' = Σ_j (R' h + R h') Y + R h Y'. VALUES: A itself, too.
template <typename V, int LMAX, bool FIRST, bool VALUES, int T>
void gather_scalar_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays<T>& rates, int at) {
    constexpr int M = (LMAX + 1) * (LMAX + 1);
    const EdgeCall& from = call.edges;
    V sum[M] = {}, rate[T][M] = {};
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + at;
        const float* message = FIRST ? nullptr
                                     : from.messages + from.sender[e] * from.message_lanes * from.message_width + at;
#pragma GCC unroll 4
        for (int l = 0; l <= LMAX; ++l) {
            const float* own = knot + l * from.channels;
            V radial = radial_value<6, V>(edges, e, own, from.table_width);
            V slope = radial_slope<V>(edges, e, own, from.table_width);
            V change[T];
            if (!FIRST) slope *= load<V>(message);
#pragma GCC unroll 2
            for (int t = 0; t < T; ++t) {
                change[t] = rates.speed[t][e] * slope;
                if (!FIRST) change[t] += radial * load<V>(message + (rates.lane + t) * from.message_width);
            }
            if (!FIRST) radial *= load<V>(message);
#pragma GCC unroll 8
            for (int m = l * l; m < (l + 1) * (l + 1); ++m) {
                const float y = l == 0 ? 1.0f : edges.harmonics[m * edges.stride + e];
                if (VALUES) sum[m] += y * radial;
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) {
                    rate[t][m] += y * change[t];
                    if (l > 0) rate[t][m] += rates.harmonics[t][m * edges.stride + e] * radial;
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        if (VALUES) store<V>(call.out + m * call.stride + at, sum[m]);
#pragma GCC unroll 2
        for (int t = 0; t < T; ++t)
            store<V>(call.out + m * call.stride + (rates.lane + t) * call.lane_stride + at, rate[t][m]);
    }
}

// Channels `at` … of T_lm = Σ_j R'_l(r) t_j,lm for 1o, 1e, 2e.
template <typename V, int W>
void gather_tensors(const GatherCall& call, const EdgeArrays& edges, int at) {
    const EdgeCall& from = call.edges;
    V sum[11] = {};
    const int start = (from.l_max + 1) * from.channels + at;
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + start;
        const float* message = from.messages + from.sender[e] * from.message_width + from.channels + at;
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const V radial = radial_value<W, V>(edges, e, knot + i * from.sent_channels, from.table_width);
#pragma GCC unroll 8
            for (int m = first_sent_row[i]; m < first_sent_row[i + 1]; ++m)
                sum[m] += radial * load<V>(message + m * from.sent_channels);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < 11; ++m) store<V>(call.out_sent + m * call.sent_stride + at, sum[m]);
}

template <typename V, bool VALUES, int T>
void gather_tensor_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays<T>& rates, int at) {
    const EdgeCall& from = call.edges;
    V sum[11] = {}, rate[T][11] = {};
    const int start = (from.l_max + 1) * from.channels + at;
    for (int e = 0; e < from.n_edges; ++e) {
        const float* knot = edges.knot[e] + start;
        const float* message =
            from.messages + from.sender[e] * from.message_lanes * from.message_width + from.channels + at;
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const float* own = knot + i * from.sent_channels;
            const V radial = radial_value<6, V>(edges, e, own, from.table_width);
            const V slope = radial_slope<V>(edges, e, own, from.table_width);
#pragma GCC unroll 8
            for (int m = first_sent_row[i]; m < first_sent_row[i + 1]; ++m) {
                const float* row = message + m * from.sent_channels;
                const V sent = load<V>(row);
                if (VALUES) sum[m] += radial * sent;
#pragma GCC unroll 2
                for (int t = 0; t < T; ++t) {
                    rate[t][m] += rates.speed[t][e] * slope * sent;
                    rate[t][m] += radial * load<V>(row + (rates.lane + t) * from.message_width);
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < 11; ++m) {
        if (VALUES) store<V>(call.out_sent + m * call.sent_stride + at, sum[m]);
#pragma GCC unroll 2
        for (int t = 0; t < T; ++t)
            store<V>(call.out_sent + m * call.sent_stride + (rates.lane + t) * call.sent_lane_stride + at, rate[t][m]);
    }
}

template <int LMAX, bool FIRST, int W>
void gather_layer(const GatherCall& call, const EdgeArrays& edges) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    constexpr int N = (BEC_LANES == 16 && LMAX == 2) ? 2 : 1;
    const int channels = call.edges.channels, sent_channels = call.edges.sent_channels;
    int at = 0;
    for (; at + N * BEC_LANES <= channels; at += N * BEC_LANES) gather_scalars<Wide, N, LMAX, FIRST, W>(call, edges, at);
    for (; at + BEC_LANES <= channels; at += BEC_LANES) gather_scalars<Wide, 1, LMAX, FIRST, W>(call, edges, at);
    for (; at < channels; at += 8) gather_scalars<Narrow, 1, LMAX, FIRST, W>(call, edges, at);
    if (FIRST) return;
    at = 0;
    for (; at + BEC_LANES <= sent_channels; at += BEC_LANES) gather_tensors<Wide, W>(call, edges, at);
    for (; at < sent_channels; at += 8) gather_tensors<Narrow, W>(call, edges, at);
}

template <int LMAX, bool FIRST, bool VALUES, int T>
void gather_layer_rates(const GatherCall& call, const EdgeArrays& edges, const RateArrays<T>& rates) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    const int channels = call.edges.channels, sent_channels = call.edges.sent_channels;
    int at = 0;
    for (; at + BEC_LANES <= channels; at += BEC_LANES)
        gather_scalar_rates<Wide, LMAX, FIRST, VALUES, T>(call, edges, rates, at);
    for (; at < channels; at += 8) gather_scalar_rates<Narrow, LMAX, FIRST, VALUES, T>(call, edges, rates, at);
    if (FIRST) return;
    at = 0;
    for (; at + BEC_LANES <= sent_channels; at += BEC_LANES)
        gather_tensor_rates<Wide, VALUES, T>(call, edges, rates, at);
    for (; at < sent_channels; at += 8) gather_tensor_rates<Narrow, VALUES, T>(call, edges, rates, at);
}

// T lanes of rates from `lane` on; values, too, with the first of all.
template <int LMAX, bool FIRST, int T>
void gather_rates(const GatherCall& call, const EdgeArrays& edges, int lane) {
    constexpr int components = (LMAX + 1) * (LMAX + 1);
    RateArrays<T> rates{};
    rates.lane = lane;
    for (int t = 0; t < T; ++t) {
        rates.harmonics[t] = edges.rest + t * (components + 3) * edges.stride;
        rates.speed[t] = rates.harmonics[t] + components * edges.stride;
        prepare_rates<LMAX>(call, edges, lane + t, rates.harmonics[t], rates.speed[t]);
    }
    if (lane == 1) gather_layer_rates<LMAX, FIRST, true>(call, edges, rates);
    else gather_layer_rates<LMAX, FIRST, false>(call, edges, rates);
}

template <int LMAX, bool FIRST>
void gather_all(const GatherCall& call) {
    constexpr int T = BEC_LANES == 16 && LMAX == 2 ? 2 : 1;  // their sums fill the registers
    const EdgeArrays edges(call.edges, (LMAX + 1) * (LMAX + 1));
    if (call.edges.message_lanes == 1) {
        prepare_edges<LMAX, false>(call.edges, edges);
        call.edges.polynomials ? gather_layer<LMAX, FIRST, 6>(call, edges) : gather_layer<LMAX, FIRST, 4>(call, edges);
        return;
    }
    prepare_edges<LMAX, true>(call.edges, edges);
    int lane = 1;
    for (; lane + T <= call.edges.message_lanes; lane += T) gather_rates<LMAX, FIRST, T>(call, edges, lane);
    for (; lane < call.edges.message_lanes; ++lane) gather_rates<LMAX, FIRST, 1>(call, edges, lane);
}

void gather(const GatherCall& call) {
    const bool first = call.edges.messages == nullptr;
    if (call.edges.l_max == 2) first ? gather_all<2, true>(call) : gather_all<2, false>(call);
    else first ? gather_all<3, true>(call) : gather_all<3, false>(call);
}
