// Models that predict a polarization P = Σ q r + Σ p: its value, its rate of change (the current), and its derivatives
// by the positions (tensors, force of a field), over all ranks.

#include "fix_bec.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "group.h"
#include "modify.h"
#include "update.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

namespace bec_lammps {

namespace {

constexpr double UNIT[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};

const char NOT_A_NUMBER[] = "the network gave a polarization that is not a number; has the simulation blown up? check "
                            "the energy and the smallest interatomic distance at this step";

}    // namespace

// Sums over the visible atoms of this rank: charges that move with them, before the excess is known.
struct FixBec::Ions {
  double charge = 0.0, count = 0.0;
  double moment[3] = {0.0, 0.0, 0.0}, position[3] = {0.0, 0.0, 0.0};    // Σ q r, Σ r; not wrapped into the cell
};

int FixBec::atom_type(int i) const
{
  return atom->type[i];
}

// Outputs of a model with a dipole: P and the work beside J and ∫J dt; currents of groups and members.
void FixBec::prepare_derived()
{
  size_vector = 10;
  array_flag = 1;
  extarray = 1;
  global_freq = options.every;
  find_groups();
  size_array_rows = static_cast<int>(group_bits.size()) * (1 + evaluator->members());
  size_array_cols = 3;
  currents.assign(3 * static_cast<std::size_t>(size_array_rows), 0.0);
  peratom_flag = options.tensors > 0;
  peratom_freq = std::max(1, options.tensors);
}

// Groups may be deleted and their bits given to others between runs.
void FixBec::find_groups()
{
  group_bits.assign(1, groupbit);
  for (const std::string &name : options.groups) {
    const int index = group->find(name);
    if (index < 0)
      error->all(FLERR, options.groups_argument, "fix bec: there is no group " + name + ": define it before the fix");
    group_bits.push_back(group->bitmask[index]);
  }
}

// −E·P is the energy of all atoms: with a part of them in the group it would not be that of the forces.
void FixBec::check_derived()
{
  if (!options.has_field || !thermo_energy) return;
  bigint local = 0, others = 0;
  for (int i = 0; i < atom->nlocal; ++i) local += visible(i) && !(atom->mask[i] & groupbit);
  MPI_Allreduce(&local, &others, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  if (others > 0)
    error->all(FLERR, fmt::format("fix bec: fix_modify {} energy yes adds -E.P of all atoms, but {} of them are not in "
                                  "the group and feel no field: define the fix for all atoms, or leave energy out and "
                                  "use f_{}[10], the work done on the group",
                                  id, others, id));
}

// One set of velocities for each group, those of other ranks' atoms from their owners.
void FixBec::set_velocities()
{
  const std::size_t groups = group_bits.size();
  velocities.assign(3 * groups * halo.rows(), 0.0f);
  for (int i = 0; i < atom->nlocal; ++i)
    for (std::size_t g = 0; g < groups; ++g) {
      if (!(atom->mask[i] & group_bits[g])) continue;
      for (int c = 0; c < 3; ++c) velocities[3 * (i * groups + g) + c] = static_cast<float>(atom->v[i][c]);
    }
  timed(seconds_communication, [&] { halo.exchange(velocities.data(), static_cast<int>(3 * groups)); });
}

// Positions are followed through the faces of the cell, so that P has no jumps.
FixBec::Ions FixBec::sum_ions() const
{
  Ions ions;
  for (int i = 0; i < atom->nlocal; ++i) {
    if (!visible(i)) continue;
    const double q = ionic_charges[options.species_of_type[atom->type[i]]];
    double r[3];
    domain->unmap(atom->x[i], atom->image[i], r);
    ions.charge += q;
    ions.count += 1.0;
    for (int c = 0; c < 3; ++c) {
      ions.moment[c] += q * r[c];
      ions.position[c] += r[c];
    }
  }
  return ions;
}

// P and the currents of all groups and members in one forward pass.
void FixBec::evaluate_current()
{
  const int nlocal = atom->nlocal, members = evaluator->members(), groups = static_cast<int>(group_bits.size());
  const std::size_t lane = 3 * static_cast<std::size_t>(members), row = (1 + groups) * lane;
  prepare();
  set_velocities();
  forward(evaluator->layers(), groups, false);
  dipoles.resize(row * nlocal);
  guarded(seconds_model, [&] {
    if (nlocal) evaluator->read_out(nullptr, dipoles.data());
  });

  // [lane][member][3] of the dipoles, [group][6] Σ q v and Σ v, moment and position, charge, count, failed
  const std::size_t at_groups = row, at_ions = at_groups + 6 * groups, size = at_ions + 9;
  std::vector<double> local(size, 0.0), sum(size);
  const Ions ions = sum_ions();
  for (int i = 0; failure.empty() && i < nlocal; ++i) {
    if (!visible(i)) continue;
    for (std::size_t k = 0; k < row; ++k) local[k] += dipoles[i * row + k];
    const double q = ionic_charges[options.species_of_type[atom->type[i]]];
    for (int g = 0; g < groups; ++g) {
      if (!(atom->mask[i] & group_bits[g])) continue;
      double *of_group = local.data() + at_groups + 6 * g;
      for (int c = 0; c < 3; ++c) {
        of_group[c] += q * atom->v[i][c];
        of_group[3 + c] += atom->v[i][c];
      }
    }
  }
  std::copy(ions.moment, ions.moment + 3, local.begin() + at_ions);
  std::copy(ions.position, ions.position + 3, local.begin() + at_ions + 3);
  local[at_ions + 6] = ions.charge;
  local[at_ions + 7] = ions.count;
  for (const double value : local)
    if (failure.empty() && !std::isfinite(value)) failure = NOT_A_NUMBER;
  local[at_ions + 8] = failure.empty() ? 0.0 : 1.0;
  timed(seconds_communication,
        [&] { MPI_Allreduce(local.data(), sum.data(), static_cast<int>(size), MPI_DOUBLE, MPI_SUM, world); });
  stop_on_failure(sum[at_ions + 8] > 0.0);

  const double *of_ions = sum.data() + at_ions;
  const double excess =
      options.sum_rule && of_ions[7] > 0.0 ? (of_ions[6] - options.total_charge) / of_ions[7] : 0.0;
  // mean and members of a lane, plus what the ionic charges add
  const auto write = [&](std::size_t index, int c, double ionic, double *out, std::size_t step) {
    double mean = 0.0;
    for (int m = 0; m < members; ++m) {
      const double own = sum[index * lane + 3 * m + c];
      mean += own / members;
      if (step) out[(1 + m) * step + c] = own + ionic;
    }
    out[c] = mean + ionic;
  };
  for (int c = 0; c < 3; ++c) {
    write(0, c, of_ions[c] - excess * of_ions[3 + c], polarization, 0);
    for (int g = 0; g < groups; ++g) {
      const double *moving = sum.data() + at_groups + 6 * g;
      write(1 + g, c, moving[c] - excess * moving[3 + c], currents.data() + 3 * (1 + members) * g, 3);
    }
    current[c] = comm->me == 0 ? currents[c] : 0.0;    // totals are sums over the ranks
  }
  polarization_step = update->ntimestep;
}

// A field that depends on P (constant D) would feed energy into the motion if it lagged a step behind it.
void FixBec::follow_polarization()
{
  if (!derived || polarization_step == update->ntimestep) return;
  double kept[3];
  std::copy(current, current + 3, kept);
  const std::vector<double> kept_currents = currents;    // velocities are those of the half step
  evaluate_current();
  std::copy(kept, kept + 3, current);
  currents = kept_currents;
}

// F_ib = q E_b + ∂/∂u_ib Σ_j E·p_j, the force of the energy −E·P; rounding leaves no net force on the dipoles.
void FixBec::evaluate_field_forces()
{
  const int nlocal = atom->nlocal;
  field_forces.assign(3 * static_cast<std::size_t>(nlocal), 0.0);
  field_energy = 0.0;
  if (!field_acts()) return;
  prepare();
  forward(evaluator->layers() - 1, 0, true);
  differentiate(1, field, -1);
  dipoles.resize(3 * static_cast<std::size_t>(nlocal));
  guarded(seconds_model, [&] {
    if (nlocal) evaluator->read_out(dipoles.data(), nullptr);
  });

  // moment, position, dipoles, gradient, charge, count, failed
  double local[15] = {0.0}, sum[15];
  const Ions ions = sum_ions();
  for (int c = 0; c < 3; ++c) {
    local[c] = ions.moment[c];
    local[3 + c] = ions.position[c];
    for (int i = 0; failure.empty() && i < nlocal; ++i) {
      if (!visible(i)) continue;
      local[6 + c] += dipoles[3 * i + c];
      local[9 + c] += gradient[3 * i + c];
    }
  }
  local[12] = ions.charge;
  local[13] = ions.count;
  for (const double value : local)
    if (failure.empty() && !std::isfinite(value)) failure = NOT_A_NUMBER;
  local[14] = failure.empty() ? 0.0 : 1.0;
  timed(seconds_communication, [&] { MPI_Allreduce(local, sum, 15, MPI_DOUBLE, MPI_SUM, world); });
  stop_on_failure(sum[14] > 0.0);

  const double atoms = std::max(1.0, sum[13]);
  const double excess = options.sum_rule ? (sum[12] - options.total_charge) / atoms : 0.0;
  for (int c = 0; c < 3; ++c) {
    polarization[c] = sum[c] - excess * sum[3 + c] + sum[6 + c];
    field_energy -= force->qe2f * field[c] * polarization[c];
  }
  for (int i = 0; i < nlocal; ++i) {
    if (!visible(i)) continue;
    const double q = ionic_charges[options.species_of_type[atom->type[i]]] - excess;
    for (int c = 0; c < 3; ++c)
      field_forces[3 * i + c] = force->qe2f * (q * field[c] + gradient[3 * i + c] - sum[9 + c] / atoms);
  }
}

void FixBec::evaluate_tensors()
{
  predict_tensors();
  impose_sum_rule();
  judging = false;
  charges_step = update->ntimestep;
}

// Z[i,a,b] = q δ_ab + ∂/∂u_ib Σ_j p_j,a: three sweeps at once.
void FixBec::derive_tensors()
{
  const std::size_t members = evaluator->members();
  forward(evaluator->layers() - 1, 0, true);
  differentiate(3, UNIT, -1);
  gradients_to_tensors(raw_charges.data(), 9);
  for (std::size_t m = 0; judging && m < members; ++m) {
    differentiate(3, UNIT, static_cast<int>(m));
    gradients_to_tensors(raw_members.data() + 9 * m, 9 * members);
  }
}

void FixBec::gradients_to_tensors(double *tensors, std::size_t stride) const
{
  for (int i = 0; i < atom->nlocal; ++i, tensors += stride) {
    const int element = options.species_of_type[atom->type[i]];
    for (int k = 0; k < 9; ++k)
      tensors[k] = gradient[9 * static_cast<std::size_t>(i) + k] + (k % 4 == 0 && element >= 0 ? ionic_charges[element] : 0.0);
  }
}

}    // namespace bec_lammps
