#include "cell_graph.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bec_lammps {

namespace {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void squared_distances(int n, const double *x, const double *y, const double *z, const double *from,
                       double *result)
{
  const double fx = from[0], fy = from[1], fz = from[2];
  for (int k = 0; k < n; ++k) {
    const double dx = x[k] - fx, dy = y[k] - fy, dz = z[k] - fz;
    result[k] = dx * dx + dy * dy + dz * dz;
  }
}

}    // namespace

void CellGraph::build(int n_receivers, int n_all, const double *const *positions,
                      const std::int32_t *species, double cutoff)
{
  bound(n_receivers, positions, species, cutoff);
  bin(n_all, positions, species, cutoff);
  first.resize(static_cast<std::size_t>(n_receivers) + 1);
  std::int64_t n_edges = 0;
  for (int i = 0; i < n_receivers; ++i) {
    first[i] = n_edges;
    if (species[i] >= 0) n_edges = search(i, positions[i], cutoff, n_edges);
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
  return std::max(0, std::min(cells[axis] - 1, static_cast<int>((x - low[axis]) * per_length[axis])));
}

// Distance from x to a slab of cells, a little less than exact so that rounding loses nobody.
double CellGraph::distance_to_cells(double x, int index, int axis) const
{
  const double start = low[axis] + index * edge[axis];
  return std::max(0.0, std::max(start - x, x - start - edge[axis]) - 1e-6);
}

// Sort the atoms into cells: edges of the cutoff along y and z; along x, where neighboring cells are neighbors
// in memory, an eighth of it, so that a row can be cut where it leaves the sphere.
void CellGraph::bin(int n_all, const double *const *positions, const std::int32_t *species, double cutoff)
{
  // A gas in a huge box would need more cells than atoms: make them larger until it does not.
  double size[3] = {0.125 * cutoff, cutoff, cutoff};
  for (;; size[0] *= 1.5, size[1] *= 1.5, size[2] *= 1.5) {
    double product = 1.0;
    for (int a = 0; a < 3; ++a) product *= std::floor((high[a] - low[a]) / size[a]) + 1.0;
    if (product <= 16.0 * n_all + 64.0) break;
  }
  std::int64_t n_cells = 1;
  for (int a = 0; a < 3; ++a) {
    cells[a] = std::max(1, static_cast<int>((high[a] - low[a]) / size[a]));
    per_length[a] = cells[a] / (high[a] - low[a]);
    edge[a] = (high[a] - low[a]) / cells[a];
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
std::int64_t CellGraph::search(int receiver, const double *position, double cutoff, std::int64_t n_edges)
{
  const double px = position[0], py = position[1], pz = position[2], cutoff2 = cutoff * cutoff;
  const int last_y = cell_index(py + cutoff, 1), last_z = cell_index(pz + cutoff, 2);
  for (int z = cell_index(pz - cutoff, 2); z <= last_z; ++z) {
    const double dz = distance_to_cells(pz, z, 2);
    for (int y = cell_index(py - cutoff, 1); y <= last_y; ++y) {
      const double dy = distance_to_cells(py, y, 1);
      const double rest = cutoff2 - dy * dy - dz * dz;
      if (rest < 0.0) continue;
      // of a row of cells along x, neighbors in memory, only the piece within reach
      const double reach = std::sqrt(rest);
      const std::int64_t row = static_cast<std::int64_t>(z * cells[1] + y) * cells[0];
      const std::int64_t begin = cell_start[row + cell_index(px - reach, 0)];
      const std::int64_t end = cell_start[row + cell_index(px + reach, 0) + 1];
      n_edges = append(receiver, position, cutoff2, begin, end, n_edges);
    }
  }
  return n_edges;
}

// Append those of the sorted atoms begin … end − 1 that are neighbors.
std::int64_t CellGraph::append(int receiver, const double *position, double cutoff2, std::int64_t begin,
                               std::int64_t end, std::int64_t n_edges)
{
  const int n = static_cast<int>(end - begin);
  if (n_edges + n > static_cast<std::int64_t>(sender.size())) {
    sender.resize(3 * (n_edges + n) / 2);
    vectors.resize(3 * sender.size());
  }
  if (n > static_cast<int>(distances.size())) {
    distances.resize(2 * n);
    chosen.resize(2 * n);
  }
  const std::size_t count = order.size();
  const double *xs = sorted.data() + begin, *ys = xs + count, *zs = ys + count;
  squared_distances(n, xs, ys, zs, position, distances.data());
  int n_chosen = 0;
  for (int k = 0; k < n; ++k) {
    chosen[n_chosen] = k;    // written always, kept only if within reach: no branch to mispredict
    n_chosen += distances[k] < cutoff2;
  }
  for (int c = 0; c < n_chosen; ++c) {
    const int k = chosen[c], other = order[begin + k];
    if (distances[k] < 1e-12) {
      if (other == receiver) continue;
      throw std::runtime_error("two atoms are in the same place; if one of them is a shell or a Drude "
                               "particle, give its type the element NULL");
    }
    sender[n_edges] = other;
    vectors[3 * n_edges] = static_cast<float>(xs[k] - position[0]);
    vectors[3 * n_edges + 1] = static_cast<float>(ys[k] - position[1]);
    vectors[3 * n_edges + 2] = static_cast<float>(zs[k] - position[2]);
    ++n_edges;
  }
  return n_edges;
}

double CellGraph::memory_usage() const
{
  return static_cast<double>(first.capacity() * 8 + sender.capacity() * 4 + vectors.capacity() * 4 +
                             cell_of.capacity() * 4 + cell_start.capacity() * 8 + order.capacity() * 4 +
                             (sorted.capacity() + distances.capacity()) * 8 + chosen.capacity() * 4);
}

}    // namespace bec_lammps
