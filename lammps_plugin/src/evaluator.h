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

  double cutoff() const { return bec_model_cutoff(model.get()); }
  int layers() const { return bec_model_layers(model.get()); }
  // Floats per atom that a layer needs from the atoms' neighbors.
  int message_width(int layer) const { return bec_model_message_width(model.get(), layer); }

  void begin(const bec_graph &graph);
  void layer(int index, const float *messages_in, float *messages_out);
  int members() const;
  void read_out(double *charges, double *members = nullptr);    // (n × 9), (n × M × 9)

 private:
  std::unique_ptr<bec_model, void (*)(bec_model *)> model{nullptr, bec_model_free};
  std::unique_ptr<bec_evaluation, void (*)(bec_evaluation *)> evaluation{nullptr, bec_evaluation_free};
};

}    // namespace bec_lammps

#endif
