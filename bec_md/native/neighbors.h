// Neighbors by linked cells, for any cell shape, size and mix of periodic directions.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"

namespace bec {

struct EdgeList {
    Buffer<std::int64_t>& first;
    Buffer<std::int32_t>& sender;
    Buffer<float>& vectors;
    std::int64_t count;
};

class CellList {
public:
    // Rows of `cell` are lattice vectors; those of directions that are not periodic are not used.
    void build(std::int64_t n_atoms, const double* positions, const double* cell, const std::uint8_t* periodic,
               double cutoff);

    // Appends the neighbors of `atom` to the edges; sender indices are shifted by `offset`; sets first[row + 1].
    void append_neighbors(std::int64_t atom, std::int32_t offset, EdgeList& edges, std::int64_t row) const;

private:
    double cutoff_ = 0;
    double origin_[3] = {}, bin_[3] = {};
    int n_bins_[3] = {};
    std::vector<double> points_;       // atoms wrapped into the cell, then images; [points × 3]
    std::vector<std::int32_t> owner_;  // atom of each image
    std::vector<std::int32_t> bin_of_;
    std::vector<std::int32_t> start_;  // first sorted point of each bin
    std::vector<double> x_, y_, z_;    // sorted points
    std::vector<std::int32_t> source_;
    std::vector<std::int32_t> place_;  // sorted place of each atom's own point

    void add_images(std::int64_t n_atoms, const double* positions, const double* cell, const std::uint8_t* periodic);
    void sort_points(std::int64_t n_atoms);
};

}  // namespace bec
