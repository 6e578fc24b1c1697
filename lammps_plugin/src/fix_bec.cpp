#include "fix_bec.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "input.h"
#include "memory.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"
#include "utils.h"
#include "variable.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace bec_lammps {

/* ---------------------------------------------------------------------- */

FixBec::FixBec(LAMMPS *lammps, int narg, char **arg) : Fix(lammps, narg, arg)
{
  const std::string units = update->unit_style;
  if (units != "metal" && units != "real")
    error->all(FLERR, "fix bec works in Angstrom: use units metal or real, not " + units);
  if (domain->dimension != 3) error->all(FLERR, "fix bec needs a three-dimensional system: use dimension 3");
  try {
    options = FixBecOptions::parse(narg, arg, atom->ntypes);
  } catch (const ArgumentError &problem) {
    error->all(FLERR, problem.index, std::string("fix bec: ") + problem.what());
  }
  load_model();

  scalar_flag = vector_flag = 1;
  size_vector = 6;    // J, ∫J dt
  extscalar = extvector = 1;
  global_freq = 1;
  peratom_flag = 1;
  size_peratom_cols = 9;
  peratom_freq = 1;
  nevery = 1;
  energy_global_flag = 1;    // with `fix_modify energy yes`, see compute_scalar()
  restart_global = 1;
  maxexchange = 9;
  comm_forward = 2;
  if (derived)
    prepare_derived();
  else if (options.tensors || !options.groups.empty())
    error->all(FLERR, options.tensors ? options.tensors_argument : options.groups_argument,
               "fix bec: tensors and groups are for models that predict a polarization; the tensors of model " +
                   options.model + " are known at every evaluation: f_" + id + "[1] to [9] of the atoms");

  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nlocal; ++i) set_arrays(i);
}

FixBec::~FixBec()
{
  atom->delete_callback(id, Atom::GROW);
  memory->destroy(charges);
}

/* ---------------------------------------------------------------------- */

int FixBec::setmask()
{
  using namespace FixConst;
  return PRE_NEIGHBOR | PRE_FORCE | POST_FORCE | MIN_POST_FORCE | FINAL_INTEGRATE | END_OF_STEP | POST_RUN;
}

void FixBec::init()
{
  check_context();
  find_variables();

  // Ghost atoms are chosen when neighbor lists are built; until the next time a pair of atoms may approach
  // by the skin. One halo of the cutoff suffices for any number of layers, they exchange messages.
  const double cutoff = std::max(evaluator->cutoff(), training_domain.second().cutoff);
  const double ghost_cutoff = cutoff + neighbor->skin;
  const bool pair_suffices = force->pair && force->pair->cutforce >= cutoff;
  if (!pair_suffices) comm->cutghostuser = std::max(comm->cutghostuser, ghost_cutoff);
  if (!announced) announce(ghost_cutoff);
  // the screen has these of every run; a log that begins with read_restart, or after `log`, shows no command for them
  if (comm->me == 0 && logfile && update->whichflag == 1)
    fputs(fmt::format("  Unit style    : {}\n  Time step     : {}\n", update->unit_style, update->dt).c_str(), logfile);
  check_masses();
  reduced_positions = !modify->get_fix_by_style("^drude/transform").empty();
  if (derived) {
    find_groups();
    check_derived();
  }
  warn_of_few_structures();
}

void FixBec::check_context()
{
  if (strncmp(update->integrate_style, "respa", 5) == 0 && update->whichflag == 1)
    error->all(FLERR, "fix bec does not work with run_style respa: use run_style verlet");
  if (comm->mode != Comm::SINGLE)
    error->all(FLERR, "fix bec needs one ghost cutoff for all atoms: use comm_modify mode single");
  if (!options.has_field) return;
  if (update->whichflag == 2 && !derived)
    error->all(FLERR, "fix bec efield has no potential energy that a minimizer could follow (only its work is "
                      "known): minimize without efield, or relax by dynamics with fix viscous; or take a model that "
                      "predicts a polarization");
  if (update->whichflag == 2 && !thermo_energy)
    error->all(FLERR, std::string("a minimizer follows the potential energy, which lacks that of the field: fix_modify ")
                          + id + " energy yes");
  for (Fix *other : modify->get_fix_list())
    if (other->box_change && comm->me == 0)
      error->warning(FLERR, std::string("the pressure that fix ") + other->id + " sees lacks the part of fix bec "
                            "efield (converse piezoelectric stress), which it does not evaluate");
}

void FixBec::find_variables()
{
  for (int a = 0; a < 3; ++a) {
    const FieldComponent &component = options.field[a];
    field[a] = component.value;
    field_variable[a] = -1;
    if (component.variable.empty()) continue;
    field_variable[a] = input->variable->find(component.variable.c_str());
    if (field_variable[a] < 0)
      error->all(FLERR, "fix bec: variable " + component.variable + " named by efield does not exist: define it "
                        "with `variable " + component.variable + " equal ...` before the run");
    if (!input->variable->equalstyle(field_variable[a]))
      error->all(FLERR, "fix bec: variable " + component.variable + " named by efield must be of style equal: the "
                        "field is uniform");
  }
}

/* ---------------------------------------------------------------------- */

// A run continues the integrals only if nobody moved the clock since the last one.
void FixBec::begin_run(Step from)
{
  const double begin = now() - static_cast<double>(update->ntimestep - from) * update->dt;
  if (!in_run && (from != last_run_step || std::abs(begin - last_run_time) > 0.5 * update->dt)) continuous = false;
  in_run = true;
}

void FixBec::setup_pre_neighbor()
{
  farthest = 0.0;
  pre_neighbor();
}

void FixBec::pre_neighbor()
{
  listed_at.clear();
  if (atom->nlocal && (neighbor->build_once || !neighbor->dist_check))
    listed_at.assign(atom->x[0], atom->x[0] + 3 * atom->nlocal);
}

// Ghosts and neighbor lists are those of the run, and no fix has been set up yet.
void FixBec::setup_pre_force(int)
{
  check_ghosts();
  awaits_setup = true;
  charges_step = polarization_step = -1;
  lists_changed = true;
  // fixes before this one are set up first, and may ask for tensors of the atoms
  timed(seconds_all, [this] { refresh_charges(); });
  setup_state = sum_over_atoms(&FixBec::state_hash);
}

void FixBec::setup(int)
{
  awaits_setup = false;
  rerun_frames = in_run ? rerun_frames + 1 : 0;    // `rerun` sets up each of its frames
  begin_run(update->ntimestep);
  full_step = false;    // until forces are known
  forces_step = update->ntimestep;
  motion_before_setup = motion;
  if (setup_state != sum_over_atoms(&FixBec::state_hash)) {
    comm->forward_comm();    // shake leaves ghosts where they were
    charges_step = polarization_step = -1;
  }
  timed(seconds_all, [this] {
    refresh_charges();
    if (options.has_field) apply_field();
    full_step = true;
    sampled_step = -1;
    sample();
  });
  ask_second();
  if (rerun_frames > 0) check_rerun();
  check_integrators();
  setup_state = sum_over_atoms(&FixBec::state_hash);
  in_setup = true;
  watch_beads();
}

// Fixes that are set up later may have changed velocities and positions (rigid bodies, shake): J anew, once asked for.
void FixBec::sample_after_setup()
{
  const std::uint64_t state = sum_over_atoms(&FixBec::state_hash);
  if (setup_state == state) return;
  setup_state = state;
  comm->forward_comm();    // shake leaves ghosts where they were
  motion = motion_before_setup;
  charges_step = polarization_step = sampled_step = -1;
  timed(seconds_all, [this] {
    if (derived)
      evaluate_tensors();
    else
      refresh_charges();
    sample();
  });
}

// Forces may be computed several times in a step, for trial states of Monte Carlo moves. Only a field needs the
// tensors here; else they wait for the real state, which has the last word.
void FixBec::post_force(int)
{
  in_setup = false;
  full_step = false;    // velocities are half a step behind the positions from here on
  forces_step = update->ntimestep;
  if (charges_step == update->ntimestep) charges_step = -1;
  polarization_step = -1;
  if (!options.has_field) return;
  timed(seconds_all, [this] {
    if (!derived) refresh_charges();
    apply_field();
  });
}

void FixBec::final_integrate()
{
  full_step = true;
  begin_run(update->ntimestep - 1);    // `run N pre no` sets nothing up
  if (!reduced_positions) timed(seconds_all, [this] { refresh_charges(); });
}

void FixBec::end_of_step()
{
  full_step = true;
  timed(seconds_all, [this] { sample(); });
  check_beads();
}

void FixBec::post_run()
{
  reduce_totals();
  if (update->whichflag == 1) {
    last_run_step = update->ntimestep;
    last_run_time = now();
  }
  in_run = in_setup = false;
  report_run();
  report_lists();
  report_times();
}

void FixBec::min_setup(int vflag)
{
  setup_pre_neighbor();    // LAMMPS calls it for runs only
  check_ghosts();
  charges_step = -1;
  lists_changed = true;
  min_post_force(vflag);
}

// Nothing moves in time: tensors or polarization follow the structure, the integrals rest.
void FixBec::min_post_force(int)
{
  continuous = false;
  polarization_step = -1;
  if (due(derived ? std::max(1, options.tensors) : options.every)) charges_step = -1;    // several trials in one step
  timed(seconds_all, [this] {
    refresh_charges();
    if (!derived) return;
    if (options.has_field) apply_field();    // with P, unless the field is zero
    if (!field_acts() && due(options.every)) evaluate_current();
  });
}

/* ---------------------------------------------------------------------- */

// At multiples of `every`, and at the end of a run or minimization, which may come before the last step asked for.
bool FixBec::due(int every) const
{
  const Step step = update->ntimestep;
  return step % every == 0 || step == update->laststep || step == update->firststep + update->nsteps;
}

// Evaluate the network if it is time, or if atoms were added, removed, exchanged or moved by Monte Carlo.
void FixBec::refresh_charges()
{
  const Step step = update->ntimestep;
  if (charges_step == step) return;
  if (derived) {
    if (options.tensors && (charges_step < 0 || due(options.tensors))) evaluate_tensors();
    return;
  }
  if (charges_step < 0 || step % options.every == 0 || charges_atoms != atom->natoms || monte_carlo() ||
      charges_types != sum_over_atoms(&FixBec::type_hash))
    evaluate();
}

/* ---------------------------------------------------------------------- */

void FixBec::read_field()
{
  if (field_variable[0] < 0 && field_variable[1] < 0 && field_variable[2] < 0) return;
  modify->clearstep_compute();
  reading_field = true;
  for (int a = 0; a < 3; ++a)
    if (field_variable[a] >= 0) field[a] = input->variable->compute_equal(field_variable[a]);
  reading_field = false;
  modify->addstep_compute(update->ntimestep + 1);
}

// F_ib = Σ_a E_a Z[i,a,b]. No virial: the stress of the field is that of a strained polarization, which
// Born effective charges do not know.
void FixBec::apply_field()
{
  read_field();
  double **f = atom->f;
  const double scale = force->qe2f;
  if (derived) evaluate_field_forces();
  for (int i = 0; i < atom->nlocal; ++i) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *z = charges[i];
    for (int b = 0; b < 3; ++b)
      f[i][b] += derived ? field_forces[3 * i + b]
                         : scale * (field[0] * z[b] + field[1] * z[3 + b] + field[2] * z[6 + b]);
  }
}

double FixBec::now() const
{
  return update->atime + static_cast<double>(update->ntimestep - update->atimestep) * update->dt;
}

// J at the full step, and by the trapezoidal rule ∫J dt and the work ∫E·J dt; once in a step.
void FixBec::sample()
{
  if (sampled_step == update->ntimestep) return;
  if (reduced_positions) {    // those of Drude particles and their cores, until the end of the step
    comm->forward_comm();
    refresh_charges();
  }
  const double previous[4] = {current[0], current[1], current[2], power};
  const bool due = current_due();
  if (due && derived)
    evaluate_current();
  else if (due)
    sum_current();
  power = options.has_field ? local_power() : 0.0;
  if (continuous && now() > power_time) work += 0.5 * (now() - power_time) * (previous[3] + power);
  power_time = now();
  if (due) {
    if (continuous && now() > sample_time)
      for (int a = 0; a < 3; ++a) integral[a] += 0.5 * (now() - sample_time) * (previous[a] + current[a]);
    sample_time = now();
    current_step = update->ntimestep;
    current_velocities = local_velocities();
    if (in_run && (derived || charges_step == update->ntimestep)) observe_motion();
  }
  continuous = true;
  sampled_step = update->ntimestep;
  totals_valid = false;
}

// Held tensors give a current at every step; the rate of change of a polarization is that of an evaluation.
bool FixBec::current_due() const
{
  return !derived || sampled_step < 0 || due(options.every);
}

void FixBec::sum_current()
{
  std::fill(current, current + 3, 0.0);
  for (int i = 0; i < atom->nlocal; ++i) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *z = charges[i], *v = atom->v[i];
    for (int a = 0; a < 3; ++a) current[a] += z[3 * a] * v[0] + z[3 * a + 1] * v[1] + z[3 * a + 2] * v[2];
  }
}

// E·J of the group.
double FixBec::local_power() const
{
  double sum = 0.0;
  if (!derived) {
    for (int a = 0; a < 3; ++a) sum += force->qe2f * field[a] * current[a];
    return sum;
  }
  for (int i = 0; i < atom->nlocal; ++i)
    if (atom->mask[i] & groupbit)
      for (int b = 0; b < 3; ++b) sum += field_forces[3 * i + b] * atom->v[i][b];
  return sum;
}

// What is asked for when it is not this fix's turn: before it while a run is set up, or behind it when velocities have
// been rescaled since. J of now; what is integrated over time stays.
void FixBec::evaluate_now()
{
  awaits_setup = false;
  double kept[3];
  std::copy(current, current + 3, kept);
  timed(seconds_all, [this] {
    if (derived) {
      evaluate_current();
    } else {
      refresh_charges();
      sum_current();
    }
  });
  sum_totals();
  std::copy(kept, kept + 3, current);
}

// Thermostats that rescale, and fix momentum, do so at the end of a step, behind this fix if they were defined later.
// What fix gjf puts there are velocities of the half step.
bool FixBec::velocities_changed()
{
  if (current_step != update->ntimestep || !modify->get_fix_by_style("^gjf").empty()) return false;
  const std::uint64_t before = current_velocities;
  current_velocities = local_velocities();
  int changed = before != current_velocities, any = 0;
  MPI_Allreduce(&changed, &any, 1, MPI_INT, MPI_MAX, world);
  return any != 0;
}

void FixBec::reduce_totals()
{
  if (awaits_setup) return evaluate_now();
  if (in_setup) sample_after_setup();
  // another fix may ask at the end of the step before it is this fix's turn
  if (in_run && full_step && forces_step == update->ntimestep) {
    sample();
    if (velocities_changed()) return evaluate_now();
  }
  if (!totals_valid) sum_totals();
}

void FixBec::sum_totals()
{
  double local[7] = {current[0],  current[1],  current[2], integral[0],
                     integral[1], integral[2], work};
  MPI_Allreduce(local, totals, 7, MPI_DOUBLE, MPI_SUM, world);
  totals_valid = true;
}

// Work done by the field. LAMMPS adds the scalar to the potential energy after `fix_modify ID energy yes`;
// what makes the sum conserved is minus the work, or the energy −E·P of the field where P is known.
double FixBec::compute_scalar()
{
  if (thermo_energy && derived) return field_energy;
  reduce_totals();
  return thermo_energy ? -totals[6] : totals[6];
}

// J, ∫J dt, and of models that predict a polarization P and the work of the field.
double FixBec::compute_vector(int index)
{
  if (reading_field && index >= 6 && index < 9)
    follow_polarization();
  else
    reduce_totals();
  if (index < 6) return totals[index];
  return index < 9 ? polarization[index - 6] : totals[6];
}

// J of groups: of each the mean over the ensemble, then every member.
double FixBec::compute_array(int row, int column)
{
  reduce_totals();
  return currents[3 * static_cast<std::size_t>(row) + column];
}

}    // namespace bec_lammps
