#include "halo.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace bec_lammps {

namespace {

constexpr int TAG_REQUEST = 4711, TAG_MESSAGES = 4712, TAG_ADJOINTS = 4713;

// Ghosts within reach of the box around the local atoms. Coordinates that are not numbers are out of reach.
std::vector<std::int32_t> ghosts_within(int n_local, int n_all, const double *const *positions, double reach)
{
  double low[3], high[3];
  for (int a = 0; a < 3; ++a) {
    low[a] = std::numeric_limits<double>::max();
    high[a] = -low[a];
    for (int i = 0; i < n_local; ++i) {
      low[a] = std::min(low[a], positions[i][a]);
      high[a] = std::max(high[a], positions[i][a]);
    }
    low[a] -= reach;
    high[a] += reach;
  }
  std::vector<std::int32_t> near;
  for (int i = n_local; i < n_all; ++i) {
    const double *x = positions[i];
    if (x[0] >= low[0] && x[0] <= high[0] && x[1] >= low[1] && x[1] <= high[1] && x[2] >= low[2] && x[2] <= high[2])
      near.push_back(i);
  }
  return near;
}

}    // namespace

void Halo::plan(MPI_Comm communicator, int n_local, int n_all, const double *const *positions,
                const std::vector<Owner> &owners, double reach)
{
  world = communicator;
  int me = 0;
  MPI_Comm_rank(world, &me);
  row_of.assign(n_all, -1);
  atom_of.resize(n_local);
  for (int i = 0; i < n_local; ++i) row_of[i] = atom_of[i] = i;
  number_rows(me, n_local, ghosts_within(n_local, n_all, positions, reach), owners);
  tell_owners(me, n_local, owners);
}

// One row for each atom of another rank, in the order of ranks and of the indices there.
void Halo::number_rows(int me, int n_local, const std::vector<std::int32_t> &near, const std::vector<Owner> &owners)
{
  std::vector<std::int32_t> foreign;
  for (const std::int32_t ghost : near) {
    if (owners[ghost].rank == me)
      row_of[ghost] = owners[ghost].index;
    else
      foreign.push_back(ghost);
  }
  std::sort(foreign.begin(), foreign.end(), [&](std::int32_t i, std::int32_t j) {
    const Owner &a = owners[i], &b = owners[j];
    return a.rank != b.rank ? a.rank < b.rank : a.index < b.index;
  });
  for (const std::int32_t ghost : foreign) {
    const Owner &owner = owners[ghost];
    const bool known = static_cast<int>(atom_of.size()) > n_local && owners[atom_of.back()].rank == owner.rank &&
        owners[atom_of.back()].index == owner.index;
    if (!known) atom_of.push_back(ghost);
    row_of[ghost] = static_cast<std::int32_t>(atom_of.size()) - 1;
  }
}

Halo::Partner &Halo::partner(int rank)
{
  for (Partner &one : partners)
    if (one.rank == rank) return one;
  partners.push_back({rank, {}, 0, 0, {}});
  return partners.back();
}

// Each rank learns which of its atoms the others wait for.
void Halo::tell_owners(int me, int n_local, const std::vector<Owner> &owners)
{
  partners.clear();
  int n_ranks = 1;
  MPI_Comm_size(world, &n_ranks);
  if (n_ranks == 1) return;
  std::vector<int> wanted(n_ranks, 0), promised(n_ranks, 0), indices;
  for (int row = n_local; row < rows(); ++row) {
    const Owner &owner = owners[atom_of[row]];
    if (wanted[owner.rank]++ == 0) partner(owner.rank).first = row;
    indices.push_back(owner.index);
  }
  MPI_Alltoall(wanted.data(), 1, MPI_INT, promised.data(), 1, MPI_INT, world);

  requests.clear();
  for (int rank = 0; rank < n_ranks; ++rank)
    if (promised[rank] && rank != me) partner(rank).sent.resize(promised[rank]);
  for (Partner &one : partners) {
    one.count = wanted[one.rank];
    if (one.sent.empty()) continue;
    requests.emplace_back();
    MPI_Irecv(one.sent.data(), static_cast<int>(one.sent.size()), MPI_INT, one.rank, TAG_REQUEST, world,
              &requests.back());
  }
  for (Partner &one : partners) {
    if (!one.count) continue;
    requests.emplace_back();
    MPI_Isend(indices.data() + (one.first - n_local), one.count, MPI_INT, one.rank, TAG_REQUEST, world,
              &requests.back());
  }
  wait();
}

void Halo::wait()
{
  statuses.resize(requests.size());
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
}

void Halo::exchange(float *messages, int width)
{
  requests.clear();
  for (Partner &one : partners) {
    if (!one.count) continue;
    requests.emplace_back();
    MPI_Irecv(messages + static_cast<std::size_t>(one.first) * width, one.count * width, MPI_FLOAT, one.rank,
              TAG_MESSAGES, world, &requests.back());
  }
  for (Partner &one : partners) {
    if (one.sent.empty()) continue;
    one.buffer.resize(one.sent.size() * width);
    float *to = one.buffer.data();
    for (const std::int32_t atom : one.sent) {
      memcpy(to, messages + static_cast<std::size_t>(atom) * width, width * sizeof(float));
      to += width;
    }
    requests.emplace_back();
    MPI_Isend(one.buffer.data(), static_cast<int>(one.buffer.size()), MPI_FLOAT, one.rank, TAG_MESSAGES, world,
              &requests.back());
  }
  wait();
}

template <typename Number> void Halo::send_back(Number *adjoints, int width, MPI_Datatype type)
{
  std::size_t total = 0;
  for (const Partner &one : partners) total += one.sent.size() * width;
  std::vector<Number> received(total);
  requests.clear();
  Number *to = received.data();
  for (Partner &one : partners) {
    if (one.sent.empty()) continue;
    const int count = static_cast<int>(one.sent.size()) * width;
    requests.emplace_back();
    MPI_Irecv(to, count, type, one.rank, TAG_ADJOINTS, world, &requests.back());
    to += count;
  }
  for (Partner &one : partners) {
    if (!one.count) continue;
    requests.emplace_back();
    MPI_Isend(adjoints + static_cast<std::size_t>(one.first) * width, one.count * width, type, one.rank, TAG_ADJOINTS,
              world, &requests.back());
  }
  wait();
  const Number *from = received.data();
  for (const Partner &one : partners)
    for (const std::int32_t atom : one.sent)
      for (int k = 0; k < width; ++k) adjoints[static_cast<std::size_t>(atom) * width + k] += *from++;
}

template void Halo::send_back(float *, int, MPI_Datatype);
template void Halo::send_back(double *, int, MPI_Datatype);

double Halo::memory_usage() const
{
  std::size_t bytes = (row_of.capacity() + atom_of.capacity()) * sizeof(std::int32_t);
  for (const Partner &one : partners)
    bytes += one.sent.capacity() * sizeof(std::int32_t) + one.buffer.capacity() * sizeof(float);
  return static_cast<double>(bytes);
}

}    // namespace bec_lammps
