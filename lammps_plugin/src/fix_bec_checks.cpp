// What fix bec watches beside its work: Monte Carlo, velocities that are none, the domain of the model; and what
// it says at the end of a run.

#include "fix_bec.h"

#include "elements.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "group.h"
#include "modify.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

namespace bec_lammps {

namespace {

constexpr FixBec::Step JUDGED = 10;    // every tenth evaluation is compared with the training environments
// Where tensors are derivatives, those of every member cost as much as twenty currents, the mean as much as three.
constexpr FixBec::Step JUDGED_DERIVED = 1000, TENSORS_DERIVED = 100;

}    // namespace

void FixBec::announce(double ghost_cutoff)
{
  announced = true;
  if (comm->me != 0) return;
  std::string types;
  for (std::size_t t = 1; t < options.species_of_type.size(); ++t) {
    const int index = options.species_of_type[t];
    types += (t > 1 ? " " : "") + (index < 0 ? std::string("NULL") : chemical_symbol(options.numbers[index]));
  }
  utils::logmesg(lmp, "fix bec {}: model {}, cutoff {:.3g} A, {} layers, {} instructions\n", id, model_path,
                 evaluator->cutoff(), evaluator->layers(), bec_native_instruction_set());
  utils::logmesg(lmp, "  atom types {}; {} every {} step(s); sum rule {} (net charge {:g} e); ghost cutoff "
                      ">= {:.3g} A\n",
                 types, derived ? "polarization and current" : "tensors", options.every, options.sum_rule ? "imposed" : "not imposed", options.total_charge,
                 ghost_cutoff);
  if (derived && options.tensors)
    utils::logmesg(lmp, "  tensors of the atoms, derivatives of the polarization, every {} step(s)\n", options.tensors);
  else if (derived)
    utils::logmesg(lmp, "  no tensors of the atoms; `tensors N` makes them every N steps\n");
  std::string components;
  for (const FieldComponent &one : options.field)
    components += " " + (one.variable.empty() ? fmt::format("{:g}", one.value) : "v_" + one.variable);
  if (options.has_field) utils::logmesg(lmp, "fix bec {}: efield{} V/A\n", id, components);    // lammps_commands.py
  if (options.has_field && thermo_energy)
    utils::logmesg(lmp, "  fix_modify energy yes: the scalar of fix {} is minus {}\n", id,
                   derived ? "E.P, the field times the polarization" : "the work done by the field");
}

// Elements in another order than the types give each atom the tensor of another one.
void FixBec::check_masses() const
{
  if (atom->rmass) return;
  const auto number = [this](int type) { return options.numbers[options.species_of_type[type]]; };
  double hydrogen = 0.0;    // the heaviest: those of a solvent may keep their mass
  for (int t = 1; t <= atom->ntypes; ++t)
    if (options.species_of_type[t] >= 0 && number(t) == 1) hydrogen = std::max(hydrogen, atom->mass[t]);
  const auto has_shell = [&](int type) {
    for (int t = 1; t <= atom->ntypes; ++t)
      if (options.species_of_type[t] < 0 && near_mass(number(type), atom->mass[type] + atom->mass[t])) return true;
    return false;
  };
  for (int t = 1; t <= atom->ntypes; ++t) {
    if (options.species_of_type[t] < 0 || !atom->mass_setflag[t] || atom->mass[t] == 1.0) continue;    // `mass * 1.0`
    const int other = element_of_mass(number(t), atom->mass[t], hydrogen);
    if (!other || has_shell(t)) continue;
    const std::string named = chemical_symbol(number(t)), found = chemical_symbol(other);
    error->all(FLERR, fmt::format("fix bec {}: atom type {} is named {} ({:.3f} amu), but its mass is {:g}, that of {}: "
                                  "name the elements in the order of the types, or correct the mass; one that is meant "
                                  "for {} must differ from that of {} by 0.02 at least",
                                  id, t, named, standard_weight(number(t)), atom->mass[t], found, named, found));
  }
}

// Whether a fix that acts when atoms are exchanged between ranks, as Monte Carlo does, has done so in this step.
bool FixBec::monte_carlo() const
{
  for (const Fix *other : modify->get_fix_list())
    if (other->force_reneighbor && other->nevery > 0 && other->next_reneighbor == update->ntimestep + other->nevery)
      return true;
  return false;
}

// The order of atoms and their places on ranks make no difference.
std::uint64_t FixBec::sum_over_atoms(std::uint64_t (FixBec::*of_atom)(int) const) const
{
  std::uint64_t local = 0, sum = 0;
  for (int i = 0; i < atom->nlocal; ++i) local += (this->*of_atom)(i);
  MPI_Allreduce(&local, &sum, 1, MPI_UINT64_T, MPI_SUM, world);
  return sum;
}

std::uint64_t FixBec::type_hash(int i) const
{
  const std::uint64_t tag = atom->tag_enable ? static_cast<std::uint64_t>(atom->tag[i]) : 0;
  std::uint64_t hash = (tag * 0x9e3779b97f4a7c15ull) ^ (static_cast<std::uint64_t>(atom->type[i]) << 32);
  if (!(atom->mask[i] & groupbit)) hash = ~hash;    // it has no tensor until the next evaluation
  hash *= 0xff51afd7ed558ccdull;
  return hash ^ (hash >> 32);
}

std::uint64_t FixBec::velocity_hash(int i) const
{
  return bec_lammps::velocity_hash(atom->tag_enable ? atom->tag[i] : 0, atom->v[i]);
}

std::uint64_t FixBec::state_hash(int i) const
{
  return velocity_hash(i) + 3 * bec_lammps::velocity_hash(atom->tag_enable ? atom->tag[i] : 0, atom->x[i]);
}

std::uint64_t FixBec::local_velocities() const
{
  std::uint64_t sum = 0;
  for (int i = 0; i < atom->nlocal; ++i) sum += velocity_hash(i);
  return sum;
}

// The spread of the ensemble costs a larger read-out: some evaluations tell enough.
bool FixBec::time_to_judge() const
{
  return training_domain.known() && evaluations % (derived ? JUDGED_DERIVED : JUDGED) == 0;
}

void FixBec::warn_of_few_structures()
{
  const std::string &few = training_domain.few_structures();
  if (warned_few || few.empty()) return;
  warned_few = true;
  if (comm->me == 0)
    error->warning(FLERR, fmt::format("fix bec {}: the model {} has learned from fewer than 20 structures with {}: its "
                                      "tensors and its uncertainty may be far off; compare with a calculation or train "
                                      "on more",
                                      id, model_path, few));
}

void FixBec::judge_domain()
{
  std::vector<std::int32_t> counted(atom->nlocal);
  for (int i = 0; i < atom->nlocal; ++i) counted[i] = options.species_of_type[atom->type[i]];
  const double ratio = training_domain.judge(world, raw_members, counted);
  outside = ratio > 1.0;
  if (!outside || warned_outside) return;
  warned_outside = true;
  if (comm->me == 0)
    error->warning(FLERR, fmt::format("fix bec {}: at step {} the uncertainty of the tensors is {:.3g} times the "
                                      "limit of the domain of {}: take another model, or train one on structures like "
                                      "these",
                                      id, update->ntimestep, ratio, model_path));
}

// Mean square velocity and Z of the same time; derived tensors at some of the times.
void FixBec::observe_motion()
{
  if (derived) {
    judging = time_to_judge();
    if (judging || (evaluations % TENSORS_DERIVED == 0 && charges_step != update->ntimestep)) evaluate_tensors();
    ++evaluations;
  }
  if (motion.begins() || atom->natoms != freedom_counted) {    // of a part of rigid bodies LAMMPS warns each time
    freedom_counted = atom->natoms;
    removed_freedom = 0.0;
    for (Fix *other : modify->get_fix_list())
      if (other->dof_flag) removed_freedom += static_cast<double>(other->dof(igroup));
  }
  motion.begin(charges_step == update->ntimestep);
  for (int i = 0; i < atom->nlocal; ++i) {
    const int type = atom->type[i];
    const bool carries = (atom->mask[i] & groupbit) && options.species_of_type[type] >= 0;
    motion.add({atom->rmass ? atom->rmass[i] : atom->mass[type], atom->v[i], carries ? charges[i] : nullptr});
  }
  motion.close(world, static_cast<double>(atom->natoms), removed_freedom, force->mvv2e, force->boltz);
}

// `comm_modify group`, which goes with `atom_modify first`, leaves the ghosts of all other atoms out.
void FixBec::check_ghosts() const
{
  if (atom->firstgroup < 0) return;
  const int bit = group->bitmask[atom->firstgroup];
  bigint local[3] = {0, atom->nghost, 0}, sum[3];    // atoms outside of the group, ghosts, those of them outside
  for (int i = 0; i < atom->nlocal + atom->nghost; ++i)
    if (!(atom->mask[i] & bit)) ++local[i < atom->nlocal ? 0 : 2];
  MPI_Allreduce(local, sum, 3, MPI_LMP_BIGINT, MPI_SUM, world);
  if (sum[0] > 0 && sum[1] > 0 && sum[2] == 0)
    error->all(FLERR, std::string("fix bec needs ghosts of all atoms, and there are none outside of group ") +
                          atom->firstgroupname + ": leave comm_modify group out");
}

// A dump without velocities leaves those of before the rerun in every frame.
void FixBec::check_rerun()
{
  const std::uint64_t before = rerun_velocities;
  rerun_velocities = sum_over_atoms(&FixBec::velocity_hash);
  if (rerun_frames != 2 || rerun_velocities != before || comm->me != 0) return;
  error->warning(FLERR, std::string("fix bec ") + id + ": velocities do not change from frame to frame of the rerun, "
                        "so that the current has nothing to do with the motion: write them to the dump and name them, "
                        "rerun FILE dump x y z vx vy vz");
}

// Atoms that no fix moves in time keep the velocities that they were given: a current without a motion. Where no
// atom is moved (rerun), LAMMPS says so itself.
void FixBec::check_integrators()
{
  int moved = 0;
  if (!checked_integrators && !modify->get_fix_by_style("^ipi$").empty() && comm->me == 0)
    error->warning(FLERR, std::string("fix bec ") + id + ": i-PI sends positions without velocities, so that the "
                          "current has nothing to do with the motion; tensors and the force of a field are right");
  for (const Fix *other : modify->get_fix_list())
    if (other->time_integrate) moved |= other->groupbit;
  if (checked_integrators) return;
  checked_integrators = true;
  if (!moved) return;
  bigint local[2] = {0, 0}, sum[2];    // atoms that no fix moves, those of them with a velocity that counts
  for (int i = 0; i < atom->nlocal; ++i) {
    if (atom->mask[i] & moved) continue;
    const double *v = atom->v[i];
    const bool carries = (atom->mask[i] & groupbit) && options.species_of_type[atom->type[i]] >= 0;
    ++local[0];
    local[1] += carries && (v[0] != 0.0 || v[1] != 0.0 || v[2] != 0.0);
  }
  MPI_Allreduce(local, sum, 2, MPI_LMP_BIGINT, MPI_SUM, world);
  if (sum[0] > 0 && comm->me == 0)    // lammps_commands.py: the log of a run that is killed tells no more of them
    utils::logmesg(lmp, "fix bec {}: no fix moves {} of {} atoms\n", id, sum[0], atom->natoms);
  if (sum[1] > 0 && comm->me == 0)
    error->warning(FLERR, fmt::format("fix bec {}: {} atoms have velocities but no fix moves them: they add a "
                                      "current without a motion; use velocity GROUP set 0 0 0 for them",
                                      id, sum[1]));
}

// Path integrals in normal modes keep the velocities of these beside the positions of the beads.
void FixBec::watch_beads()
{
  path_integral = nullptr;
  for (const Fix *other : modify->get_fix_list())
    if (utils::strmatch(other->style, "^pimd/")) path_integral = other;
  if (!path_integral) return;
  lists_of_beads = neighbor->ncalls;
  bead_positions.assign(atom->x[0], atom->x[0] + 3 * atom->nlocal);
  bead_velocities.assign(atom->v[0], atom->v[0] + 3 * atom->nlocal);
}

// In the first step in which atoms keep their places.
void FixBec::check_beads()
{
  if (!path_integral) return;
  if (lists_of_beads != neighbor->ncalls) return watch_beads();
  double local[2] = {0.0, 0.0}, sum[2];
  for (int i = 0; i < 3 * atom->nlocal; ++i) {
    const double moved = atom->x[0][i] - bead_positions[i];
    const double off = moved - 0.5 * update->dt * (atom->v[0][i] + bead_velocities[i]);
    local[0] += moved * moved;
    local[1] += off * off;
  }
  MPI_Allreduce(local, sum, 2, MPI_DOUBLE, MPI_SUM, world);
  if (sum[1] > 0.3 * sum[0])
    error->all(FLERR, fmt::format("fix bec {}: fix {} ({}) keeps velocities of normal modes of the ring polymers beside "
                                  "the positions of the beads: a current of them has nothing to do with the motion; "
                                  "leave fix bec out and write the positions of the beads for bec-md, or use method pimd",
                                  id, path_integral->id, path_integral->style));
  path_integral = nullptr;
}

// Read again by bec-md (lammps_log.py): temperature and sum of Z Z^T/m belong to the current of this run.
void FixBec::report_run()
{
  const bool empty = motion.nothing_moved() && group->count(igroup) == 0;
  if (comm->me == 0) {
    if (motion.nothing_moved())
      error->warning(FLERR, fmt::format("fix bec {}: {}", id, empty
          ? fmt::format("there are no atoms in its group {}, the current is zero throughout", group->names[igroup])
          : "the velocities of all atoms were zero, the current is zero throughout; in a rerun name vx vy vz"));
    else if (motion.samples() > 1)
      utils::logmesg(lmp, "fix bec {}: {}\n", id, motion.text());
    if (training_domain.structures() > 0)
      utils::logmesg(lmp, "fix bec {}: mean uncertainty of the tensors {:.3g} e, limit of the training domain {:.3g} e; "
                          "{:.3g} % of the atoms above theirs, in {} structures\n",
                     id, training_domain.uncertainty(), training_domain.limit(),
                     100.0 * training_domain.share_outside(), training_domain.structures());
  }
  motion.clear();
  training_domain.clear();
  warned_outside = outside;    // a run that begins where this one ended says nothing new
  checked_integrators = false;
}

void FixBec::report_lists()
{
  if (!neighbor->build_once && neighbor->dist_check) return;
  double square = 0.0;
  MPI_Allreduce(&farthest, &square, 1, MPI_DOUBLE, MPI_MAX, world);
  if (comm->me == 0 && square > 0.25 * neighbor->skin * neighbor->skin)
    error->warning(FLERR, fmt::format("fix bec {}: atoms moved by as much as {:.3g} A between two buildings of neighbor "
                                      "lists, more than half of the skin: tensors lack neighbors, as forces do; use "
                                      "neigh_modify every 1 delay 0 check yes once no",
                                      id, std::sqrt(square)));
}

void FixBec::report_times()
{
  if (!evaluations) return;
  const double rest = seconds_all - seconds_graph - seconds_model - seconds_communication;
  double local[4] = {seconds_graph, seconds_model, seconds_communication, rest};
  double sum[4];
  MPI_Allreduce(local, sum, 4, MPI_DOUBLE, MPI_SUM, world);
  const double n = comm->nprocs;
  if (comm->me == 0)
    utils::logmesg(lmp, "fix bec {}: {} evaluations; mean over ranks: graph {:.4g} s, network {:.4g} s, "
                        "communication and waiting {:.4g} s, the rest {:.4g} s\n",
                   id, evaluations, sum[0] / n, sum[1] / n, sum[2] / n, sum[3] / n);
  seconds_graph = seconds_model = seconds_communication = seconds_all = 0.0;
  evaluations = 0;
}

}    // namespace bec_lammps
