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
  if (atom.charges) local[6] += 1.0;
  if (atom.v[0] == 0.0 && atom.v[1] == 0.0 && atom.v[2] == 0.0) return;
  for (int a = 0; a < 3; ++a) local[22 + a] += atom.mass * atom.v[a];
  local[25] += atom.mass;
  local[26] += 1.0;
  if (!atom.charges) return;
  local[0] += atom.mass * dot(atom.v, atom.v);
  for (int a = 0; a < 3; ++a) local[1 + a] += atom.mass * atom.v[a];
  local[4] += atom.mass;
  local[5] += 1.0;
  if (!with_charges) return;
  for (int k = 0; k < 6; ++k)
    local[7 + k] += dot(atom.charges + 3 * FIRST[k], atom.charges + 3 * SECOND[k]) / atom.mass;
  for (int k = 0; k < 9; ++k) local[13 + k] += atom.charges[k];
}

void Motion::close(MPI_Comm world, double atoms_of_system, double removed_freedom, double energy_of_mvv,
                   double boltzmann)
{
  double sum[SIZE];
  MPI_Allreduce(local, sum, SIZE, MPI_DOUBLE, MPI_SUM, world);
  ++seen;
  const bool barycentric = sum[26] == atoms_of_system;
  const double *momentum = sum + 22, mass = sum[25];
  const double available = 3.0 * sum[5] - (barycentric ? 3.0 * sum[4] / mass : 0.0) - removed_freedom;
  if (sum[5] < 1.0 || available < 1.0) return;
  const double kelvin = energy_of_mvv / boltzmann;
  double twice = sum[0];
  if (barycentric) {
    twice += (sum[4] * dot(momentum, momentum) / mass - 2.0 * dot(momentum, sum + 1)) / mass;
    center += dot(momentum, momentum) / mass * kelvin / 3.0;
  }
  temperature += twice * kelvin / available;
  freedom += available;
  moving += sum[5];
  all += sum[6];
  ++count;
  if (!with_charges) return;
  ++with_square;
  for (int k = 0; k < 6; ++k) {
    square[k] += sum[7 + k];
    if (barycentric) carried[k] += dot(sum + 13 + 3 * FIRST[k], sum + 13 + 3 * SECOND[k]) / mass;
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
