// Neighbors by linked cells, for any cell shape, size and mix of periodic directions.
#pragma once

#include <cstdint>
#include <vector>

#include "bins.h"
#include "buffer.h"

namespace bec {

struct EdgeList {
    Buffer<std::int64_t>& first;
    Buffer<std::int32_t>& sender;
    Buffer<float>& vectors;
    std::int64_t count;
};

// Atoms closer than this are the same atom twice, or a simulation that has blown up, Å.
constexpr double closest_atoms = 0.1;

class CellList {
public:
    // Rows of `cell` are lattice vectors; those of directions that are not periodic are not used. `names`: what
    // atoms are called in errors, nullptr for their indices. Throws bec::Error for a cell or positions that have
    // no meaning.
    void build(std::int64_t n_atoms, const double* positions, const double* cell, const std::uint8_t* periodic,
               double cutoff, const std::int64_t* names = nullptr);

    // Appends the neighbors of `atom` to the edges; sender indices are shifted by `offset`; sets first[row + 1].
    // Throws bec::Error when another atom is in the same place.
    void append_neighbors(std::int64_t atom, std::int32_t offset, EdgeList& edges, std::int64_t row) const;

private:
    double cutoff_ = 0;
    const std::int64_t* names_ = nullptr;
    std::vector<double> points_;       // atoms wrapped into the cell, then images; [points × 3]
    std::vector<std::int32_t> owner_;  // atom of each image
    Bins bins_;                        // of the points, labelled by their atoms

    void add_images(std::int64_t n_atoms, const double* positions, const double* cell, const std::uint8_t* periodic);
    std::int64_t name(std::int64_t atom) const { return names_ != nullptr ? names_[atom] : atom; }
    [[noreturn]] void refuse_overlap(std::int64_t atom, const EdgeList& edges, std::int64_t start,
                                     std::int32_t offset) const;
};

}  // namespace bec
