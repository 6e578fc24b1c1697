#include "matrix.h"

#include <algorithm>

#include "kernels.h"

namespace bec {

Matrix zeros(long rows, long columns) {
    return {rows, columns, std::vector<double>(static_cast<std::size_t>(rows * columns))};
}

Matrix product(const Matrix& a, const Matrix& b) {
    Matrix c = zeros(a.rows, b.columns);
    for (long i = 0; i < a.rows; ++i)
        for (long k = 0; k < a.columns; ++k)
            for (long j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    return c;
}

Matrix transposed(const Matrix& a) {
    Matrix b = zeros(a.columns, a.rows);
    for (long i = 0; i < a.rows; ++i)
        for (long j = 0; j < a.columns; ++j) b(j, i) = a(i, j);
    return b;
}

Matrix row_range(const Matrix& a, long first, long count) {
    Matrix b = zeros(count, a.columns);
    std::copy_n(a.values.begin() + first * a.columns, count * a.columns, b.values.begin());
    return b;
}

Matrix stacked(const std::vector<Matrix>& parts) {
    Matrix out{0, parts.front().columns, {}};
    for (const Matrix& part : parts) {
        out.rows += part.rows;
        out.values.insert(out.values.end(), part.values.begin(), part.values.end());
    }
    return out;
}

Matrix pad_rows(const Matrix& in, const std::vector<int>& parts) {
    long total = 0;
    for (const int part : parts) total += padded(part);
    Matrix out = zeros(total, in.columns);
    long from = 0, to = 0;
    for (const int part : parts) {
        std::copy_n(in.values.begin() + from * in.columns, part * in.columns, out.values.begin() + to * in.columns);
        from += part;
        to += padded(part);
    }
    return out;
}

Matrix pad_columns(const Matrix& in, int part) {
    return transposed(pad_rows(transposed(in), std::vector<int>(static_cast<std::size_t>(in.columns / part), part)));
}

Weights pack(const Matrix& matrix) {
    Weights weights;
    weights.inputs = static_cast<int>(matrix.rows);
    weights.outputs = padded(static_cast<int>(matrix.columns));
    float* out = weights.packed.require(static_cast<std::size_t>(weights.inputs) *
                                        static_cast<std::size_t>(weights.outputs));
    for (int column = 0; column < weights.outputs;) {
        const int panel = panel_width(weights.outputs - column);
        for (long k = 0; k < matrix.rows; ++k)
            for (int c = column; c < column + panel; ++c)
                *out++ = c < matrix.columns ? static_cast<float>(matrix(k, c)) : 0.0f;
        column += panel;
    }
    return weights;
}

Buffer<float> pad_vector(const std::vector<double>& values, int part) {
    const auto length = static_cast<std::size_t>(part), place = static_cast<std::size_t>(padded(part));
    Buffer<float> out(values.size() / length * place);
    for (std::size_t i = 0; i < values.size(); ++i)
        out.data()[i / length * place + i % length] = static_cast<float>(values[i]);
    return out;
}

}  // namespace bec
