// The native network, owned by one fix: C handles wrapped, errors turned into exceptions.

#ifndef BEC_LAMMPS_EVALUATOR_H
#define BEC_LAMMPS_EVALUATOR_H

#include "bec_native.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bec_lammps {

class Evaluator {
 public:
  // Throws std::runtime_error with the cause and the way out.
  Evaluator(const std::string &path, const std::string &level, const std::vector<std::int32_t> &numbers,
            int n_threads);

  // Whether tensors are derivatives of a dipole, rather than read out themselves.
  bool derives() const { return derived; }
  // (species) charge that moves with the atoms of a model with a dipole, e
  std::vector<double> ionic_charges() const;

  double cutoff() const { return bec_model_cutoff(model.get()); }
  int layers() const { return bec_model_layers(model.get()); }
  // Floats per atom that a layer needs from the atoms' neighbors.
  int message_width(int layer) const { return bec_model_message_width(model.get(), layer); }

  void begin(const bec_graph &graph);
  void layer(int index, const float *messages_in, float *messages_out);
  int members() const;
  // Tensors (n × 9), (n × M × 9), or dipoles (n × lanes × 3), (n × lanes × M × 3); either may be missing.
  void read_out(double *values, double *members);

  // Reverse mode, from the last layer to the first one; see bec_native.h.
  void start_sweep(int lanes, const double *directions, int member);
  void layer_adjoint(int index, const float *messages_in, const float *of_sent, float *of_messages);
  void gradient(double *gradient) const;    // (rows × lanes × 3)

 private:
  bool derived = false;
  int n_species = 0;
  std::unique_ptr<bec_model, void (*)(bec_model *)> model{nullptr, bec_model_free};
  std::unique_ptr<bec_evaluation, void (*)(bec_evaluation *)> evaluation{nullptr, bec_evaluation_free};
};

}    // namespace bec_lammps

#endif
