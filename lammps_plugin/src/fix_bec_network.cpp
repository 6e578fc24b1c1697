// The network on the atoms of this rank, layer by layer, with what ranks tell each other in between.

#include "fix_bec.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "neighbor.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace bec_lammps {

void FixBec::evaluate()
{
  judging = time_to_judge();
  predict_tensors();
  impose_sum_rule();
  charges_step = update->ntimestep;
  charges_atoms = atom->natoms;
  charges_types = sum_over_atoms(&FixBec::type_hash);
  ++evaluations;
}

// Tensors of the atoms of this rank as the network gives them; of its members as well where the domain is judged.
void FixBec::predict_tensors()
{
  prepare();
  raw_charges.resize(9 * static_cast<std::size_t>(atom->nlocal));
  if (judging) raw_members.resize(raw_charges.size() * evaluator->members());
  if (derived) return derive_tensors();
  forward(evaluator->layers(), 0, false);
  guarded(seconds_model, [&] {
    if (atom->nlocal) evaluator->read_out(raw_charges.data(), judging ? raw_members.data() : nullptr);
  });
}

// Exchange and graph of the atoms as they are now.
void FixBec::prepare()
{
  failure.clear();
  timed(seconds_communication, [this] { plan_exchange(); });
  guarded(seconds_graph, [this] { build_graph(); });
}

// Ghosts and indices live from one building of neighbor lists to the next; all ranks build at the same steps.
void FixBec::plan_exchange()
{
  if (!lists_changed && neighbor->ncalls == lists_built) return;
  const int nlocal = atom->nlocal, n_all = nlocal + atom->nghost;
  owners.assign(n_all, {-1, -1});
  for (int i = 0; i < nlocal; ++i) owners[i] = {comm->me, i};
  comm->forward_comm(this, 2);
  halo.plan(world, nlocal, n_all, atom->x, owners, evaluator->cutoff() + neighbor->skin);
  graph.forget();
  lists_changed = false;
  lists_built = neighbor->ncalls;
}

void FixBec::build_graph()
{
  const int n_all = atom->nlocal + atom->nghost;
  if (static_cast<std::size_t>(n_all) != halo.row_of.size())
    throw std::runtime_error("atoms or ghosts have changed without new neighbor lists; which fix adds or removes "
                             "atoms in the middle of a step? evaluate without it");
  watch_lists();
  species.resize(n_all);
  for (int i = 0; i < n_all; ++i) species[i] = options.species_of_type[atom->type[i]];
  graph.update(atom->nlocal, n_all, atom->x, species.data(), halo.row_of.data(), evaluator->cutoff());
  // hidden atoms have no edges: which species they count as does not matter to the network
  row_species.resize(halo.rows());
  for (int row = 0; row < halo.rows(); ++row) row_species[row] = std::max(species[halo.atom_of[row]], 0);
}

// Who comes nearer than lists foresee has no ghost here. With distances checked, LAMMPS builds lists in time, or tells.
void FixBec::watch_lists()
{
  const std::size_t n = std::min(listed_at.size(), static_cast<std::size_t>(3 * atom->nlocal));
  for (std::size_t k = 0; k < n; k += 3) {
    double square = 0.0;
    for (std::size_t c = k; c < k + 3; ++c) square += (atom->x[0][c] - listed_at[c]) * (atom->x[0][c] - listed_at[c]);
    farthest = std::max(farthest, square);
  }
}

// The first layers: values, rates of change along sets of velocities, or values for derivatives to follow.
void FixBec::forward(int layers, int tangents, bool reverse)
{
  const int nlocal = atom->nlocal;
  // a rank without atoms has nothing to evaluate
  guarded(seconds_model, [&] {
    if (!nlocal) return;
    bec_graph view{};
    view.n_receivers = nlocal;
    view.n_atoms = halo.rows();
    view.species = row_species.data();
    view.first = graph.first.data();
    view.sender = graph.sender.data();
    view.vectors = graph.vectors.data();
    view.n_tangents = tangents;
    view.reverse = reverse;
    view.velocities = tangents ? velocities.data() : nullptr;
    evaluator->begin(view);
  });
  messages.resize(evaluator->layers() + 1);
  for (int layer = 0; layer < layers; ++layer) {
    const int width = (1 + tangents) * evaluator->message_width(layer + 1);    // 0 after the last layer
    std::vector<float> &sent = messages[layer + 1];
    sent.resize(static_cast<std::size_t>(width) * halo.rows());
    guarded(seconds_model, [&] {
      if (nlocal) evaluator->layer(layer, layer ? messages[layer].data() : nullptr, width ? sent.data() : nullptr);
    });
    if (width) timed(seconds_communication, [&] { halo.exchange(sent.data(), width); });
  }
}

// Gradient of the dipole, of all atoms in the sum of all ranks: adjoints go back to the owners of ghosts.
void FixBec::differentiate(int lanes, const double *directions, int member)
{
  const int nlocal = atom->nlocal, rows = halo.rows();
  guarded(seconds_model, [&] {
    if (nlocal) evaluator->start_sweep(lanes, directions, member);
  });
  const float *of_sent = nullptr;
  for (int layer = evaluator->layers() - 1; layer >= 0; --layer) {
    const int width = lanes * evaluator->message_width(layer);    // 0 of the first layer
    std::vector<float> &of_messages = adjoints[layer % 2];
    of_messages.resize(static_cast<std::size_t>(width) * rows);
    guarded(seconds_model, [&] {
      if (nlocal)
        evaluator->layer_adjoint(layer, layer ? messages[layer].data() : nullptr, of_sent,
                                 layer ? of_messages.data() : nullptr);
    });
    if (width) timed(seconds_communication, [&] { halo.exchange_back(of_messages.data(), width); });
    of_sent = of_messages.data();
  }
  gradient.resize(static_cast<std::size_t>(3 * lanes) * rows);
  guarded(seconds_model, [&] {
    if (nlocal) evaluator->gradient(gradient.data());
  });
  timed(seconds_communication, [&] { halo.exchange_back(gradient.data(), 3 * lanes); });
}

// Subtract from every atom its share of Σ_i Z_i − Q·1; the same reduction tells whether a rank has failed.
void FixBec::impose_sum_rule()
{
  const int nlocal = atom->nlocal;
  double local[11] = {0.0}, global[11];
  if (failure.empty())
    for (int i = 0; i < nlocal; ++i) {
      if (options.species_of_type[atom->type[i]] < 0) continue;
      for (int k = 0; k < 9; ++k) local[k] += raw_charges[9 * static_cast<std::size_t>(i) + k];
      local[9] += 1.0;
    }
  for (int k = 0; k < 9; ++k)
    if (failure.empty() && !std::isfinite(local[k]))
      failure = "the network gave tensors that are not numbers; has the simulation blown up? check the energy "
                "and the smallest interatomic distance at this step";
  local[10] = failure.empty() ? 0.0 : 1.0;
  timed(seconds_communication, [&] { MPI_Allreduce(local, global, 11, MPI_DOUBLE, MPI_SUM, world); });
  stop_on_failure(global[10] > 0.0);
  if (judging) judge_domain();

  double excess[9] = {0.0};
  if (options.sum_rule && global[9] > 0.0)
    for (int k = 0; k < 9; ++k) excess[k] = (global[k] - (k % 4 == 0 ? options.total_charge : 0.0)) / global[9];
  for (int i = 0; i < nlocal; ++i) {
    const bool shown = (atom->mask[i] & groupbit) && options.species_of_type[atom->type[i]] >= 0;
    for (int k = 0; k < 9; ++k)
      charges[i][k] = shown ? raw_charges[9 * static_cast<std::size_t>(i) + k] - excess[k] : 0.0;
  }
}

void FixBec::stop_if_any_failed()
{
  int failed = failure.empty() ? 0 : 1, any = 0;
  MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, world);
  stop_on_failure(any != 0);
}

// All ranks learn the message of the first one that failed, and stop.
void FixBec::stop_on_failure(bool any_failed)
{
  if (!any_failed) return;
  int candidate = failure.empty() ? comm->nprocs : comm->me, first = 0;
  MPI_Allreduce(&candidate, &first, 1, MPI_INT, MPI_MIN, world);
  char message[4096] = "";
  if (comm->me == first) strncpy(message, failure.c_str(), sizeof(message) - 1);
  MPI_Bcast(message, sizeof(message), MPI_CHAR, first, world);
  error->all(FLERR, std::string("fix bec: ") + message);
}

}    // namespace bec_lammps
