#include "motion.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace bec_lammps {

namespace {

// xx, yy, zz, xy, xz, yz
constexpr int FIRST[6] = {0, 1, 2, 0, 0, 1}, SECOND[6] = {0, 1, 2, 1, 2, 2};

double dot(const double *row, const double *other)
{
  return row[0] * other[0] + row[1] * other[1] + row[2] * other[2];
}

}    // namespace

void Motion::begin(bool tensors_known)
{
  with_charges = tensors_known;
  std::fill(local, local + SIZE, 0.0);
}

void Motion::add(const MovingAtom &atom)
{
  if (atom.charges) local[8] += 1.0;
  if (atom.v[0] == 0.0 && atom.v[1] == 0.0 && atom.v[2] == 0.0) return;
  if (atom.charges) local[7] += 1.0;
  double z[9] = {0.0};    // ∂M/∂u of the axes along which it moves
  for (int b = 0; b < 3; ++b) {
    if (atom.v[b] == 0.0) continue;
    local[24 + b] += atom.mass * atom.v[b];
    local[27 + b] += atom.mass;
    local[30 + b] += 1.0;
    if (!atom.charges) continue;
    local[0] += atom.mass * atom.v[b] * atom.v[b];
    local[1 + b] += atom.mass * atom.v[b];
    local[4 + b] += atom.mass;
    local[33] += 1.0;
    for (int a = 0; a < 3; ++a) z[3 * a + b] = atom.charges[3 * a + b];
  }
  if (!atom.charges || !with_charges) return;
  for (int k = 0; k < 6; ++k) local[9 + k] += dot(z + 3 * FIRST[k], z + 3 * SECOND[k]) / atom.mass;
  for (int k = 0; k < 9; ++k) local[15 + k] += z[k];
}

void Motion::close(MPI_Comm world, double atoms_of_system, double removed_freedom, double energy_of_mvv,
                   double boltzmann)
{
  double sum[SIZE];
  MPI_Allreduce(local, sum, SIZE, MPI_DOUBLE, MPI_SUM, world);
  ++seen;
  double twice = sum[0], available = sum[33] - removed_freedom, of_center = 0.0, axes = 0.0, share[6] = {0.0};
  for (int b = 0; b < 3; ++b) {
    if (sum[30 + b] != atoms_of_system) continue;    // held atoms take momentum
    const double momentum = sum[24 + b], mass = sum[27 + b];
    twice += (sum[4 + b] * momentum * momentum / mass - 2.0 * momentum * sum[1 + b]) / mass;
    available -= sum[4 + b] / mass;
    of_center += momentum * momentum / mass;
    axes += 1.0;
    for (int k = 0; k < 6; ++k) share[k] += sum[15 + 3 * FIRST[k] + b] * sum[15 + 3 * SECOND[k] + b] / mass;
  }
  moved = moved || sum[7] > 0.0;
  if (sum[7] < 1.0 || available < 1.0) return;    // a part of rigid molecules may have no temperature of its own
  const double kelvin = energy_of_mvv / boltzmann;
  if (axes > 0.0) center += of_center * kelvin / axes;
  temperature += twice * kelvin / available;
  freedom += available;
  moving += sum[7];
  all += sum[8];
  ++count;
  if (!with_charges) return;
  ++with_square;
  for (int k = 0; k < 6; ++k) {
    square[k] += sum[9 + k];
    carried[k] += share[k];
  }
}

std::string Motion::text() const
{
  char line[512];
  const double n = count, m = std::max(1, with_square);
  const double resting = temperature > 0.0 ? std::max(0.0, 1.0 - center / temperature) : 1.0;
  double zz[6];
  for (int k = 0; k < 6; ++k) zz[k] = (square[k] - resting * carried[k]) / m;
  snprintf(line, sizeof(line),
           "means of the run: temperature %.8g K (%.0f degrees of freedom, %.0f of %.0f atoms move), sum of Z Z^T/m "
           "%.8g %.8g %.8g %.8g %.8g %.8g e^2/amu",
           temperature / n, freedom / n, moving / n, all / n, zz[0], zz[1], zz[2], zz[3], zz[4], zz[5]);
  return line;
}

std::uint64_t velocity_hash(std::int64_t id, const double *v)
{
  std::uint64_t hash = 0x9e3779b97f4a7c15ull * (static_cast<std::uint64_t>(id) + 1);
  for (int a = 0; a < 3; ++a) {
    std::uint64_t bits;
    std::memcpy(&bits, v + a, sizeof(bits));
    hash ^= bits;
    hash *= 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  return hash;
}

}    // namespace bec_lammps
