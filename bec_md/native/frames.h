// Whole frames: neighbors, network, sum rule.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "bec_native.h"
#include "model.h"

namespace bec {

struct FrameTeam;  // threads that evaluate some frames at a time

// A model with threads and memory that are kept from one batch to the next: mapping memory anew costs more than
// some layers.
class FrameEvaluator {
public:
    explicit FrameEvaluator(Model model);
    ~FrameEvaluator();

    const Model& model() const { return model_; }
    // May be called by several threads at once.
    void evaluate(const bec_frames& frames, int n_threads, bool sum_rule, const bec_output* outputs, int n_outputs,
                  bec_profile* profile) const;

private:
    Model model_;
    mutable std::mutex guard_;
    mutable std::vector<std::unique_ptr<FrameTeam>> idle_;

    std::unique_ptr<FrameTeam> take(int n_threads) const;
    void give_back(std::unique_ptr<FrameTeam> team) const;
};

}  // namespace bec
