// One layer for one block of atoms.
#pragma once

#include "evaluation.h"
#include "kernels.h"
#include "lap.h"

namespace bec {

class BlockWork {
public:
    // `state` [12][lane][atom][channel] is advanced by every layer.
    BlockWork(Evaluation& evaluation, std::int64_t block, Scratch& scratch, float* state, int lanes);

    void layer(const Layer& layer, const float* messages_in, float* messages_out);
    void read_out(const ReadOut& out);

protected:
    Evaluation& evaluation_;
    const Model& model_;
    const Kernels& kernels_;
    Scratch& scratch_;
    const std::int32_t* receivers_;  // of this block
    int atoms_;
    int lanes_;
    std::int64_t length_;  // floats of one lane of one component: atoms × channels
    float* state_;

    struct Part {
        float* data;
        int width;
    };

    int species(int atom) const { return evaluation_.graph_.species[receivers_[atom]]; }
    Lap lap(double bec_profile::*part) const { return Lap(evaluation_.measure_ ? &(scratch_.profile.*part) : nullptr); }
    bool updates(const Layer& layer, int irrep) const { return !layer.last || evaluation_.wanted_[irrep]; }
    // Floats between components of something with so many lanes and channels.
    std::int64_t step(int lanes, int width) const { return static_cast<std::int64_t>(lanes) * atoms_ * width; }
    EdgeCall edge_call(const Layer& layer, const float* messages, int message_lanes) const;
    void set_edges(EdgeCall& call, int layer, int atom);
    Part part(const Layer& layer, int irrep, int place, float* own) const;
    void multiply(const Segment* parts, int n_parts, int rows, const Weights& weights, float* out, bool accumulate,
                  const float* row_scale = nullptr);

    void start_state();
    void gather(const Layer& layer, const float* messages);
    void scale(const Layer& layer);
    void mix_inputs(const Layer& layer);
    void make_square(const Layer& layer);
    void update_state(const Layer& layer);
    void make_gates(const Layer& layer);
    void apply_gates(const Layer& layer);
    void send(const Layer& layer, float* messages);

private:
    void scale_rates(const Layer& layer, int irrep, const float* squares);
    int mixed_parts(const Layer& layer, int irrep, Segment* out) const;
    void couple(const CouplingList& list, const float* u, const float* v);
    void write_atom(const ReadOut& out, int atom, int lane, const float* spherical, int columns);
};

}  // namespace bec
