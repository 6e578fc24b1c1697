#include "cell_graph.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bec_lammps {

namespace {

// Candidates are kept for a while: the wider, the longer, but the more of them are looked at in each evaluation.
constexpr double SKIN = 0.8;           // Å
constexpr double CLOSEST = 0.1;        // Å; as on the Python side

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BEC_VARIANTS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BEC_VARIANTS
#endif

BEC_VARIANTS
void squared_distances(int n, const double *x, const double *y, const double *z, const double *from,
                       double *result)
{
  const double fx = from[0], fy = from[1], fz = from[2];
  for (int k = 0; k < n; ++k) {
    const double dx = x[k] - fx, dy = y[k] - fy, dz = z[k] - fz;
    result[k] = dx * dx + dy * dy + dz * dz;
  }
}

// Vectors to the listed atoms, x, y and z apart, and their squares; returns how many of the atoms are too close.
BEC_VARIANTS
int vectors_to(int n, const std::int32_t *atoms, const double *positions, const double *from, double *squares,
               float *x, float *y, float *z)
{
  const double fx = from[0], fy = from[1], fz = from[2];
  int too_close = 0;
  for (int k = 0; k < n; ++k) {
    const double *to = positions + 3 * static_cast<std::int64_t>(atoms[k]);
    const double dx = to[0] - fx, dy = to[1] - fy, dz = to[2] - fz;
    const double square = dx * dx + dy * dy + dz * dz;
    squares[k] = square;
    x[k] = static_cast<float>(dx);
    y[k] = static_cast<float>(dy);
    z[k] = static_cast<float>(dz);
    too_close += square < CLOSEST * CLOSEST;
  }
  return too_close;
}

// Whether all of n atoms are within a distance of where they were; false as well for what is not a number.
BEC_VARIANTS
bool within(std::int64_t n, const double *positions, const double *held, double distance)
{
  const double limit = distance * distance;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double dx = positions[3 * i] - held[3 * i], dy = positions[3 * i + 1] - held[3 * i + 1],
                 dz = positions[3 * i + 2] - held[3 * i + 2];
    count += dx * dx + dy * dy + dz * dz <= limit;
  }
  return count == n;
}

}    // namespace

void CellGraph::update(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
                       const std::int32_t *row_of, double cutoff)
{
  if (!still_valid(n_receivers, n_all, positions, species))
    search(n_receivers, n_all, positions, species, row_of, cutoff + SKIN);
  pick(n_receivers, positions, cutoff);
}

// No atom has moved by more than half of the skin.
bool CellGraph::still_valid(int n_receivers, int n_all, const double *const *positions,
                            const std::int32_t *species) const
{
  if (n_all != n_held || static_cast<std::size_t>(n_receivers) + 1 != candidates_first.size()) return false;
  if (n_all == 0) return true;
  return std::equal(held_species.begin(), held_species.end(), species) &&
      within(n_all, positions[0], held.data(), 0.5 * SKIN);
}

void CellGraph::search(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
                       const std::int32_t *row_of, double reach)
{
  forget();
  bound(n_receivers, positions, species, reach);
  bin(n_all, positions, species, row_of, reach);
  candidates_first.resize(static_cast<std::size_t>(n_receivers) + 1);
  std::int64_t n_found = 0, longest = 0;
  for (int i = 0; i < n_receivers; ++i) {
    candidates_first[i] = n_found;
    if (species[i] >= 0) n_found = search_around(i, positions[i], reach, n_found);
    longest = std::max(longest, n_found - candidates_first[i]);
  }
  candidates_first[n_receivers] = n_found;
  candidate_rows.resize(n_found);
  for (std::int64_t c = 0; c < n_found; ++c) candidate_rows[c] = row_of[candidates[c]];
  squares.resize(longest);
  differences.resize(3 * longest);
  first.resize(static_cast<std::size_t>(n_receivers) + 1);
  sender.resize(n_found + 1);    // one more is written than kept
  vectors.resize(3 * (n_found + 1));
  held_species.assign(species, species + n_all);
  held.resize(3 * static_cast<std::size_t>(n_all));
  if (n_all) std::copy(positions[0], positions[0] + held.size(), held.begin());
  n_held = n_all;
}

// The candidates that are within the cutoff now.
void CellGraph::pick(int n_receivers, const double *const *positions, double cutoff)
{
  const double cutoff2 = cutoff * cutoff;
  float *const x = differences.data(), *const y = x + squares.size(), *const z = y + squares.size();
  std::int64_t n = 0;
  for (int i = 0; i < n_receivers; ++i) {
    first[i] = n;
    const std::int64_t begin = candidates_first[i];
    const int count = static_cast<int>(candidates_first[i + 1] - begin);
    if (vectors_to(count, candidates.data() + begin, positions[0], positions[i], squares.data(), x, y, z))
      throw std::runtime_error("two atoms are in the same place or closer than 0.1 A, which is no structure of matter; "
                               "if one of them is a shell or a Drude particle, give its type the element NULL, else "
                               "the simulation has blown up");
    const std::int32_t *rows = candidate_rows.data() + begin;
    for (int k = 0; k < count; ++k) {
      // written always, kept only if within reach: no branch to mispredict
      sender[n] = rows[k];
      float *const to = vectors.data() + 3 * n;
      to[0] = x[k];
      to[1] = y[k];
      to[2] = z[k];
      n += squares[k] < cutoff2;
    }
  }
  first[n_receivers] = n;
}

// Box around the receivers and everything within reach of them.
void CellGraph::bound(int n_receivers, const double *const *positions, const std::int32_t *species,
                      double reach)
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
    low[a] -= reach;
    high[a] += reach;
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

// Sort the atoms into cells: edges of the reach along y and z; along x, where neighboring cells are neighbors
// in memory, an eighth of it, so that a row can be cut where it leaves the sphere.
void CellGraph::bin(int n_all, const double *const *positions, const std::int32_t *species,
                    const std::int32_t *row_of, double reach)
{
  // A gas in a huge box would need more cells than atoms: make them larger until it does not.
  double size[3] = {0.125 * reach, reach, reach};
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
    if (!near || species[i] < 0 || row_of[i] < 0) continue;
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

// Append the candidates of one receiver; returns the new number of them.
std::int64_t CellGraph::search_around(int receiver, const double *position, double reach, std::int64_t n_found)
{
  const double px = position[0], py = position[1], pz = position[2], reach2 = reach * reach;
  const int last_y = cell_index(py + reach, 1), last_z = cell_index(pz + reach, 2);
  for (int z = cell_index(pz - reach, 2); z <= last_z; ++z) {
    const double dz = distance_to_cells(pz, z, 2);
    for (int y = cell_index(py - reach, 1); y <= last_y; ++y) {
      const double dy = distance_to_cells(py, y, 1);
      const double rest = reach2 - dy * dy - dz * dz;
      if (rest < 0.0) continue;
      // of a row of cells along x, neighbors in memory, only the piece within reach
      const double along = std::sqrt(rest);
      const std::int64_t row = static_cast<std::int64_t>(z * cells[1] + y) * cells[0];
      const std::int64_t begin = cell_start[row + cell_index(px - along, 0)];
      const std::int64_t end = cell_start[row + cell_index(px + along, 0) + 1];
      n_found = append(receiver, position, reach2, begin, end, n_found);
    }
  }
  return n_found;
}

// Append those of the sorted atoms begin … end − 1 that are within reach, the receiver itself excepted.
std::int64_t CellGraph::append(int receiver, const double *position, double reach2, std::int64_t begin,
                               std::int64_t end, std::int64_t n_found)
{
  const int n = static_cast<int>(end - begin);
  if (n_found + n > static_cast<std::int64_t>(candidates.size())) candidates.resize(3 * (n_found + n) / 2);
  if (n > static_cast<int>(distances.size())) distances.resize(2 * n);
  const std::size_t count = order.size();
  const double *xs = sorted.data() + begin;
  squared_distances(n, xs, xs + count, xs + 2 * count, position, distances.data());
  for (int k = 0; k < n; ++k) {
    const std::int32_t other = order[begin + k];
    candidates[n_found] = other;
    n_found += (distances[k] < reach2) & (other != receiver);
  }
  return n_found;
}

double CellGraph::memory_usage() const
{
  const std::size_t words = sender.capacity() + vectors.capacity() + cell_of.capacity() + order.capacity() +
      held_species.capacity() + candidates.capacity() + candidate_rows.capacity() + differences.capacity();
  const std::size_t double_words = first.capacity() + cell_start.capacity() + sorted.capacity() +
      distances.capacity() + held.capacity() + candidates_first.capacity() + squares.capacity();
  return static_cast<double>(4 * words + 8 * double_words);
}

}    // namespace bec_lammps
