// Whole frames: neighbors, network, sum rule.
#pragma once

#include "bec_native.h"
#include "model.h"

namespace bec {

void evaluate_frames(const Model& model, const bec_frames& frames, int n_threads, bool sum_rule, double* charges,
                     double* members, double* eps_inf, bec_profile* profile);

}  // namespace bec
