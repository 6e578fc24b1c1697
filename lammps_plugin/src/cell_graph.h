// All pairs within the cutoff among the atoms of one MPI rank.
//
// The neighbor list of LAMMPS is not used: `special_bonds 0 0 0` removes bonded pairs from it, and Z* of a
// molecule without its own bonds is wrong. Periodic images need no treatment here, they are ghost atoms.
//
// Linked cells find the pairs within the cutoff and a skin; these candidates serve for as long as no atom has moved
// by half of the skin, and each evaluation picks the pairs within the cutoff from them.

#ifndef BEC_LAMMPS_CELL_GRAPH_H
#define BEC_LAMMPS_CELL_GRAPH_H

#include <cstdint>
#include <vector>

#include "bins.h"

namespace bec_lammps {

class CellGraph {
 public:
  // Edges of receiver i are first[i] … first[i+1]−1. The vectors are in Å, r_sender − r_receiver.
  std::vector<std::int64_t> first;    // (n_receivers + 1)
  std::vector<std::int32_t> sender;   // (n_edges or more) row of the sender's message
  std::vector<float> vectors;         // (n_edges or more, 3)

  // Indices of atoms have changed their meaning: search anew next time.
  void forget() { n_held = -1; }

  // Find the neighbors of the first `n_receivers` of `n_all` atoms. Atoms with `species[i] < 0` have no
  // neighbors and are nobody's neighbor, and neither are atoms with `row_of[i] < 0`. Throws std::runtime_error
  // on a position that is not finite and on two atoms closer than 0.1 Å.
  void update(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
              const std::int32_t *row_of, double cutoff);

  double memory_usage() const;

 private:
  bec::Bins bins;
  std::vector<double> points;           // (n_near, 3) atoms that may be neighbors
  std::vector<std::int32_t> near;       // (n_near) their indices

  // pairs that may become neighbors
  int n_held = -1;                              // atoms at the time of the search; −1: no search yet
  std::vector<double> held;                     // (n_all, 3) their positions
  std::vector<std::int32_t> held_species;       // (n_all)
  std::vector<std::int64_t> candidates_first;   // (n_receivers + 1)
  std::vector<std::int32_t> candidates, candidate_rows;
  std::vector<double> squares;                  // scratch of one receiver
  std::vector<float> differences;               // (3, longest) the same

  bool still_valid(int n_receivers, int n_all, const double *const *positions,
                   const std::int32_t *species) const;
  void search(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
              const std::int32_t *row_of, double reach);
  void bin(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
           const std::int32_t *row_of, double reach);
  std::int64_t search_around(int receiver, const double *position, double reach, std::int64_t n_found);
  void pick(int n_receivers, const double *const *positions, double cutoff);
};

}    // namespace bec_lammps

#endif
