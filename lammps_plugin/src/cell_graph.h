// All pairs within the cutoff among the atoms of one MPI rank, found with linked cells.
//
// The neighbor list of LAMMPS is not used: `special_bonds 0 0 0` removes bonded pairs from it, and Z* of a
// molecule without its own bonds is wrong. Periodic images need no treatment here, they are ghost atoms.

#ifndef BEC_LAMMPS_CELL_GRAPH_H
#define BEC_LAMMPS_CELL_GRAPH_H

#include <cstdint>
#include <vector>

namespace bec_lammps {

class CellGraph {
 public:
  // Edges of receiver i are first[i] … first[i+1]−1. The vectors are in Å, r_sender − r_receiver.
  std::vector<std::int64_t> first;    // (n_receivers + 1)
  std::vector<std::int32_t> sender;   // (n_edges or more)
  std::vector<float> vectors;         // (n_edges or more, 3)

  // Find the neighbors of the first `n_receivers` of `n_all` positions. Atoms with `species[i] < 0` have no
  // neighbors and are nobody's neighbor. Throws std::runtime_error on a position that is not finite and on
  // two atoms in one place.
  void build(int n_receivers, int n_all, const double *const *positions, const std::int32_t *species,
             double cutoff);

  double memory_usage() const;

 private:
  int cells[3];
  double low[3], high[3], edge[3], per_length[3];
  std::vector<std::int32_t> cell_of;       // (n_all), −1 for atoms that are out of reach or hidden
  std::vector<std::int64_t> cell_start;    // (n_cells + 1)
  std::vector<std::int32_t> order;         // atoms sorted by cell
  std::vector<double> sorted;              // (3, n_sorted) their positions
  std::vector<double> distances;           // scratch of one row of cells
  std::vector<std::int32_t> chosen;

  void bound(int n_receivers, const double *const *positions, const std::int32_t *species, double cutoff);
  void bin(int n_all, const double *const *positions, const std::int32_t *species, double cutoff);
  std::int64_t search(int receiver, const double *position, double cutoff, std::int64_t n_edges);
  std::int64_t append(int receiver, const double *position, double cutoff2, std::int64_t begin,
                      std::int64_t end, std::int64_t n_edges);
  int cell_index(double x, int axis) const;
  double distance_to_cells(double x, int index, int axis) const;
};

}    // namespace bec_lammps

#endif
