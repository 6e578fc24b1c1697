// Weights on their way from the file to the kernels: padded, multiplied, cut into panels.
#pragma once

#include <vector>

#include "buffer.h"

namespace bec {

// Row-major matrix in double precision.
struct Matrix {
    long rows = 0;
    long columns = 0;
    std::vector<double> values;

    double& operator()(long r, long c) { return values[static_cast<std::size_t>(r * columns + c)]; }
    double operator()(long r, long c) const { return values[static_cast<std::size_t>(r * columns + c)]; }
};

Matrix zeros(long rows, long columns);
Matrix product(const Matrix& a, const Matrix& b);
Matrix transposed(const Matrix& a);
Matrix row_range(const Matrix& a, long first, long count);
// One matrix below the other.
Matrix stacked(const std::vector<Matrix>& parts);
// Consecutive rows, in parts of given lengths, each moved to a padded place.
Matrix pad_rows(const Matrix& in, const std::vector<int>& parts);
// Every consecutive group of `part` columns is moved to a padded place.
Matrix pad_columns(const Matrix& in, int part);

// A matrix cut into panels of columns (kernels.h); no outputs: the map does not exist.
struct Weights {
    int inputs = 0;
    int outputs = 0;  // padded
    Buffer<float> packed;
    bool exists() const { return outputs > 0; }
};

Weights pack(const Matrix& matrix);
// Every consecutive group of `part` numbers at a padded place.
Buffer<float> pad_vector(const std::vector<double>& values, int part);

}  // namespace bec
