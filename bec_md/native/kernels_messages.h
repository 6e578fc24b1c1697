// Messages along edges and their transposes, for training; part of kernels_body.h.

// Calls body(edge, m, l) of each component m and its set l.
template <typename Body>
BEC_INLINE void for_components(const bec_messages& call, Body body) {
    for (std::int64_t e = 0; e < call.n_edges; ++e)
        for (int l = 0, m = 0; l < call.sets; ++l)
            for (const int end = m + call.components[l]; m < end; ++m) body(e, m, l);
}

BEC_INLINE int all_components(const bec_messages& call) {
    int count = 0;
    for (int l = 0; l < call.sets; ++l) count += call.components[l];
    return count;
}

// TENSORS: x are tensors of the senders, else numbers of the edges.
template <typename V, bool TENSORS>
BEC_INLINE void send_channels(const bec_messages& call, const float* x, const float* weights, float* out) {
    constexpr int L = sizeof(V) / sizeof(float);
    const int components = all_components(call), width = call.channels;
    for_components(call, [&](std::int64_t e, int m, int l) BEC_LAMBDA {
        const float* weight = weights + (e * call.sets + l) * width;
        const float* tensor = TENSORS ? x + (call.sender[e] * components + m) * width : nullptr;
        const float number = TENSORS ? 0.0f : x[e * components + m];
        float* sum = out + (call.receiver[e] * components + m) * width;
        for (int k = 0; k < width; k += L) {
            const V factor = TENSORS ? load<V>(tensor + k) : V{} + number;
            store<V>(sum + k, load<V>(sum + k) + factor * load<V>(weight + k));
        }
    });
}

template <typename V, bool TENSORS>
BEC_INLINE void weigh_channels(const bec_messages& call, const float* sums, const float* x, float* weights) {
    constexpr int L = sizeof(V) / sizeof(float);
    const int components = all_components(call), width = call.channels;
    for (std::int64_t e = 0; e < call.n_edges; ++e) {
        const float* sum = sums + call.receiver[e] * components * width;
        const float* tensor = TENSORS ? x + call.sender[e] * components * width : nullptr;
        const float* numbers = TENSORS ? nullptr : x + e * components;
        for (int l = 0, first = 0; l < call.sets; first += call.components[l], ++l)
            for (int k = 0; k < width; k += L) {
                V total = {};
                for (int m = first; m < first + call.components[l]; ++m) {
                    const V factor = TENSORS ? load<V>(tensor + m * width + k) : V{} + numbers[m];
                    total += factor * load<V>(sum + m * width + k);
                }
                store<V>(weights + (e * call.sets + l) * width + k, total);
            }
    }
}

template <typename V>
BEC_INLINE void project_channels(const bec_messages& call, const float* sums, const float* weights, float* numbers) {
    constexpr int L = sizeof(V) / sizeof(float);
    const int components = all_components(call), width = call.channels;
    for_components(call, [&](std::int64_t e, int m, int l) BEC_LAMBDA {
        const float* weight = weights + (e * call.sets + l) * width;
        const float* sum = sums + (call.receiver[e] * components + m) * width;
        V total = {};
        for (int k = 0; k < width; k += L) total += load<V>(sum + k) * load<V>(weight + k);
        numbers[e * components + m] = sum_of<V>(total);
    });
}

typedef typename LanesOf<BEC_LANES>::type WideLanes;
typedef typename LanesOf<8>::type NarrowLanes;

void send_harmonics(const bec_messages& call, const float* numbers, const float* weights, float* out) {
    if (call.channels % BEC_LANES == 0) send_channels<WideLanes, false>(call, numbers, weights, out);
    else send_channels<NarrowLanes, false>(call, numbers, weights, out);
}

void send_tensors(const bec_messages& call, const float* tensors, const float* weights, float* out) {
    if (call.channels % BEC_LANES == 0) send_channels<WideLanes, true>(call, tensors, weights, out);
    else send_channels<NarrowLanes, true>(call, tensors, weights, out);
}

void weigh_harmonics(const bec_messages& call, const float* sums, const float* numbers, float* weights) {
    if (call.channels % BEC_LANES == 0) weigh_channels<WideLanes, false>(call, sums, numbers, weights);
    else weigh_channels<NarrowLanes, false>(call, sums, numbers, weights);
}

void weigh_tensors(const bec_messages& call, const float* sums, const float* tensors, float* weights) {
    if (call.channels % BEC_LANES == 0) weigh_channels<WideLanes, true>(call, sums, tensors, weights);
    else weigh_channels<NarrowLanes, true>(call, sums, tensors, weights);
}

void project_harmonics(const bec_messages& call, const float* sums, const float* weights, float* numbers) {
    if (call.channels % BEC_LANES == 0) project_channels<WideLanes>(call, sums, weights, numbers);
    else project_channels<NarrowLanes>(call, sums, weights, numbers);
}
