// Which networks: the one that the script names, and another one that is asked about the same atoms.

#include "fix_bec.h"

#include "model_path.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "utils.h"

#include <exception>
#include <tuple>

using namespace LAMMPS_NS;

namespace bec_lammps {

namespace {

constexpr bigint MOST_ATOMS = 100000;    // derivatives of a polarization take 20 kB of memory for each

}    // namespace

// Every rank reads the file; all of them stop together if one of them cannot.
void FixBec::load_model()
{
  try {
    model_path = find_model(options.model);
    evaluator = std::make_unique<Evaluator>(model_path, options.level, options.numbers, options.threads);
    derived = evaluator->derives();
    if (derived) ionic_charges = evaluator->ionic_charges();
    training_domain.read(model_path, options.level, options.numbers, evaluator->members());
  } catch (const std::exception &problem) {
    failure = problem.what();
  }
  stop_if_any_failed();
  training_domain.agree(world);
}

// Once for each set of atoms, at the beginning of a run: it takes as long as four evaluations of the current.
void FixBec::ask_second()
{
  const SecondOpinion &other = training_domain.second();
  if (other.name.empty()) return;
  const std::uint64_t types = sum_over_atoms(&FixBec::type_hash);
  if (types == second_types) return;
  second_types = types;
  std::string unasked = other.problem;
  if (unasked.empty() && atom->natoms > MOST_ATOMS)
    unasked = fmt::format("it is asked about {} atoms at most", MOST_ATOMS);
  if (!unasked.empty()) {
    if (comm->me == 0) utils::logmesg(lmp, "fix bec {}: no second opinion of {}: {}\n", id, other.name, unasked);
    return;
  }

  const double kept[] = {seconds_graph, seconds_model, seconds_communication};
  std::unique_ptr<Evaluator> second;
  guarded(seconds_model, [&] {
    second = std::make_unique<Evaluator>(other.path, other.level, options.numbers, options.threads);
  });
  stop_if_any_failed();
  judging = false;    // the mean of the members is enough
  predict_tensors();
  stop_if_any_failed();
  const std::vector<double> own = raw_charges;
  exchange_networks(second);
  predict_tensors();
  stop_if_any_failed();
  exchange_networks(second);
  std::tie(seconds_graph, seconds_model, seconds_communication) = std::tie(kept[0], kept[1], kept[2]);

  std::vector<std::int32_t> counted(atom->nlocal);
  for (int i = 0; i < atom->nlocal; ++i) counted[i] = options.species_of_type[atom->type[i]];
  const Difference found = Difference::of(world, own, raw_charges, counted);
  if (comm->me != 0) return;
  const bool whole = !(found.whole <= other.limit), part = found.part > Difference::PART_FACTOR * other.limit;
  const std::string apart =
      fmt::format("the tensors of {} are {:.2g} e (r.m.s.) from those of {}", other.first,
                  part && !whole ? found.part : found.whole, other.name);
  if (whole || part)    // the words of familiarity.py
    error->warning(FLERR, fmt::format("fix bec {}: {}{}, more than for most compositions that neither has seen "
                                      "({:.2g} e): expect large errors",
                                      id, apart,
                                      whole ? "" : fmt::format(" at the {} atoms where it is largest", Difference::PART_ATOMS),
                                      other.limit));
  else
    utils::logmesg(lmp, "fix bec {}: {}, as for most compositions that neither has seen (limit {:.2g} e)\n", id, apart,
                   other.limit);
}

void FixBec::exchange_networks(std::unique_ptr<Evaluator> &other)
{
  std::swap(evaluator, other);
  derived = evaluator->derives();
  if (derived) ionic_charges = evaluator->ionic_charges();
  lists_changed = true;    // the cutoff may be another one
}

}    // namespace bec_lammps
