// The sum over neighbors transposed: adjoints of what they send, gradient by the positions; part of
// kernels_body.h.
//
// The derivative of one edge's term by the position of the sender is taken along r̂, where the radial function
// changes, and along two directions perpendicular to it, where the harmonics do.

struct FrameArrays {
    float* across[2];  // [component][edge] harmonics along the two perpendicular directions
    float* axes;       // [edge][3][4] r̂ and these directions
    float* along;      // [edge][lane][3] derivatives
};

constexpr int frame_numbers = 12;  // of `axes`, for each edge

// An orthonormal frame without trigonometry or a singular direction (Duff et al. 2017).
template <int LMAX>
void prepare_frames(const EdgeArrays& edges, const FrameArrays& frames, int n_edges) {
    typedef typename LanesOf<BEC_LANES>::type V;
    const long stride = edges.stride;
    float axis[9][BEC_LANES];
    for (long e = 0; e < stride; e += BEC_LANES) {
        const V x = load<V>(edges.unit + e), y = load<V>(edges.unit + stride + e), z = load<V>(edges.unit + 2 * stride + e);
        const V one = V{} + 1.0f, sign = z < 0.0f ? -one : one;
        const V a = -1.0f / (sign + z), b = x * y * a;
        const V first[3] = {1.0f + sign * x * x * a, sign * b, -sign * x}, second[3] = {b, sign + y * y * a, -y};
        const V inverse = load<V>(edges.inverse + e);
        harmonic_rates<LMAX, V>(edges, e, inverse * first[0], inverse * first[1], inverse * first[2], frames.across[0]);
        harmonic_rates<LMAX, V>(edges, e, inverse * second[0], inverse * second[1], inverse * second[2], frames.across[1]);
        store<V>(axis[0], x);
        store<V>(axis[1], y);
        store<V>(axis[2], z);
        for (int c = 0; c < 3; ++c) {
            store<V>(axis[3 + c], first[c]);
            store<V>(axis[6 + c], second[c]);
        }
        for (int i = 0; i < BEC_LANES && e + i < n_edges; ++i) {
            float* to = frames.axes + (e + i) * frame_numbers;
            for (int d = 0; d < 3; ++d) {
                for (int c = 0; c < 3; ++c) to[4 * d + c] = axis[3 * d + c][i];
                to[4 * d + 3] = 0.0f;
            }
        }
    }
}

// Channels `at` … of R_l h_j Y_lm, for A lanes of adjoints of the sum.
template <typename V, int LMAX, bool FIRST, int A>
BEC_INLINE void scalar_adjoints(const GatherAdjointCall& call, const EdgeArrays& edges, const FrameArrays& frames, int e,
                                int at, V (&along)[A][3]) {
    const EdgeCall& from = call.edges;
    const float* knot = edges.knot[e] + at;
    V radial[LMAX + 1], slope[LMAX + 1], sent[LMAX + 1];  // R, R' h, R h
#pragma GCC unroll 4
    for (int l = 0; l <= LMAX; ++l) {
        const float* own = knot + l * from.channels;
        radial[l] = sent[l] = radial_value<6, V>(edges, e, own, from.table_width);
        slope[l] = radial_slope<V>(edges, e, own, from.table_width);
    }
    if (!FIRST) {
        const V h = load<V>(from.messages + from.sender[e] * from.message_width + at);
#pragma GCC unroll 4
        for (int l = 0; l <= LMAX; ++l) {
            slope[l] *= h;
            sent[l] *= h;
        }
    }
#pragma GCC unroll 3
    for (int a = 0; a < A; ++a) {
        const float* sum = call.sum + a * call.lane_stride + at;
        V value = load<V>(sum);
        V message = radial[0] * value;
        along[a][0] += slope[0] * value;
#pragma GCC unroll 3
        for (int l = 1; l <= LMAX; ++l) {
            V first = {}, second = {};
            value = V{};
#pragma GCC unroll 8
            for (int m = l * l; m < (l + 1) * (l + 1); ++m) {
                const V adjoint = load<V>(sum + m * call.stride);
                const long place = m * edges.stride + e;
                value += edges.harmonics[place] * adjoint;
                first += frames.across[0][place] * adjoint;
                second += frames.across[1][place] * adjoint;
            }
            if (!FIRST) message += radial[l] * value;
            along[a][0] += slope[l] * value;
            along[a][1] += sent[l] * first;
            along[a][2] += sent[l] * second;
        }
        if (!FIRST) {
            float* to = call.messages + (from.sender[e] * A + a) * from.message_width + at;
            store<V>(to, load<V>(to) + message);
        }
    }
}

// The same for the tensors that neighbors send.
template <typename V, int A>
BEC_INLINE void tensor_adjoints(const GatherAdjointCall& call, const EdgeArrays& edges, int e, int at, V (&along)[A][3]) {
    const EdgeCall& from = call.edges;
    const int width = from.sent_channels;
    const float* knot = edges.knot[e] + (from.l_max + 1) * from.channels + at;
    const float* message = from.messages + from.sender[e] * from.message_width + from.channels + at;
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
        const V radial = radial_value<6, V>(edges, e, knot + i * width, from.table_width);
        const V slope = radial_slope<V>(edges, e, knot + i * width, from.table_width);
#pragma GCC unroll 3
        for (int a = 0; a < A; ++a) {
            const float* sum = call.sum_sent + a * call.sent_lane_stride + at;
            float* to = call.messages + (from.sender[e] * A + a) * from.message_width + from.channels + at;
            V change = {};
#pragma GCC unroll 8
            for (int m = first_sent_row[i]; m < first_sent_row[i + 1]; ++m) {
                const V adjoint = load<V>(sum + m * call.sent_stride);
                change += adjoint * load<V>(message + m * width);
                store<V>(to + m * width, load<V>(to + m * width) + radial * adjoint);
            }
            along[a][0] += slope * change;
        }
    }
}

// All channels that fill registers of type V; returns where they end.
template <typename V, int LMAX, bool FIRST, int A>
void edge_adjoints(const GatherAdjointCall& call, const EdgeArrays& edges, const FrameArrays& frames, int first_channel,
                   int first_sent) {
    constexpr int L = sizeof(V) / sizeof(float);
    const EdgeCall& from = call.edges;
    for (int e = 0; e < from.n_edges; ++e) {
        V along[A][3] = {};
        for (int at = first_channel; at + L <= from.channels; at += L)
            scalar_adjoints<V, LMAX, FIRST, A>(call, edges, frames, e, at, along);
        if (!FIRST)
            for (int at = first_sent; at + L <= from.sent_channels; at += L)
                tensor_adjoints<V, A>(call, edges, e, at, along);
        float* to = frames.along + static_cast<long>(e) * (3 * A);
        for (int a = 0; a < A; ++a)
            for (int d = 0; d < 3; ++d) to[3 * a + d] += sum_of<V>(along[a][d]);
    }
}

// Derivatives along the axes of each edge → gradients of its two atoms.
template <int A>
void scatter_gradients(const GatherAdjointCall& call, const FrameArrays& frames) {
    typedef typename LanesOf<4>::type Four;
    Four own[A] = {};
    for (int e = 0; e < call.edges.n_edges; ++e) {
        const float* axes = frames.axes + static_cast<long>(e) * frame_numbers;
        const float* along = frames.along + static_cast<long>(e) * (3 * A);
        float* sender = call.gradient + static_cast<long>(call.edges.sender[e]) * (4 * A);
        for (int a = 0; a < A; ++a) {
            const Four change = along[3 * a] * load<Four>(axes) + along[3 * a + 1] * load<Four>(axes + 4) +
                                along[3 * a + 2] * load<Four>(axes + 8);
            own[a] += change;
            store<Four>(sender + 4 * a, load<Four>(sender + 4 * a) + change);
        }
    }
    float* receiver = call.gradient + call.own_gradient * (4 * A);
    for (int a = 0; a < A; ++a) store<Four>(receiver + 4 * a, load<Four>(receiver + 4 * a) - own[a]);
}

template <int LMAX, bool FIRST, int A>
void gather_adjoint_all(const GatherAdjointCall& call) {
    typedef typename LanesOf<BEC_LANES>::type Wide;
    typedef typename LanesOf<8>::type Narrow;
    constexpr int components = (LMAX + 1) * (LMAX + 1);
    const EdgeArrays edges(call.edges, components);
    const long stride = edges.stride;
    const FrameArrays frames{{edges.rest, edges.rest + components * stride},
                             edges.rest + 2 * components * stride,
                             edges.rest + (2 * components + frame_numbers) * stride};
    prepare_edges<LMAX, true>(call.edges, edges);
    prepare_frames<LMAX>(edges, frames, call.edges.n_edges);
    for (long i = 0; i < call.edges.n_edges * 3L * A; ++i) frames.along[i] = 0.0f;
    const int channels = call.edges.channels / BEC_LANES * BEC_LANES;
    const int sent = call.edges.sent_channels / BEC_LANES * BEC_LANES;
    edge_adjoints<Wide, LMAX, FIRST, A>(call, edges, frames, 0, 0);
    if (channels < call.edges.channels || sent < call.edges.sent_channels)
        edge_adjoints<Narrow, LMAX, FIRST, A>(call, edges, frames, channels, sent);
    scatter_gradients<A>(call, frames);
}

template <int LMAX, bool FIRST>
void gather_adjoint_lanes(const GatherAdjointCall& call) {
    if (call.lanes == 3) gather_adjoint_all<LMAX, FIRST, 3>(call);
    else gather_adjoint_all<LMAX, FIRST, 1>(call);
}

void gather_adjoint(const GatherAdjointCall& call) {
    const bool first = call.edges.messages == nullptr;
    if (call.edges.l_max == 2) first ? gather_adjoint_lanes<2, true>(call) : gather_adjoint_lanes<2, false>(call);
    else first ? gather_adjoint_lanes<3, true>(call) : gather_adjoint_lanes<3, false>(call);
}
