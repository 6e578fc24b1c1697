// Which messages a rank needs from others, and their exchange.
//
// The ghost atoms of LAMMPS are the periodic images of local atoms and, for a thick shell that suits the pair
// potential, the images of atoms of other ranks. Every image of an atom has the same message: a rank keeps one row
// for each of its own atoms, then one for each atom of another rank that comes within reach. Nothing is copied for
// images of its own atoms, and rows of one other rank are neighbors in memory: they are received in place.

#ifndef BEC_LAMMPS_HALO_H
#define BEC_LAMMPS_HALO_H

#include <mpi.h>

#include <cstdint>
#include <vector>

namespace bec_lammps {

// The rank that owns an atom, and the atom's index there.
struct Owner {
  int rank, index;
};

class Halo {
 public:
  // (n_all) row of each atom, local or ghost; −1 for a ghost that is out of reach
  std::vector<std::int32_t> row_of;
  // (rows) an atom, local or ghost, that the row belongs to
  std::vector<std::int32_t> atom_of;

  int rows() const { return static_cast<int>(atom_of.size()); }

  // Plan the exchange; all ranks take part. Ghosts further than `reach` from the box around the local atoms are
  // left out. Never throws but for lack of memory, so that no rank stays behind.
  void plan(MPI_Comm world, int n_local, int n_all, const double *const *positions,
            const std::vector<Owner> &owners, double reach);

  // Fill the rows of other ranks' atoms, `width` floats each.
  void exchange(float *messages, int width);
  // The transposed map: rows of other ranks' atoms are sent to their owners, who add them to their own. Always in the
  // order of the partners, whatever arrives first.
  void exchange_back(float *adjoints, int width) { send_back(adjoints, width, MPI_FLOAT); }
  void exchange_back(double *adjoints, int width) { send_back(adjoints, width, MPI_DOUBLE); }

  double memory_usage() const;

 private:
  struct Partner {
    int rank;
    std::vector<std::int32_t> sent;    // local atoms whose rows it needs
    int first, count;                  // rows that come from it
    std::vector<float> buffer;
  };

  MPI_Comm world = MPI_COMM_NULL;
  std::vector<Partner> partners;
  std::vector<MPI_Request> requests;
  std::vector<MPI_Status> statuses;    // of no interest, but the MPI of a serial LAMMPS cannot ignore them

  void number_rows(int me, int n_local, const std::vector<std::int32_t> &near, const std::vector<Owner> &owners);
  void tell_owners(int me, int n_local, const std::vector<Owner> &owners);
  Partner &partner(int rank);
  template <typename Number> void send_back(Number *adjoints, int width, MPI_Datatype type);
  void wait();
};

}    // namespace bec_lammps

#endif
