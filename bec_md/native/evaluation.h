// Evaluation of a graph, layer by layer, in blocks of atoms.
#pragma once

#include <cstdint>
#include <vector>

#include "bec_native.h"
#include "buffer.h"
#include "model.h"

namespace bec {

// Atoms of a block: 12 rows of a scalar, 36 of a vector, 60 of a tensor fill the register tiles of the kernels.
constexpr int block_atoms = 12;

// Adds every part of `own` to `total`.
void add_profile(const bec_profile& own, bec_profile& total);

// Where raw tensors go, 9 numbers each; any of the arrays may be missing.
struct ReadOut {
    double* charges;
    double* members;
    double* polarizability;
    const std::int64_t* row;  // of each receiver in the arrays above; nullptr: its own index
};

// Intermediate results of one block; one per thread.
struct Scratch {
    Buffer<float> gathered, gathered_sent, left, middle, right, coupled, square, update, hidden, gates, row_scale,
        squares, edges, sent, members;
    bec_profile profile{};
};

class Evaluation {
public:
    Evaluation(const Model& model, int n_threads);

    void begin(const bec_graph& graph);
    // The same for a graph that needs no check, with radial functions made available by the caller.
    void begin_checked(const bec_graph& graph);
    // Radial functions of all pairs of these species; forget_pairs comes first for every graph.
    void forget_pairs() { tables_.start(); }
    void require_pairs(const std::vector<int>& species) { model_.radial->require(species, n_threads_, tables_); }
    // A graph that the evaluation finds by itself (neighbors.h).
    void begin(std::int64_t n_receivers, std::int64_t n_atoms, const std::int32_t* species, const double* positions);
    void layer(int t, const float* messages_in, float* messages_out);
    void read_out(const ReadOut& out);

    void use_threads(int n_threads);
    void measure(bool on) { measure_ = on; }
    void add_profile(bec_profile& total) const;
    const Model& model() const { return model_; }

private:
    friend class BlockWork;

    const Model& model_;
    int n_threads_;
    int next_layer_ = -1;
    bool measure_ = false;
    bec_graph graph_{};
    std::vector<std::int32_t> receivers_;  // in the order of processing: by species
    PairTables tables_;
    Buffer<float> state_;                  // [block][12][atom][channel]
    std::vector<Scratch> scratch_;
    Buffer<std::int64_t> own_first_;
    Buffer<std::int32_t> own_sender_;
    Buffer<float> own_vectors_;

    std::int64_t n_blocks() const;
    int atoms_in(std::int64_t block) const;
    float* state_of(std::int64_t block);
    void check(const bec_graph& graph) const;
};

}  // namespace bec
