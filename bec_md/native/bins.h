// Points sorted into bins, so that those near a place are a few stretches of memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bec {

class Bins {
public:
    // `points` [n × 3] are sorted for searches within about `reach`; `labels` [n] come along.
    void sort(std::int64_t n, const double* points, const std::int32_t* labels, double reach);

    // Sorted points; `place` is where a given one of them lies now.
    const double* x() const { return coordinates_.data(); }
    const double* y() const { return x() + labels_.size(); }
    const double* z() const { return y() + labels_.size(); }
    const std::int32_t* labels() const { return labels_.data(); }
    std::int32_t place(std::int64_t point) const { return place_[static_cast<std::size_t>(point)]; }

    // Calls visit(first, last) for stretches of sorted points that together hold all within `reach` of a place.
    template <typename Visit>
    void near(double x, double y, double z, double reach, Visit visit) const;

    std::size_t memory() const;  // bytes

private:
    double origin_[3] = {}, bin_[3] = {};
    int n_bins_[3] = {};
    std::vector<std::int32_t> bin_of_, place_;
    std::vector<std::int32_t> start_;  // first sorted point of each bin
    std::vector<double> coordinates_;  // [3][n] sorted
    std::vector<std::int32_t> labels_;

    int index(int axis, double value) const {
        return std::max(0, std::min(n_bins_[axis] - 1, static_cast<int>((value - origin_[axis]) / bin_[axis])));
    }
    // Distance from a coordinate to the slab of one bin.
    double gap(int axis, double value, int bin) const {
        const double low = origin_[axis] + bin * bin_[axis];
        return std::max(0.0, std::max(low - value, value - low - bin_[axis]) - 1e-9);  // so that rounding loses nobody
    }
};

template <typename Visit>
void Bins::near(double x, double y, double z, double reach, Visit visit) const {
    if (labels_.empty()) return;
    const double square = reach * reach;
    const int last_y = index(1, y + reach), last_z = index(2, z + reach);
    for (int iz = index(2, z - reach); iz <= last_z; ++iz) {
        const double dz = gap(2, z, iz);
        for (int iy = index(1, y - reach); iy <= last_y; ++iy) {
            const double dy = gap(1, y, iy), left = square - dz * dz - dy * dy;
            if (left < 0) continue;
            // of a row of bins along x, neighbors in memory, only the piece within reach
            const double along = std::sqrt(left);
            const std::size_t row = (static_cast<std::size_t>(iz) * static_cast<std::size_t>(n_bins_[1]) +
                                     static_cast<std::size_t>(iy)) * static_cast<std::size_t>(n_bins_[0]);
            const std::int32_t first = start_[row + static_cast<std::size_t>(index(0, x - along))];
            const std::int32_t last = start_[row + static_cast<std::size_t>(index(0, x + along)) + 1];
            if (first < last) visit(first, last);
        }
    }
}

}  // namespace bec
