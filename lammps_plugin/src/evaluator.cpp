#include "evaluator.h"

#include <stdexcept>

namespace bec_lammps {

namespace {

constexpr std::size_t MESSAGE_SIZE = 2048;
const char CHARGES[] = "charges", DIPOLE[] = "dipole";    // the read-outs

// Runs a function of the C interface, which takes room for a message and says whether it failed.
template <typename Function> void call(Function &&function)
{
  char message[MESSAGE_SIZE] = "";
  if (function(message)) throw std::runtime_error(message);
}

}    // namespace

Evaluator::Evaluator(const std::string &path, const std::string &level,
                     const std::vector<std::int32_t> &numbers, int n_threads)
{
  call([&](char *message) {
    model.reset(bec_model_load(path.c_str(), level.c_str(), numbers.data(), static_cast<int>(numbers.size()),
                               message, MESSAGE_SIZE));
    return model == nullptr;
  });
  derived = !bec_model_members(model.get(), CHARGES);
  if (derived && !bec_model_members(model.get(), DIPOLE))
    throw std::runtime_error("the model in " + path + " has neither the read-out charges nor the read-out dipole: take "
                             "one that predicts Born effective charges, or a polarization");
  call([&](char *message) {
    evaluation.reset(
        bec_evaluation_create(model.get(), derived ? DIPOLE : CHARGES, n_threads, message, MESSAGE_SIZE));
    return evaluation == nullptr;
  });
  n_species = static_cast<int>(numbers.size());
}

std::vector<double> Evaluator::ionic_charges() const
{
  std::vector<double> charges(n_species);
  call([&](char *message) { return bec_model_ionic_charges(model.get(), charges.data(), message, MESSAGE_SIZE); });
  return charges;
}

int Evaluator::members() const
{
  return bec_model_members(model.get(), derived ? DIPOLE : CHARGES);
}

void Evaluator::begin(const bec_graph &graph)
{
  call([&](char *message) { return bec_evaluation_begin(evaluation.get(), &graph, message, MESSAGE_SIZE); });
}

void Evaluator::layer(int index, const float *messages_in, float *messages_out)
{
  call([&](char *message) {
    return bec_evaluation_layer(evaluation.get(), index, messages_in, messages_out, message, MESSAGE_SIZE);
  });
}

void Evaluator::read_out(double *values, double *members)
{
  call([&](char *message) {
    return bec_evaluation_read_out(evaluation.get(), derived ? DIPOLE : CHARGES, values, members, message,
                                   MESSAGE_SIZE);
  });
}

void Evaluator::start_sweep(int lanes, const double *directions, int member)
{
  call([&](char *message) {
    return bec_evaluation_start_sweep(evaluation.get(), lanes, directions, member, message, MESSAGE_SIZE);
  });
}

void Evaluator::layer_adjoint(int index, const float *messages_in, const float *of_sent, float *of_messages)
{
  call([&](char *message) {
    return bec_evaluation_layer_adjoint(evaluation.get(), index, messages_in, of_sent, of_messages, message,
                                        MESSAGE_SIZE);
  });
}

void Evaluator::gradient(double *gradient) const
{
  call([&](char *message) { return bec_evaluation_gradient(evaluation.get(), gradient, message, MESSAGE_SIZE); });
}

}    // namespace bec_lammps
