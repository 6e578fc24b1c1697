// Clebsch–Gordan products of two sets of irreps, as lists of non-zero coefficients.
#pragma once

#include <vector>

#include "irreps.h"
#include "kernels.h"
#include "tensor_file.h"

namespace bec {

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

}  // namespace bec
