// Radial functions of every pair of species, tabulated as cubic Hermite splines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "tensor_file.h"

namespace bec {

// Table of one layer: [pair][knot][value, slope × step][outputs].
struct RadialTable {
    int intervals = 0;
    float inverse_step = 0;
    int width = 0;  // padded outputs
    Buffer<float> values;
    std::vector<std::int64_t> pair_offset;  // [receiver species × n_species + sender species]
};

struct RadialShape {
    double cutoff;
    int functions, embedding, hidden;
    double norm;                    // factor on every output
    std::vector<int> parts;         // outputs, part by part
    std::vector<int> padded_parts;  // the same with padding
};

// `embeddings` [species][embedding]; throws bec::Error when tensors are missing.
RadialTable tabulate_radial(const TensorFile& file, const std::string& prefix, const RadialShape& shape,
                            const std::vector<std::vector<double>>& embeddings, int n_threads);

}  // namespace bec
