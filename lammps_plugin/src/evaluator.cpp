#include "evaluator.h"

#include <stdexcept>

namespace bec_lammps {

namespace {

constexpr std::size_t MESSAGE_SIZE = 2048;
const char CHARGES[] = "charges";    // the read-out

}    // namespace

Evaluator::Evaluator(const std::string &path, const std::string &level,
                     const std::vector<std::int32_t> &numbers, int n_threads)
{
  char message[MESSAGE_SIZE] = "";
  model.reset(bec_model_load(path.c_str(), level.c_str(), numbers.data(), static_cast<int>(numbers.size()),
                             message, MESSAGE_SIZE));
  if (!model) throw std::runtime_error(message);
  if (!bec_model_members(model.get(), CHARGES))
    throw std::runtime_error("the model in " + path + " predicts a polarization; fix bec takes tensors from the "
                             "read-out charges: use such a model, or record the run and use bec-md spectrum on it");
  evaluation.reset(bec_evaluation_create(model.get(), CHARGES, n_threads, message, MESSAGE_SIZE));
  if (!evaluation) throw std::runtime_error(message);
}

int Evaluator::members() const
{
  return bec_model_members(model.get(), CHARGES);
}

void Evaluator::begin(const bec_graph &graph)
{
  char message[MESSAGE_SIZE] = "";
  if (bec_evaluation_begin(evaluation.get(), &graph, message, MESSAGE_SIZE)) throw std::runtime_error(message);
}

void Evaluator::layer(int index, const float *messages_in, float *messages_out)
{
  char message[MESSAGE_SIZE] = "";
  if (bec_evaluation_layer(evaluation.get(), index, messages_in, messages_out, message, MESSAGE_SIZE))
    throw std::runtime_error(message);
}

void Evaluator::read_out(double *charges, double *members)
{
  char message[MESSAGE_SIZE] = "";
  if (bec_evaluation_read_out(evaluation.get(), CHARGES, charges, members, message, MESSAGE_SIZE))
    throw std::runtime_error(message);
}

}    // namespace bec_lammps
