#include "training_domain.h"

#include "elements.h"
#include "model_path.h"
#include "tensor_file.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <stdexcept>

namespace bec_lammps {

namespace {

constexpr double FEW_STRUCTURES = 20;    // as on the Python side (familiarity.py)

// "Ti (3), Pb (11)"; a card without the block says nothing.
std::string elements_hardly_seen(const bec::Json &card, const std::vector<std::int32_t> &numbers)
{
  if (!card.has("training_structures")) return "";
  const bec::Json &counts = card.at("training_structures");
  double limit = 0;    // a model of one material has seen all of its elements in each structure
  for (const auto &element : counts.object) limit = std::max(limit, element.second.as_number());
  limit = std::min(limit, FEW_STRUCTURES);
  std::string text;
  for (const std::int32_t number : numbers) {
    const std::string symbol = chemical_symbol(number);
    const double count = counts.has(symbol) ? counts.at(symbol).as_number() : 0.0;
    if (count < limit)
      text += (text.empty() ? "" : ", ") + symbol + " (" + std::to_string(static_cast<long>(count)) + ")";
  }
  return text;
}

// Without a name if the card has none.
SecondOpinion second_opinion(const bec::Json &card, const std::string &level, const std::vector<std::int32_t> &numbers)
{
  SecondOpinion found;
  if (!card.has("second_opinion")) return found;
  try {
    const bec::Json &entry = card.at("second_opinion");
    found.name = entry.at("model").as_text();
    found.limit = entry.at("difference_e").as_number();
    found.first = card.has("name") ? card.at("name").as_text() : "the model";
    const std::string path = find_model(found.name);
    const bec::TensorFile file(path);
    const auto &levels = file.config().at("levels").as_list(), &elements = file.config().at("elements").as_list();
    const auto knows = [&](std::int32_t number) {
      return std::any_of(elements.begin(), elements.end(), [&](const auto &one) { return one.as_integer() == number; });
    };
    if (std::none_of(levels.begin(), levels.end(), [&](const auto &one) { return one.as_text() == level; }) ||
        !std::all_of(numbers.begin(), numbers.end(), knows))
      throw std::runtime_error("it does not know the level of theory or an element");
    found.cutoff = file.config().at("cutoff_ang").as_number();
    found.path = path;
    found.level = level;
  } catch (const std::exception &problem) {    // the run does without
    found.problem = problem.what();
  }
  return found;
}

}    // namespace

void TrainingDomain::read(const std::string &path, const std::string &level, const std::vector<std::int32_t> &numbers,
                          int members)
{
  n_members = members;
  limits.clear();
  const bec::TensorFile file(path);
  const bec::Json &card = file.card();
  few = elements_hardly_seen(card, numbers);
  other = second_opinion(card, level.empty() ? file.default_level() : level, numbers);
  if (members < 2 || !card.has("domain_uncertainty_e")) return;
  const bec::Json &known = card.at("domain_uncertainty_e");
  if (card.has("uncertainty_scale")) scale = card.at("uncertainty_scale").as_number();
  std::vector<double> found;
  for (const std::int32_t number : numbers) {
    const std::string symbol = chemical_symbol(number);
    if (!known.has(symbol)) return;
    found.push_back(known.at(symbol).as_number());
  }
  limits = found;
}

void TrainingDomain::agree(MPI_Comm world)
{
  const int missing = other.problem.empty() ? 0 : 1;
  int any = 0;
  MPI_Allreduce(&missing, &any, 1, MPI_INT, MPI_MAX, world);
  if (!any) return;
  other.cutoff = 0.0;
  if (other.problem.empty()) other.problem = "its file is not there for every rank";
}

// The sum rule is imposed on each member, as on the mean: Σ_i Z_i of a member is shared by all atoms.
double TrainingDomain::judge(MPI_Comm world, const std::vector<double> &members, const std::vector<std::int32_t> &species)
{
  const std::size_t width = 9 * static_cast<std::size_t>(n_members);
  std::vector<double> local(width + 1, 0.0), sum(width + 1);
  for (std::size_t i = 0; i < species.size(); ++i) {
    if (species[i] < 0) continue;
    for (std::size_t k = 0; k < width; ++k) local[k] += members[i * width + k];
    local[width] += 1.0;
  }
  MPI_Allreduce(local.data(), sum.data(), static_cast<int>(width) + 1, MPI_DOUBLE, MPI_SUM, world);
  double seen[4] = {0.0}, all[4];
  for (std::size_t i = 0; i < species.size(); ++i) {
    if (species[i] < 0) continue;
    double variance = 0.0;
    for (int k = 0; k < 9; ++k) {
      double mean = 0.0, square = 0.0;
      for (int m = 0; m < n_members; ++m) mean += members[i * width + 9 * m + k] - sum[9 * m + k] / sum[width];
      mean /= n_members;
      for (int m = 0; m < n_members; ++m) {
        const double apart = members[i * width + 9 * m + k] - sum[9 * m + k] / sum[width] - mean;
        square += apart * apart;
      }
      variance += square / (9.0 * (n_members - 1));
    }
    const double one = scale * std::sqrt(variance);
    seen[0] += one;
    seen[1] += limits[species[i]];
    seen[2] += one > limits[species[i]] ? 1.0 : 0.0;
    seen[3] += 1.0;
  }
  MPI_Allreduce(seen, all, 4, MPI_DOUBLE, MPI_SUM, world);
  total += all[0];
  total_limit += all[1];
  outside += all[2];
  atoms += all[3];
  ++count;
  return all[1] > 0.0 ? all[0] / all[1] : 0.0;
}

// As Doubt of Python (familiarity.py). The sum rule is imposed on both, wherefore their mean difference is nothing.
Difference Difference::of(MPI_Comm world, const std::vector<double> &tensors, const std::vector<double> &others,
                          const std::vector<std::int32_t> &species)
{
  double local[10] = {0.0}, sum[10];
  for (std::size_t i = 0; i < species.size(); ++i) {
    if (species[i] < 0) continue;
    for (int k = 0; k < 9; ++k) local[k] += tensors[9 * i + k] - others[9 * i + k];
    local[9] += 1.0;
  }
  MPI_Allreduce(local, sum, 10, MPI_DOUBLE, MPI_SUM, world);
  std::vector<double> squares;
  double total = 0.0, all = 0.0;
  for (std::size_t i = 0; i < species.size(); ++i) {
    if (species[i] < 0) continue;
    double square = 0.0;
    for (int k = 0; k < 9; ++k) square += std::pow(tensors[9 * i + k] - others[9 * i + k] - sum[k] / sum[9], 2) / 9.0;
    squares.push_back(square);
    total += square;
  }
  MPI_Allreduce(&total, &all, 1, MPI_DOUBLE, MPI_SUM, world);

  int ranks = 1;
  MPI_Comm_size(world, &ranks);
  std::sort(squares.begin(), squares.end(), std::greater<double>());
  squares.resize(PART_ATOMS, 0.0);
  std::vector<double> largest(static_cast<std::size_t>(PART_ATOMS) * ranks);
  MPI_Allgather(squares.data(), PART_ATOMS, MPI_DOUBLE, largest.data(), PART_ATOMS, MPI_DOUBLE, world);
  std::sort(largest.begin(), largest.end(), std::greater<double>());
  double part = 0.0;
  for (int i = 0; i < PART_ATOMS; ++i) part += largest[i];
  const double atoms = std::max(1.0, sum[9]);
  return {std::sqrt(all / atoms), std::sqrt(part / std::min<double>(PART_ATOMS, atoms))};
}

void TrainingDomain::clear()
{
  total = total_limit = outside = atoms = 0.0;
  count = 0;
}

}    // namespace bec_lammps
