// Whole frames: neighbors, network, sum rule.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "bec_native.h"
#include "model.h"

namespace bec {

class Group;  // evaluates some frames at a time

// A model with memory that is kept from one batch to the next: mapping it anew costs more than some layers.
class FrameEvaluator {
public:
    explicit FrameEvaluator(Model model);
    ~FrameEvaluator();

    const Model& model() const { return model_; }
    // May be called by several threads at once.
    void evaluate(const bec_frames& frames, int n_threads, bool sum_rule, double* charges, double* members,
                  double* eps_inf, bec_profile* profile) const;

private:
    Model model_;
    mutable std::mutex guard_;
    mutable std::vector<std::unique_ptr<Group>> idle_;

    std::unique_ptr<Group> take(int n_threads) const;
    void give_back(std::unique_ptr<Group> group) const;
};

}  // namespace bec
