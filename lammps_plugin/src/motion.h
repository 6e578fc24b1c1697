// What a run's velocities say: the temperature of the atoms that move, Σ Z Zᵀ/m for the f-sum rule, and whether
// they are velocities at all.

#ifndef BEC_LAMMPS_MOTION_H
#define BEC_LAMMPS_MOTION_H

#include <mpi.h>

#include <cstdint>
#include <string>

namespace bec_lammps {

struct MovingAtom {
  double mass;          // amu
  const double *v;      // unit of LAMMPS
  const double *charges;    // (9) e; nullptr of atoms that carry no tensor, which are not in the group
};

// Means over the samples of a run. Along an axis where its velocity is zero to all digits an atom does not move: it has
// no degree of freedom there and no part in Σ Z Zᵀ/m. Along axes where all atoms of the system move, velocities are
// relative to its center of mass, and as far as that rests, (Σ Z)(Σ Z)ᵀ/M is taken from Σ Z Zᵀ/m: Σ Z of the group, M
// of the system.
class Motion {
 public:
  // Begin a sample, add all atoms of this rank, close it: all ranks take part.
  // `removed_freedom`: by rigid bonds and bodies; `energy_of_mvv` and `boltzmann` in the units in force.
  void begin(bool tensors_known);
  void add(const MovingAtom &atom);
  void close(MPI_Comm world, double atoms_of_system, double removed_freedom, double energy_of_mvv, double boltzmann);

  int samples() const { return count; }
  bool begins() const { return seen == 0; }
  bool nothing_moved() const { return seen > 0 && !moved; }
  std::string text() const;    // one line for the log, which bec-md reads (lammps_log.py)
  void clear() { *this = Motion(); }

 private:
  static constexpr int SIZE = 34;
  // of the group Σ m v², Σ m v, Σ m of each axis, moving, all, Σ Z Zᵀ/m, Σ Z; of the system Σ m v, Σ m and moving of
  // each axis; degrees of freedom of the group
  double local[SIZE] = {0.0};
  double temperature = 0.0, freedom = 0.0, moving = 0.0, all = 0.0;
  double center = 0.0;    // temperature of the center of mass
  double square[6] = {0.0}, carried[6] = {0.0};    // Σ Z Zᵀ/m, (Σ Z)(Σ Z)ᵀ/M
  bool with_charges = false;    // this sample
  bool moved = false;           // in some sample
  int count = 0, with_square = 0, seen = 0;
};

// Sum over atoms of a hash of ID and velocity: equal for two frames only if no velocity has changed.
std::uint64_t velocity_hash(std::int64_t id, const double *v);

}    // namespace bec_lammps

#endif
