// fix ID group bec MODEL TYPE1 TYPE2 … [every N] [efield Ex Ey Ez] [sumrule yes|no] [threads N] [level NAME]
//                                       [charge Q] [tensors N] [groups ID1 ID2 …]
//
// Born effective charges Z[i,a,b] = ∂M_a/∂u_ib of a neural network during a simulation: the polarization
// current J_a = Σ_i Σ_b Z[i,a,b] v[i,b], its time integral, the tensors themselves, and the force of a
// uniform electric field, F_ib = Σ_a E_a Z[i,a,b].
//
// Of a model that predicts a polarization, the tensors are its derivatives: the current is its rate of change along
// the velocities (forward mode), the force of the field is −∂(−E·P)/∂u (reverse mode, one sweep), the tensors
// themselves take three sweeps and are made when they are asked for.

#ifndef BEC_LAMMPS_FIX_BEC_H
#define BEC_LAMMPS_FIX_BEC_H

#include "fix.h"

#include "cell_graph.h"
#include "evaluator.h"
#include "fix_bec_options.h"
#include "halo.h"
#include "motion.h"
#include "training_domain.h"

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace bec_lammps {

class FixBec : public LAMMPS_NS::Fix {
 public:
  FixBec(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg);
  ~FixBec() override;

  int setmask() override;
  void init() override;
  void setup_pre_neighbor() override;
  void pre_neighbor() override;
  void setup_pre_force(int vflag) override;
  void setup(int vflag) override;
  void min_setup(int vflag) override;
  void post_force(int vflag) override;
  void min_post_force(int vflag) override;
  void final_integrate() override;
  void end_of_step() override;
  void post_run() override;

  double compute_scalar() override;
  double compute_vector(int index) override;
  double compute_array(int row, int column) override;
  double memory_usage() override;

  int pack_forward_comm(int n, int *list, double *buf, int pbc_flag, int *pbc) override;
  void unpack_forward_comm(int n, int first, double *buf) override;
  void grow_arrays(int nmax) override;
  void copy_arrays(int i, int j, int delflag) override;
  void set_arrays(int i) override;
  int pack_exchange(int i, double *buf) override;
  int unpack_exchange(int nlocal, double *buf) override;
  void write_restart(FILE *file) override;
  void restart(char *buf) override;

  using Step = LAMMPS_NS::bigint;

 private:

  FixBecOptions options;
  std::unique_ptr<Evaluator> evaluator;
  std::string model_path;
  bool announced = false;

  // tensors of the local atoms, e; held between evaluations, they migrate with the atoms
  double **charges = nullptr;          // (nmax, 9), also array_atom
  Step charges_step = -1;              // step of their evaluation
  Step charges_atoms = -1;             // number of atoms in the system at that time
  std::uint64_t charges_types = 0;     // hash of IDs, types and group of all atoms at that time
  std::vector<double> raw_charges;     // (nlocal, 9) as the network gives them
  TrainingDomain training_domain;      // judged at some of the evaluations
  bool judging = false;                // at this one
  std::vector<double> raw_members;     // (nlocal, members, 9)
  std::uint64_t second_types = 0;      // hash of the atoms that another model was asked about

  CellGraph graph;
  Halo halo;
  bool lists_changed = true;                      // atoms or ghosts have other indices than in graph and halo
  Step lists_built = -1;                          // how often LAMMPS had built neighbor lists then
  std::vector<double> listed_at;                  // (nlocal, 3) then, where LAMMPS watches no distances
  double farthest = 0.0;                          // square of how far an atom went from there in this run, Å²
  std::vector<Owner> owners;                      // (nlocal + nghost)
  std::vector<std::int32_t> species;              // (nlocal + nghost), −1 for hidden atoms
  std::vector<std::int32_t> row_species;          // (halo.rows())
  std::vector<std::vector<float>> messages;       // (halo.rows(), lanes, width) into each layer
  std::string failure;                            // what went wrong on this rank

  // models that predict a polarization
  bool derived = false;
  std::vector<double> ionic_charges;              // (species) e, before the excess over the system is subtracted
  std::vector<int> group_bits;                    // of the fix and of the groups that were named
  std::vector<float> velocities;                  // (halo.rows(), groups, 3)
  std::vector<double> dipoles;                    // (nlocal, lanes, members, 3) e Å
  std::vector<float> adjoints[2];                 // (halo.rows(), lanes, width) of the messages
  std::vector<double> gradient;                   // (halo.rows(), lanes, 3) e
  std::vector<double> field_forces;               // (nlocal, 3) force units
  double polarization[3] = {0.0, 0.0, 0.0};       // e Å, all atoms
  Step polarization_step = -1;                    // of P, where the field may ask for it
  bool reading_field = false;                     // its variables are being evaluated
  double field_energy = 0.0;                      // −E·P
  std::vector<double> currents;                   // (groups, 1 + members, 3) mean and members, all ranks

  // local sums; the totals over all ranks are formed when somebody asks
  bool full_step = false;                  // velocities have reached the time of the positions …
  Step forces_step = -1;                   // … of this step
  Step sampled_step = -1;
  Step current_step = -1;                  // step of the current …
  std::uint64_t current_velocities = 0;    // … and hash of the velocities of this rank
  bool continuous = false;                 // the previous sample belongs to the same trajectory
  bool in_run = false;
  bool reduced_positions = false;          // by `fix drude/transform`, in the middle of a step
  bool awaits_setup = false;               // ghosts and neighbor lists are ready, setup() has not been called
  bool in_setup = false;                   // setup() has been called, and no step made
  std::uint64_t setup_state = 0;           // hash of positions and velocities then
  Step last_run_step = -1;
  double last_run_time = 0.0, sample_time = 0.0, power_time = 0.0;
  double current[3] = {0.0, 0.0, 0.0};     // e × velocity
  double power = 0.0;                      // energy/time
  double integral[3] = {0.0, 0.0, 0.0};    // e × length
  double work = 0.0;                       // energy
  bool totals_valid = false;
  double totals[7];                        // J, ∫J dt, work

  int field_variable[3] = {-1, -1, -1};
  double field[3] = {0.0, 0.0, 0.0};       // V/Å

  // wall time since the beginning of the run
  double seconds_graph = 0.0, seconds_model = 0.0, seconds_communication = 0.0, seconds_all = 0.0;
  Step evaluations = 0;
  Motion motion, motion_before_setup;      // means since the beginning of the run
  double removed_freedom = 0.0;            // by rigid bonds and bodies in it
  Step freedom_counted = 0;                // atoms there were then
  bool outside = false, warned_outside = false, warned_few = false;    // of the domain of the model
  bool checked_integrators = false;
  const Fix *path_integral = nullptr;      // whose velocities are to be compared with the motion
  Step lists_of_beads = -1;
  std::vector<double> bead_positions, bead_velocities;    // (nlocal, 3) of the step before
  int rerun_frames = 0;                    // set up within one run: those of `rerun`
  std::uint64_t rerun_velocities = 0;

  void load_model();
  void check_context();
  void find_variables();
  void announce(double ghost_cutoff);
  void report_times();
  void report_run();

  void refresh_charges();
  bool monte_carlo() const;
  std::uint64_t sum_over_atoms(std::uint64_t (FixBec::*of_atom)(int) const) const;
  std::uint64_t type_hash(int i) const;
  std::uint64_t velocity_hash(int i) const;
  std::uint64_t state_hash(int i) const;
  std::uint64_t local_velocities() const;
  void check_masses() const;
  void check_ghosts() const;
  void check_rerun();
  void check_integrators();
  void watch_beads();
  void check_beads();
  bool time_to_judge() const;
  void warn_of_few_structures();
  void judge_domain();
  void ask_second();
  void exchange_networks(std::unique_ptr<Evaluator> &other);
  void observe_motion();
  void evaluate();
  void predict_tensors();
  void plan_exchange();
  void watch_lists();
  void report_lists();
  void build_graph();
  void prepare();
  void forward(int layers, int tangents, bool reverse);
  void differentiate(int lanes, const double *directions, int member);
  void impose_sum_rule();
  void stop_if_any_failed();
  void stop_on_failure(bool any_failed);
  template <typename Function> void timed(double &seconds, Function &&function);
  template <typename Function> void guarded(double &seconds, Function &&function);

  void read_field();
  void apply_field();
  double now() const;
  bool field_acts() const { return field[0] != 0.0 || field[1] != 0.0 || field[2] != 0.0; }
  void sample();
  void sample_after_setup();
  bool due(int every) const;
  bool current_due() const;
  void sum_current();
  double local_power() const;
  void begin_run(Step from);
  void evaluate_now();
  bool velocities_changed();
  void reduce_totals();
  void sum_totals();

  // of a polarization
  struct Ions;
  void prepare_derived();
  void check_derived();
  void find_groups();
  bool visible(int i) const { return options.species_of_type[atom_type(i)] >= 0; }
  int atom_type(int i) const;
  void set_velocities();
  Ions sum_ions() const;
  void evaluate_current();
  void follow_polarization();
  void evaluate_field_forces();
  void evaluate_tensors();
  void derive_tensors();
  void gradients_to_tensors(double *tensors, std::size_t stride) const;
};

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

}    // namespace bec_lammps

#endif
