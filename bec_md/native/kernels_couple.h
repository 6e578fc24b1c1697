// Clebsch–Gordan products, channel by channel; part of kernels_body.h.

// Values of N registers of channels.
template <typename V, int N>
BEC_INLINE void couple_values(const CoupleCall& call, std::int64_t at) {
    constexpr int L = sizeof(V) / sizeof(float);
    const std::int64_t stride = call.lanes * call.length;
    const CouplingEntry* entry = call.entries;
    float* out = call.out + at;
    for (int row = 0; row < call.rows; ++row, out += stride) {
        V sum[N] = {};
        for (const CouplingEntry* const end = call.entries + call.ends[row]; entry != end; ++entry) {
            const float* x = call.u + entry->u * stride + at;
            const float* y = call.v + entry->v * stride + at;
            const float value = entry->value;
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[n] += value * (load<V>(x + n * L) * load<V>(y + n * L));
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) store<V>(out + n * L, sum[n]);
    }
}

// The same with one lane of rates; VALUES: the values, too.
template <typename V, int N, bool VALUES>
BEC_INLINE void couple_rates(const CoupleCall& call, int lane, std::int64_t at) {
    constexpr int L = sizeof(V) / sizeof(float);
    const std::int64_t stride = call.lanes * call.length, to_rate = lane * call.length;
    const CouplingEntry* entry = call.entries;
    float* out = call.out + at;
    for (int row = 0; row < call.rows; ++row, out += stride) {
        V sum[N] = {}, rate[N] = {};
        for (const CouplingEntry* const end = call.entries + call.ends[row]; entry != end; ++entry) {
            const float* x = call.u + entry->u * stride + at;
            const float* y = call.v + entry->v * stride + at;
            const float value = entry->value;
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const V left = value * load<V>(x + n * L), right = load<V>(y + n * L);
                if (VALUES) sum[n] += left * right;
                rate[n] += left * load<V>(y + to_rate + n * L);
                rate[n] += (value * load<V>(x + to_rate + n * L)) * right;
            }
        }
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            if (VALUES) store<V>(out + n * L, sum[n]);
            store<V>(out + to_rate + n * L, rate[n]);
        }
    }
}

template <bool VALUES>
void couple_lane(const CoupleCall& call, int lane) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    std::int64_t at = 0;
    for (; at + 4 * BEC_LANES <= call.length; at += 4 * BEC_LANES) couple_rates<Wide, 4, VALUES>(call, lane, at);
    for (; at + BEC_LANES <= call.length; at += BEC_LANES) couple_rates<Wide, 1, VALUES>(call, lane, at);
    for (; at < call.length; at += 8) couple_rates<Narrow, 1, VALUES>(call, lane, at);
}

void couple(const CoupleCall& call) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    if (call.lanes > 1) {
        couple_lane<true>(call, 1);
        for (int lane = 2; lane < call.lanes; ++lane) couple_lane<false>(call, lane);
        return;
    }
    std::int64_t at = 0;
    for (; at + 8 * BEC_LANES <= call.length; at += 8 * BEC_LANES) couple_values<Wide, 8>(call, at);
    for (; at + 2 * BEC_LANES <= call.length; at += 2 * BEC_LANES) couple_values<Wide, 2>(call, at);
    for (; at < call.length; at += 8) couple_values<Narrow, 1>(call, at);
}

// A lanes of adjoints share the values of the other factor.
template <typename V, int N, int A>
BEC_INLINE void couple_adjoint_lanes(const CoupleCall& call, std::int64_t at) {
    constexpr int L = sizeof(V) / sizeof(float);
    const std::int64_t stride = A * call.length;
    const CouplingEntry* entry = call.entries;
    float* out = call.out + at;
    for (int row = 0; row < call.rows; ++row, out += stride) {
        const CouplingEntry* const end = call.entries + call.ends[row];
        if (entry == end) continue;
        V sum[A][N];
#pragma GCC unroll 3
        for (int a = 0; a < A; ++a)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[a][n] = load<V>(out + a * call.length + n * L);
        for (; entry != end; ++entry) {
            const float* x = call.u + entry->u * stride + at;
            const float* y = call.v + entry->v * call.length + at;
            const float value = entry->value;
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const V other = value * load<V>(y + n * L);
#pragma GCC unroll 3
                for (int a = 0; a < A; ++a) sum[a][n] += other * load<V>(x + a * call.length + n * L);
            }
        }
#pragma GCC unroll 3
        for (int a = 0; a < A; ++a)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) store<V>(out + a * call.length + n * L, sum[a][n]);
    }
}

template <int A>
void couple_adjoint_all(const CoupleCall& call) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    constexpr int N = BEC_LANES == 16 ? 4 : 2;
    std::int64_t at = 0;
    for (; at + N * BEC_LANES <= call.length; at += N * BEC_LANES) couple_adjoint_lanes<Wide, N, A>(call, at);
    for (; at + BEC_LANES <= call.length; at += BEC_LANES) couple_adjoint_lanes<Wide, 1, A>(call, at);
    for (; at < call.length; at += 8) couple_adjoint_lanes<Narrow, 1, A>(call, at);
}

void couple_adjoint(const CoupleCall& call) {
    if (call.lanes == 3) couple_adjoint_all<3>(call);
    else couple_adjoint_all<1>(call);
}
