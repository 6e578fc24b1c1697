// Evaluation of a graph, layer by layer, in blocks of atoms: values, rates of change along velocities (forward
// mode) and derivatives by the positions (reverse mode).
#pragma once

#include <cstdint>
#include <vector>

#include "bec_native.h"
#include "buffer.h"
#include "model.h"
#include "thread_pool.h"

namespace bec {

// Adds every part of `own` to `total`.
void add_profile(const bec_profile& own, bec_profile& total);

// Where the shares of one head go; either array may be missing.
struct ReadOut {
    const Head* head;
    double* values;           // [rows × lanes × components] mean over the members
    double* members;          // [rows × lanes × M × components]
    const std::int64_t* row;  // of each receiver in the arrays above; nullptr: its own index
};

// Derivatives of Σ_j e_a · p_j, e_a a direction for each lane, p_j the dipoles of one member or their mean (−1).
struct Sweep {
    int lanes = 0;  // 1 or 3
    float direction[3][3] = {};
    int member = -1;
};

// Intermediate results of one block; one per thread.
struct Scratch {
    Buffer<float> gathered, gathered_sent, own, left, middle, right, coupled, square, update, hidden, slope, gates,
        row_scale, squares, edges, sent, members, state;
    // adjoints
    Buffer<float> of_gathered, of_gathered_sent, of_own, of_left, of_middle, of_right, of_square, of_coupled, of_hidden,
        of_gates, of_sent, lane_scale;
    bec_profile profile{};
};

class Evaluation {
public:
    explicit Evaluation(const Model& model) : model_(model) {}

    // Only what these heads need is evaluated in the last layer; all heads when nothing is said.
    void want(std::vector<const Head*> heads);
    // The pool is used until the last call for this graph.
    void begin(const bec_graph& graph, ThreadPool& pool);
    // The same for a graph that needs no check, with radial functions made available by the caller.
    void begin_checked(const bec_graph& graph, ThreadPool& pool);
    // Radial functions of all pairs of these species; forget_pairs comes first for every graph.
    void forget_pairs() { tables_.start(); }
    void require_pairs(const std::vector<int>& species, ThreadPool& pool) { model_.radial->require(species, pool, tables_); }

    void layer(int t, const float* messages_in, float* messages_out);
    void read_out(const ReadOut& out);

    // Reverse mode, for a graph with `reverse`: after the layers before the last one, layers from the last to the
    // first. The last layer is evaluated here, a read-out may follow it. Several sweeps may follow each other.
    void start_sweep(const Sweep& sweep);
    // messages_in as in layer(); of_sent [receivers × lanes × width(t + 1)] adjoints of what they sent (nullptr
    // after the last layer); of_messages [atoms × lanes × width(t)] adjoints of messages_in are written.
    void layer_adjoint(int t, const float* messages_in, const float* of_sent, float* of_messages);
    // [atoms × lanes × 4] derivatives by the positions of receivers and ghosts; the fourth number is not used.
    const float* gradient() const { return gradient_.data(); }
    void write_gradient(double* gradient) const;  // [atoms × lanes × 3]

    void measure(bool on) { measure_ = on; }
    void add_profile(bec_profile& total) const;
    const Model& model() const { return model_; }

private:
    friend class BlockWork;
    friend class BlockAdjoint;

    const Model& model_;
    ThreadPool* pool_ = nullptr;
    int next_layer_ = -1;
    bool measure_ = false;
    bec_graph graph_{};
    int lanes_ = 1;         // values and rates of change
    int block_atoms_ = 12;
    bool wanted_[n_state] = {};            // irreps of the last state
    std::vector<const Head*> heads_;
    std::vector<std::int32_t> receivers_;  // in the order of processing: by species
    PairTables tables_;
    Buffer<float> state_;                  // [block][12][lane][atom][channel]
    std::vector<Buffer<float>> before_;    // values of the state before each layer, for reverse mode
    std::vector<Scratch> scratch_;

    Sweep sweep_;
    int next_adjoint_ = -1;
    Buffer<float> of_state_;  // [block][12][lane][atom][channel]
    Buffer<float> gradient_;
    std::vector<Buffer<float>> chunk_messages_, chunk_gradients_;

    std::int64_t n_blocks() const;
    std::int64_t block_floats(int lanes) const { return std::int64_t{block_atoms_} * state_rows * model_.width * lanes; }
    int atoms_in(std::int64_t block) const;
    void check(const bec_graph& graph) const;
    void keep_states(int layer);
    void sweep_chunks(const Layer& layer, const float* messages_in, const float* of_sent, float* of_messages);
};

}  // namespace bec
