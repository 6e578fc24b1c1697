#include "bins.h"

namespace bec {

void Bins::sort(std::int64_t n_points, const double* points, const std::int32_t* labels, double reach) {
    const auto n = static_cast<std::size_t>(n_points);
    double low[3] = {0, 0, 0}, high[3] = {0, 0, 0};
    for (int k = 0; k < 3 && n > 0; ++k) low[k] = high[k] = points[k];
    for (std::size_t p = 0; p < n; ++p)
        for (int k = 0; k < 3; ++k) {
            low[k] = std::min(low[k], points[3 * p + static_cast<std::size_t>(k)]);
            high[k] = std::max(high[k], points[3 * p + static_cast<std::size_t>(k)]);
        }
    // along x, where neighboring bins are neighbors in memory, an eighth of the reach, so that a row can be cut where
    // it leaves the sphere; larger ones for a gas in a huge box, which would need more bins than it has atoms
    const double wish[3] = {0.125 * reach, reach, reach}, most = 8.0 * static_cast<double>(n) + 64.0;
    double bins = 1;
    for (int k = 0; k < 3; ++k) bins *= std::floor((high[k] - low[k]) / wish[k]) + 1;
    const double coarser = std::max(1.0, std::cbrt(bins / most));
    std::size_t total = 1;
    for (int k = 0; k < 3; ++k) {
        origin_[k] = low[k];
        bin_[k] = std::max(wish[k] * coarser, (high[k] - low[k]) / most);  // atoms on a long line
        n_bins_[k] = static_cast<int>(std::floor((high[k] - low[k]) / bin_[k])) + 1;
        total *= static_cast<std::size_t>(n_bins_[k]);
    }
    start_.assign(total + 1, 0);
    bin_of_.resize(n);
    for (std::size_t p = 0; p < n; ++p) {
        const double* point = points + 3 * p;
        bin_of_[p] = static_cast<std::int32_t>((std::int64_t{index(2, point[2])} * n_bins_[1] + index(1, point[1])) * n_bins_[0] +
                                               index(0, point[0]));
        ++start_[static_cast<std::size_t>(bin_of_[p]) + 1];
    }
    for (std::size_t b = 0; b < total; ++b) start_[b + 1] += start_[b];
    coordinates_.resize(3 * n);
    labels_.resize(n);
    place_.resize(n);
    // filling moves each start to the start of the next bin; shifting by one bin restores them
    for (std::size_t p = 0; p < n; ++p) {
        const std::int32_t to = start_[static_cast<std::size_t>(bin_of_[p])]++;
        for (std::size_t k = 0; k < 3; ++k) coordinates_[k * n + static_cast<std::size_t>(to)] = points[3 * p + k];
        labels_[static_cast<std::size_t>(to)] = labels[p];
        place_[p] = to;
    }
    for (std::size_t b = total; b > 0; --b) start_[b] = start_[b - 1];
    start_[0] = 0;
}

std::size_t Bins::memory() const {
    return sizeof(std::int32_t) * (bin_of_.capacity() + place_.capacity() + start_.capacity() + labels_.capacity()) +
           sizeof(double) * coordinates_.capacity();
}

}  // namespace bec
