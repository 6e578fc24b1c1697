#include "coupling.h"

#include <cmath>
#include <cstdlib>

namespace bec {

int IrrepSet::row(int irrep) const {
    if (!contains[irrep]) return -1;
    int at = 0;
    for (int i = 0; i < irrep; ++i)
        if (contains[i]) at += dim_of[i];
    return at;
}

int IrrepSet::rows() const {
    int count = 0;
    for (int i = 0; i < n_irreps; ++i)
        if (contains[i]) count += dim_of[i];
    return count;
}

CouplingList coupling_list(const TensorFile& file, const IrrepSet& left, const IrrepSet& right, int target) {
    CouplingList list;
    const int l3 = degree_of[target];
    for (int a = 0; a < n_irreps; ++a) {
        for (int b = 0; b < n_irreps; ++b) {
            const int l1 = degree_of[a], l2 = degree_of[b];
            const bool allowed = std::abs(l1 - l2) <= l3 && l3 <= l1 + l2 &&
                                 parity_of[a] * parity_of[b] == parity_of[target];
            if (!left.contains[a] || !right.contains[b] || !allowed) continue;
            const std::string name =
                "coupling." + std::to_string(l1) + "." + std::to_string(l2) + "." + std::to_string(l3);
            const std::vector<double>& table =
                file.tensor(name, {dim_of[a], dim_of[b], dim_of[target]}).values;
            for (int m3 = 0; m3 < dim_of[target]; ++m3) {
                for (int m1 = 0; m1 < dim_of[a]; ++m1) {
                    for (int m2 = 0; m2 < dim_of[b]; ++m2) {
                        const double value = table[static_cast<std::size_t>((m1 * dim_of[b] + m2) * dim_of[target] + m3)];
                        if (std::abs(value) < 1e-10) continue;
                        list.entries.push_back({static_cast<std::int16_t>(left.row(a) + m1),
                                                static_cast<std::int16_t>(right.row(b) + m2),
                                                static_cast<float>(value)});
                    }
                }
                list.ends.push_back(static_cast<std::int32_t>(list.entries.size()));
            }
            ++list.paths;
        }
    }
    return list;
}

namespace {

CouplingList adjoint(const CouplingList& list, int components, std::int16_t CouplingEntry::*own,
                     std::int16_t CouplingEntry::*other) {
    CouplingList result;
    for (int component = 0; component < components; ++component) {
        std::size_t at = 0;
        for (std::size_t row = 0; row < list.ends.size(); ++row)
            for (; at < static_cast<std::size_t>(list.ends[row]); ++at) {
                const CouplingEntry& entry = list.entries[at];
                if (entry.*own == component)
                    result.entries.push_back({static_cast<std::int16_t>(row), entry.*other, entry.value});
            }
        result.ends.push_back(static_cast<std::int32_t>(result.entries.size()));
    }
    return result;
}

}  // namespace

CouplingList left_adjoint(const CouplingList& list, int components) {
    return adjoint(list, components, &CouplingEntry::u, &CouplingEntry::v);
}

CouplingList right_adjoint(const CouplingList& list, int components) {
    return adjoint(list, components, &CouplingEntry::v, &CouplingEntry::u);
}

}  // namespace bec
