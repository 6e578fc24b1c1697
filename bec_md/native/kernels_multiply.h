// C (+)= A W in register tiles; part of kernels_body.h.

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
