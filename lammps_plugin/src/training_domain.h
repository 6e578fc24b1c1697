// Whether a simulation stays where the model was trained: the spread of its ensemble beside the one on its
// training environments, and its tensors beside those of another model.

#ifndef BEC_LAMMPS_TRAINING_DOMAIN_H
#define BEC_LAMMPS_TRAINING_DOMAIN_H

#include <mpi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bec_lammps {

// The other model that a card names: networks of two kinds are wrong differently (bec_md/network/second_opinion.py).
struct SecondOpinion {
  std::string first, name;    // what the two models are called
  std::string path, level;
  double limit = 0.0;         // of the r.m.s. difference of their tensors, e
  double cutoff = 0.0;        // Angstrom
  std::string problem;        // why it cannot be asked
};

// R.m.s. difference of tensors, e.
struct Difference {
  static constexpr int PART_ATOMS = 10;          // as on the Python side (familiarity.py) …
  static constexpr double PART_FACTOR = 1.25;    // … the two
  double whole = 0.0, part = 0.0;                // of all atoms; of the few where it is largest

  // All ranks take part: raw tensors of their atoms (n × 9), e, and the species of each (−1: not counted).
  static Difference of(MPI_Comm world, const std::vector<double> &tensors, const std::vector<double> &others,
                       const std::vector<std::int32_t> &species);
};

class TrainingDomain {
 public:
  // Limits of the elements from the model's card; without them, or with one member only, nothing is judged.
  void read(const std::string &path, const std::string &level, const std::vector<std::int32_t> &numbers, int members);
  // All ranks take part: a second model that one of them cannot read is asked by none.
  void agree(MPI_Comm world);
  const SecondOpinion &second() const { return other; }
  bool known() const { return !limits.empty(); }
  // What the card says of elements with few training structures; empty if all are well known, or nothing is said.
  const std::string &few_structures() const { return few; }

  // One structure: raw tensors of the members, (n × M × 9) e, and the species of each atom (−1: not counted).
  // All ranks take part. Returns mean uncertainty over mean limit: above 1 it is outside.
  double judge(MPI_Comm world, const std::vector<double> &members, const std::vector<std::int32_t> &species);

  double uncertainty() const { return atoms > 0.0 ? total / atoms : 0.0; }    // e, mean over atoms and structures
  double limit() const { return atoms > 0.0 ? total_limit / atoms : 0.0; }
  double share_outside() const { return atoms > 0.0 ? outside / atoms : 0.0; }
  int structures() const { return count; }
  void clear();

 private:
  int n_members = 0;
  double scale = 1.0;
  std::vector<double> limits;    // e, by species
  std::string few;
  SecondOpinion other;
  double total = 0.0, total_limit = 0.0, outside = 0.0, atoms = 0.0;
  int count = 0;
};

}    // namespace bec_lammps

#endif
