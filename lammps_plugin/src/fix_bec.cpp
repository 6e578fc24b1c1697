#include "fix_bec.h"

#include "elements.h"
#include "model_path.h"

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

FixBec::FixBec(LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg)
{
  const std::string units = update->unit_style;
  if (units != "metal" && units != "real")
    error->all(FLERR, "fix bec works in Angstrom: use units metal or real, not " + units);
  if (domain->dimension != 3) error->all(FLERR, "fix bec needs a three-dimensional system");
  try {
    options = FixBecOptions::parse(narg, arg, atom->ntypes);
  } catch (const ArgumentError &problem) {
    error->all(FLERR, problem.index, std::string("fix bec: ") + problem.what());
  }
  load_model();

  scalar_flag = vector_flag = 1;
  size_vector = 6;
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

  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nlocal; ++i) set_arrays(i);
}

FixBec::~FixBec()
{
  atom->delete_callback(id, Atom::GROW);
  memory->destroy(charges);
}

// Every rank reads the file; all of them stop together if one of them cannot.
void FixBec::load_model()
{
  try {
    model_path = find_model(options.model);
    evaluator = std::make_unique<Evaluator>(model_path, options.level, options.numbers, options.threads);
    training_domain.read(model_path, options.numbers, evaluator->members());
  } catch (const std::exception &problem) {
    failure = problem.what();
  }
  int failed = failure.empty() ? 0 : 1, any = 0;
  MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, world);
  stop_on_failure(any != 0);
}

/* ---------------------------------------------------------------------- */

int FixBec::setmask()
{
  using namespace FixConst;
  return POST_FORCE | MIN_POST_FORCE | FINAL_INTEGRATE | END_OF_STEP | POST_RUN;
}

void FixBec::init()
{
  check_context();
  find_variables();

  // Ghost atoms are chosen when neighbor lists are built; until the next time a pair of atoms may approach
  // by the skin. One halo of the cutoff suffices for any number of layers, they exchange messages.
  const double ghost_cutoff = evaluator->cutoff() + neighbor->skin;
  const bool pair_suffices = force->pair && force->pair->cutforce >= evaluator->cutoff();
  if (!pair_suffices) comm->cutghostuser = std::max(comm->cutghostuser, ghost_cutoff);
  if (!announced) announce(ghost_cutoff);
}

void FixBec::check_context()
{
  if (strncmp(update->integrate_style, "respa", 5) == 0 && update->whichflag == 1)
    error->all(FLERR, "fix bec does not work with run_style respa: use run_style verlet");
  if (comm->mode != Comm::SINGLE)
    error->all(FLERR, "fix bec needs one ghost cutoff for all atoms: use comm_modify mode single");
  if (!options.has_field) return;
  if (update->whichflag == 2)
    error->all(FLERR, "fix bec efield has no potential energy that a minimizer could follow (only its work is "
                      "known): minimize without efield, or relax by dynamics with fix viscous");
  for (Fix *other : modify->get_fix_list())
    if (other->box_change && comm->me == 0)
      error->warning(FLERR, std::string("the pressure that fix ") + other->id + " sees lacks the part of fix bec "
                            "efield (converse piezoelectric stress): it cannot be had from Born effective charges");
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
  utils::logmesg(lmp, "  atom types {}; tensors every {} step(s); sum rule {} (net charge {:g} e); ghost cutoff "
                      ">= {:.3g} A\n",
                 types, options.every, options.sum_rule ? "imposed" : "not imposed", options.total_charge,
                 ghost_cutoff);
  if (options.has_field && thermo_energy)
    utils::logmesg(lmp, "  fix_modify energy yes: the scalar of fix {} is minus the work done by the field\n", id);
}

/* ---------------------------------------------------------------------- */

void FixBec::setup(int)
{
  // A new run continues the integrals only if nobody moved the clock since the last one.
  if (!in_run && update->ntimestep != last_run_step) continuous = false;
  rerun_frames = in_run ? rerun_frames + 1 : 0;    // `rerun` sets up each of its frames
  in_run = true;
  full_step = true;
  forces_step = update->ntimestep;
  charges_step = -1;
  lists_changed = true;
  timed(seconds_all, [this] {
    refresh_charges();
    if (options.has_field) apply_field();
    sampled_step = -1;
    sample();
  });
  if (rerun_frames > 0) check_rerun();
  check_integrators();
}

// Forces may be computed several times in a step, for trial states of Monte Carlo moves. Only a field needs the
// tensors here; else they wait for the real state, which has the last word.
void FixBec::post_force(int)
{
  full_step = false;    // velocities are half a step behind the positions from here on
  forces_step = update->ntimestep;
  if (charges_step == update->ntimestep) charges_step = -1;
  if (!options.has_field) return;
  timed(seconds_all, [this] {
    refresh_charges();
    apply_field();
  });
}

void FixBec::final_integrate()
{
  full_step = true;
  timed(seconds_all, [this] { refresh_charges(); });
}

void FixBec::end_of_step()
{
  full_step = true;
  timed(seconds_all, [this] { sample(); });
}

void FixBec::post_run()
{
  if (update->whichflag == 1) last_run_step = update->ntimestep;
  in_run = false;
  report_run();
  report_times();
}

void FixBec::min_setup(int vflag)
{
  charges_step = -1;
  lists_changed = true;
  min_post_force(vflag);
}

// Nothing moves in time: the tensors follow the structure, the integrals rest.
void FixBec::min_post_force(int)
{
  continuous = false;
  if (update->ntimestep % options.every == 0) charges_step = -1;    // several trial structures in one step
  timed(seconds_all, [this] { refresh_charges(); });
}

/* ---------------------------------------------------------------------- */

// Evaluate the network if it is time, or if atoms were added, removed, exchanged or moved by Monte Carlo.
void FixBec::refresh_charges()
{
  const Step step = update->ntimestep;
  if (charges_step == step) return;
  if (charges_step < 0 || step % options.every == 0 || charges_atoms != atom->natoms || monte_carlo() ||
      charges_types != sum_over_atoms(&FixBec::type_hash))
    evaluate();
}

template <typename Function> void FixBec::timed(double &seconds, Function &&function)
{
  const auto start = std::chrono::steady_clock::now();
  function();
  seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Errors inside are kept until all ranks can stop together: none of them may miss a communication.
template <typename Function> void FixBec::guarded(double &seconds, Function &&function)
{
  timed(seconds, [&] {
    try {
      if (failure.empty()) function();
    } catch (const std::exception &problem) {
      failure = problem.what();
    }
  });
}

void FixBec::evaluate()
{
  failure.clear();
  timed(seconds_communication, [this] { plan_exchange(); });
  guarded(seconds_graph, [this] { build_graph(); });
  run_layers();
  impose_sum_rule();
  charges_step = update->ntimestep;
  charges_atoms = atom->natoms;
  charges_types = sum_over_atoms(&FixBec::type_hash);
  ++evaluations;
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
  species.resize(n_all);
  for (int i = 0; i < n_all; ++i) species[i] = options.species_of_type[atom->type[i]];
  graph.update(atom->nlocal, n_all, atom->x, species.data(), halo.row_of.data(), evaluator->cutoff());
  // hidden atoms have no edges: which species they count as does not matter to the network
  row_species.resize(halo.rows());
  for (int row = 0; row < halo.rows(); ++row) row_species[row] = std::max(species[halo.atom_of[row]], 0);
}

void FixBec::run_layers()
{
  const int nlocal = atom->nlocal;
  const int layers = evaluator->layers();
  raw_charges.resize(9 * static_cast<std::size_t>(nlocal));
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
    evaluator->begin(view);
  });
  for (int layer = 0; layer < layers; ++layer) {
    const bool last = layer + 1 == layers;
    const int width = last ? 0 : evaluator->message_width(layer + 1);
    messages_next.resize(static_cast<std::size_t>(width) * halo.rows());
    guarded(seconds_model, [&] {
      if (nlocal)
        evaluator->layer(layer, layer ? messages.data() : nullptr, last ? nullptr : messages_next.data());
    });
    messages.swap(messages_next);
    if (width) timed(seconds_communication, [&] { halo.exchange(messages.data(), width); });
  }
  guarded(seconds_model, [&] {
    if (!nlocal) return;
    if (!judging()) return evaluator->read_out(raw_charges.data());
    raw_members.resize(raw_charges.size() * evaluator->members());
    evaluator->read_out(raw_charges.data(), raw_members.data());
  });
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
  if (judging()) judge_domain();

  double excess[9] = {0.0};
  if (options.sum_rule && global[9] > 0.0)
    for (int k = 0; k < 9; ++k) excess[k] = (global[k] - (k % 4 == 0 ? options.total_charge : 0.0)) / global[9];
  for (int i = 0; i < nlocal; ++i) {
    const bool shown = (atom->mask[i] & groupbit) && options.species_of_type[atom->type[i]] >= 0;
    for (int k = 0; k < 9; ++k)
      charges[i][k] = shown ? raw_charges[9 * static_cast<std::size_t>(i) + k] - excess[k] : 0.0;
  }
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

/* ---------------------------------------------------------------------- */

// F_ib = Σ_a E_a Z[i,a,b]. No virial: the stress of the field is that of a strained polarization, which
// Born effective charges do not know.
void FixBec::apply_field()
{
  const bool varies = field_variable[0] >= 0 || field_variable[1] >= 0 || field_variable[2] >= 0;
  if (varies) {
    modify->clearstep_compute();
    for (int a = 0; a < 3; ++a)
      if (field_variable[a] >= 0) field[a] = input->variable->compute_equal(field_variable[a]);
    modify->addstep_compute(update->ntimestep + 1);
  }
  double **f = atom->f;
  const double scale = force->qe2f;
  for (int i = 0; i < atom->nlocal; ++i) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *z = charges[i];
    for (int b = 0; b < 3; ++b) f[i][b] += scale * (field[0] * z[b] + field[1] * z[3 + b] + field[2] * z[6 + b]);
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
  const double previous[4] = {current[0], current[1], current[2], power};
  std::fill(current, current + 3, 0.0);
  for (int i = 0; i < atom->nlocal; ++i) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *z = charges[i], *v = atom->v[i];
    for (int a = 0; a < 3; ++a) current[a] += z[3 * a] * v[0] + z[3 * a + 1] * v[1] + z[3 * a + 2] * v[2];
  }
  power = 0.0;
  if (options.has_field)
    for (int a = 0; a < 3; ++a) power += force->qe2f * field[a] * current[a];

  const double elapsed = now() - sample_time;
  if (continuous && elapsed > 0.0) {
    for (int a = 0; a < 3; ++a) integral[a] += 0.5 * elapsed * (previous[a] + current[a]);
    work += 0.5 * elapsed * (previous[3] + power);
  }
  if (in_run && charges_step == update->ntimestep) observe_motion();
  continuous = true;
  sample_time = now();
  sampled_step = update->ntimestep;
  totals_valid = false;
}

void FixBec::reduce_totals()
{
  // another fix may ask at the end of the step before it is this fix's turn
  if (in_run && full_step && forces_step == update->ntimestep) sample();
  if (totals_valid) return;
  double local[7] = {current[0],  current[1],  current[2], integral[0],
                     integral[1], integral[2], work};
  MPI_Allreduce(local, totals, 7, MPI_DOUBLE, MPI_SUM, world);
  totals_valid = true;
}

// Work done by the field. LAMMPS adds the scalar to the potential energy after `fix_modify ID energy yes`;
// what makes the sum conserved is minus the work.
double FixBec::compute_scalar()
{
  reduce_totals();
  return thermo_energy ? -totals[6] : totals[6];
}

double FixBec::compute_vector(int index)
{
  reduce_totals();
  return totals[index];
}

}    // namespace bec_lammps
