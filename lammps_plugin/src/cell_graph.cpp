#include "cell_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
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
  bin(n_receivers, n_all, positions, species, row_of, reach);
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

// Sort the atoms in the box around the receivers and everything within reach of them.
void CellGraph::bin(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
                    const std::int32_t *row_of, double reach)
{
  constexpr double INFINITE = std::numeric_limits<double>::infinity();
  double low[3] = {INFINITE, INFINITE, INFINITE}, high[3] = {-INFINITE, -INFINITE, -INFINITE};
  for (int i = 0; i < n_receivers; ++i) {
    if (species[i] < 0) continue;
    for (int a = 0; a < 3; ++a) {
      const double x = positions[i][a];
      if (!std::isfinite(x)) throw std::runtime_error("an atom has a coordinate that is not a number; the "
                                                      "simulation has blown up before this step");
      low[a] = std::min(low[a], x - reach);
      high[a] = std::max(high[a], x + reach);
    }
  }
  near.clear();
  points.clear();
  for (int i = 0; i < n_all; ++i) {
    const double *x = positions[i];
    bool inside = species[i] >= 0 && row_of[i] >= 0;
    // written so that a coordinate that is not a number counts as out of reach
    for (int a = 0; a < 3; ++a) inside = inside && x[a] >= low[a] && x[a] <= high[a];
    if (!inside) continue;
    near.push_back(i);
    points.insert(points.end(), x, x + 3);
  }
  bins.sort(static_cast<std::int64_t>(near.size()), points.data(), near.data(), reach);
}

// Append the candidates of one receiver; returns the new number of them.
std::int64_t CellGraph::search_around(int receiver, const double *position, double reach, std::int64_t n_found)
{
  const double px = position[0], py = position[1], pz = position[2], reach2 = reach * reach;
  const double *x = bins.x(), *y = bins.y(), *z = bins.z();
  const std::int32_t *atoms = bins.labels();
  bins.near(px, py, pz, reach, [&](std::int32_t begin, std::int32_t end) {
    const std::size_t needed = static_cast<std::size_t>(n_found + end - begin);
    if (needed > candidates.size()) candidates.resize(needed + needed / 2);
    for (std::int32_t k = begin; k < end; ++k) {
      const double dx = x[k] - px, dy = y[k] - py, dz = z[k] - pz;
      candidates[static_cast<std::size_t>(n_found)] = atoms[k];
      n_found += (dx * dx + dy * dy + dz * dz < reach2) & (atoms[k] != receiver);
    }
  });
  return n_found;
}

double CellGraph::memory_usage() const
{
  const std::size_t words = sender.capacity() + vectors.capacity() + near.capacity() + held_species.capacity() +
      candidates.capacity() + candidate_rows.capacity() + differences.capacity();
  const std::size_t double_words = first.capacity() + points.capacity() + held.capacity() +
      candidates_first.capacity() + squares.capacity();
  return static_cast<double>(4 * words + 8 * double_words + bins.memory());
}

}    // namespace bec_lammps
