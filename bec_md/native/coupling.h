// Clebsch–Gordan products of two sets of irreps, as lists of non-zero coefficients.
#pragma once

#include <vector>

#include "irreps.h"
#include "kernels.h"
#include "tensor_file.h"

namespace bec {

// Paths that end in one irrep: all pairs of irreps at most.
constexpr int max_paths = n_irreps * n_irreps;

// All paths that end in one irrep: rows [path][m3].
struct CouplingList {
    int paths = 0;
    std::vector<CouplingEntry> entries;
    std::vector<std::int32_t> ends;  // one per row
};

// First component of each irrep in a set of irreps in their common order; −1 when absent.
struct IrrepSet {
    bool contains[n_irreps] = {};
    int row(int irrep) const;
    int rows() const;
};

CouplingList coupling_list(const TensorFile& file, const IrrepSet& left, const IrrepSet& right, int target);

// The maps from adjoints of the product to those of its left or right factor: rows are the components of that
// factor, entries name a row of the product and a component of the other factor.
CouplingList left_adjoint(const CouplingList& list, int components);
CouplingList right_adjoint(const CouplingList& list, int components);

}  // namespace bec
