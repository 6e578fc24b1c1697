// One layer for one block of atoms.
#pragma once

#include "evaluation.h"
#include "kernels.h"

namespace bec {

class BlockWork {
public:
    BlockWork(Evaluation& evaluation, std::int64_t block, Scratch& scratch);

    void layer(const Layer& layer, const float* messages_in, float* messages_out);
    void read_out(const ReadOut& out);

private:
    Evaluation& evaluation_;
    const Model& model_;
    const Kernels& kernels_;
    Scratch& scratch_;
    const std::int32_t* receivers_;  // of this block
    int atoms_;
    float* state_;
    std::int64_t length_;  // floats of one component: atoms × channels

    int species(int atom) const { return evaluation_.graph_.species[receivers_[atom]]; }
    void start_state();
    void gather(const Layer& layer, const float* messages);
    void scale(const Layer& layer);
    int segments(const Layer& layer, int irrep, Segment* out) const;
    void mix_inputs(const Layer& layer);
    void make_square(const Layer& layer);
    void update_state(const Layer& layer);
    void gate(const Layer& layer);
    void send(const Layer& layer, float* messages);
    void multiply(const Segment* parts, int n_parts, int rows, const Weights& weights, float* out,
                  const float* row_scale, bool accumulate);
    void couple(const CouplingList& list, const float* u, const float* v);
    double now() const;
};

}  // namespace bec
