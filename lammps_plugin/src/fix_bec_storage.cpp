// What travels with atoms: owners of ghosts, tensors of migrating atoms, the integrals of a restart.

#include "fix_bec.h"

#include "atom.h"
#include "comm.h"
#include "memory.h"
#include "update.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;

namespace bec_lammps {

// Ghosts learn who owns them; the messages of the network take a shorter way (halo.h).
int FixBec::pack_forward_comm(int n, int *list, double *buf, int, int *)
{
  for (int i = 0; i < n; ++i) {
    buf[2 * i] = owners[list[i]].rank;
    buf[2 * i + 1] = owners[list[i]].index;
  }
  return 2 * n;
}

void FixBec::unpack_forward_comm(int n, int first, double *buf)
{
  for (int i = 0; i < n; ++i)
    owners[first + i] = {static_cast<int>(buf[2 * i]), static_cast<int>(buf[2 * i + 1])};
}

void FixBec::grow_arrays(int nmax)
{
  memory->grow(charges, nmax, 9, "bec:charges");
  array_atom = peratom_flag ? charges : nullptr;
}

void FixBec::copy_arrays(int i, int j, int)
{
  memcpy(charges[j], charges[i], 9 * sizeof(double));
}

void FixBec::set_arrays(int i)
{
  std::fill(charges[i], charges[i] + 9, 0.0);
}

int FixBec::pack_exchange(int i, double *buf)
{
  memcpy(buf, charges[i], 9 * sizeof(double));
  return 9;
}

int FixBec::unpack_exchange(int nlocal, double *buf)
{
  memcpy(charges[nlocal], buf, 9 * sizeof(double));
  return 9;
}

// The integrals continue after read_restart if the fix is defined again with the same ID.
void FixBec::write_restart(FILE *file)
{
  double local[8] = {current[0],  current[1],  current[2],  power,
                     integral[0], integral[1], integral[2], work};
  double record[10];
  MPI_Allreduce(local, record, 8, MPI_DOUBLE, MPI_SUM, world);
  record[8] = sample_time - now();    // the clock may be moved between reading and the fix
  record[9] = continuous ? 1.0 : 0.0;
  if (comm->me != 0) return;
  const int size = sizeof(record);
  fwrite(&size, sizeof(int), 1, file);
  fwrite(record, sizeof(double), 10, file);
}

void FixBec::restart(char *buf)
{
  double record[10];
  memcpy(record, buf, sizeof(record));
  sample_time = now() + record[8];
  continuous = record[9] != 0.0;
  power_time = last_run_time = now();    // which is taken at every step
  last_run_step = update->ntimestep;
  totals_valid = false;
  if (comm->me != 0) return;    // local sums: one rank holds what all of them had
  std::copy(record, record + 3, current);
  power = record[3];
  std::copy(record + 4, record + 7, integral);
  work = record[7];
}

double FixBec::memory_usage()
{
  const auto bytes = [](const auto &...arrays) { return (0.0 + ... + static_cast<double>(arrays.capacity() * sizeof(arrays[0]))); };
  double sum = 9.0 * sizeof(double) * atom->nmax + graph.memory_usage() + halo.memory_usage() +
      bytes(raw_charges, dipoles, gradient, field_forces, species, row_species, owners, velocities, adjoints[0], adjoints[1]);
  for (const std::vector<float> &into_layer : messages) sum += bytes(into_layer);
  return sum;
}

}    // namespace bec_lammps
