#include "cell_graph.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bec_lammps {

void CellGraph::build(int n_receivers, int n_all, const double *const *positions,
                      const std::int32_t *species, double cutoff)
{
  bound(n_receivers, positions, species, cutoff);
  bin(n_all, positions, species, cutoff);
  first.resize(static_cast<std::size_t>(n_receivers) + 1);
  std::int64_t n_edges = 0;
  for (int i = 0; i < n_receivers; ++i) {
    first[i] = n_edges;
    if (species[i] >= 0) n_edges = search(i, positions[i], cutoff * cutoff, n_edges);
  }
  first[n_receivers] = n_edges;
}

// Box around the receivers and everything within the cutoff of them: the halo that a pair potential asks
// for may be much thicker.
void CellGraph::bound(int n_receivers, const double *const *positions, const std::int32_t *species,
                      double cutoff)
{
  bool empty = true;
  for (int a = 0; a < 3; ++a) low[a] = high[a] = 0.0;
  for (int i = 0; i < n_receivers; ++i) {
    if (species[i] < 0) continue;
    for (int a = 0; a < 3; ++a) {
      const double x = positions[i][a];
      if (!std::isfinite(x)) throw std::runtime_error("an atom has a coordinate that is not a number; the "
                                                      "simulation has blown up before this step");
      low[a] = empty ? x : std::min(low[a], x);
      high[a] = empty ? x : std::max(high[a], x);
    }
    empty = false;
  }
  for (int a = 0; a < 3; ++a) {
    low[a] -= cutoff;
    high[a] += cutoff;
  }
}

int CellGraph::cell_index(double x, int axis) const
{
  return std::min(cells[axis] - 1, static_cast<int>((x - low[axis]) * per_length[axis]));
}

// Sort the atoms into cells whose edges are at least the cutoff.
void CellGraph::bin(int n_all, const double *const *positions, const std::int32_t *species, double cutoff)
{
  // A gas in a huge box would need more cells than atoms: make them larger until it does not.
  double size = cutoff;
  for (;; size *= 1.5) {
    double product = 1.0;
    for (int a = 0; a < 3; ++a) product *= std::floor((high[a] - low[a]) / size) + 1.0;
    if (product <= 8.0 * n_all + 64.0) break;
  }
  std::int64_t n_cells = 1;
  for (int a = 0; a < 3; ++a) {
    cells[a] = std::max(1, static_cast<int>((high[a] - low[a]) / size));
    per_length[a] = cells[a] / (high[a] - low[a]);
    n_cells *= cells[a];
  }

  cell_of.assign(n_all, -1);
  cell_start.assign(n_cells + 1, 0);
  for (int i = 0; i < n_all; ++i) {
    const double *x = positions[i];
    // written so that a coordinate that is not a number counts as out of reach
    const bool near = x[0] >= low[0] && x[0] <= high[0] && x[1] >= low[1] && x[1] <= high[1] &&
        x[2] >= low[2] && x[2] <= high[2];
    if (!near || species[i] < 0) continue;
    cell_of[i] = (cell_index(x[2], 2) * cells[1] + cell_index(x[1], 1)) * cells[0] + cell_index(x[0], 0);
    ++cell_start[cell_of[i] + 1];
  }
  for (std::int64_t c = 0; c < n_cells; ++c) cell_start[c + 1] += cell_start[c];
  const std::size_t count = cell_start[n_cells];
  order.resize(count);
  sorted.resize(3 * count);
  // filling moves each start to the start of the next cell; shifting by one cell restores them
  for (int i = 0; i < n_all; ++i) {
    if (cell_of[i] < 0) continue;
    const std::int64_t slot = cell_start[cell_of[i]]++;
    order[slot] = i;
    for (int a = 0; a < 3; ++a) sorted[a * count + slot] = positions[i][a];
  }
  for (std::int64_t c = n_cells; c > 0; --c) cell_start[c] = cell_start[c - 1];
  cell_start[0] = 0;
}

// Append the neighbors of one receiver; returns the new number of edges.
std::int64_t CellGraph::search(int receiver, const double *position, double cutoff2, std::int64_t n_edges)
{
  int from[3], to[3];
  for (int a = 0; a < 3; ++a) {
    const int index = cell_index(position[a], a);
    from[a] = std::max(0, index - 1);
    to[a] = std::min(cells[a] - 1, index + 1);
  }
  const std::size_t count = order.size();
  const double *xs = sorted.data(), *ys = xs + count, *zs = ys + count;
  for (int z = from[2]; z <= to[2]; ++z)
    for (int y = from[1]; y <= to[1]; ++y) {
      // neighboring cells along x are neighbors in memory: one loop over all of them
      const std::int64_t row = static_cast<std::int64_t>(z * cells[1] + y) * cells[0];
      const std::int64_t begin = cell_start[row + from[0]], end = cell_start[row + to[0] + 1];
      if (n_edges + end - begin > static_cast<std::int64_t>(sender.size())) {
        sender.resize(3 * (n_edges + end - begin) / 2);
        vectors.resize(3 * sender.size());
      }
      for (std::int64_t s = begin; s < end; ++s) {
        const double dx = xs[s] - position[0], dy = ys[s] - position[1], dz = zs[s] - position[2];
        const double r2 = dx * dx + dy * dy + dz * dz;
        // written always, kept only if it is a neighbor: no branch to mispredict
        sender[n_edges] = order[s];
        vectors[3 * n_edges] = static_cast<float>(dx);
        vectors[3 * n_edges + 1] = static_cast<float>(dy);
        vectors[3 * n_edges + 2] = static_cast<float>(dz);
        n_edges += (r2 < cutoff2) & (order[s] != receiver);
        if (r2 < 1e-12 && order[s] != receiver)
          throw std::runtime_error("two atoms are in the same place; if one of them is a shell or a Drude "
                                   "particle, give its type the element NULL");
      }
    }
  return n_edges;
}

double CellGraph::memory_usage() const
{
  return static_cast<double>(first.capacity() * 8 + sender.capacity() * 4 + vectors.capacity() * 4 +
                             cell_of.capacity() * 4 + cell_start.capacity() * 8 + order.capacity() * 4 +
                             sorted.capacity() * 8);
}

}    // namespace bec_lammps
