#include "evaluation.h"

#include <algorithm>
#include <string>

#include "block.h"
#include "error.h"
#include "neighbors.h"
#include "parallel.h"

namespace bec {

void add_profile(const bec_profile& own, bec_profile& total) {
    total.neighbors_s += own.neighbors_s;
    total.gather_s += own.gather_s;
    total.mixing_s += own.mixing_s;
    total.products_s += own.products_s;
    total.readout_s += own.readout_s;
    total.mixing_flop += own.mixing_flop;
    total.products_flop += own.products_flop;
    total.gather_flop += own.gather_flop;
    total.atoms += own.atoms;
    total.edges += own.edges;
}

Evaluation::Evaluation(const Model& model, int n_threads) : model_(model) { use_threads(n_threads); }

void Evaluation::use_threads(int n_threads) {
    n_threads_ = std::max(1, n_threads);
    if (scratch_.size() < static_cast<std::size_t>(n_threads_)) scratch_.resize(static_cast<std::size_t>(n_threads_));
}

std::int64_t Evaluation::n_blocks() const {
    return (static_cast<std::int64_t>(receivers_.size()) + block_atoms - 1) / block_atoms;
}

int Evaluation::atoms_in(std::int64_t block) const {
    const auto left = static_cast<std::int64_t>(receivers_.size()) - block * block_atoms;
    return static_cast<int>(std::min<std::int64_t>(block_atoms, left));
}

float* Evaluation::state_of(std::int64_t block) {
    return state_.data() + block * block_atoms * state_rows * model_.width;
}

void Evaluation::check(const bec_graph& graph) const {
    const auto fail = [](const std::string& what) {
        throw Error("the graph is not valid: " + what, "every index is used to address memory",
                    "check the arrays given to bec_evaluation_begin");
    };
    if (graph.n_receivers < 0 || graph.n_atoms < graph.n_receivers)
        fail(std::to_string(graph.n_receivers) + " receivers of " + std::to_string(graph.n_atoms) + " atoms");
    if (graph.n_atoms == 0 || graph.n_receivers == 0) return;
    for (std::int64_t i = 0; i < graph.n_atoms; ++i)
        if (graph.species[i] < 0 || graph.species[i] >= model_.n_species)
            fail("species " + std::to_string(graph.species[i]) + " of atom " + std::to_string(i) + ", the model has " +
                 std::to_string(model_.n_species));
    for (std::int64_t i = 0; i < graph.n_receivers; ++i)
        if (graph.first[i + 1] < graph.first[i] || graph.first[0] < 0)
            fail("edges of receiver " + std::to_string(i) + " end before they start");
    for (std::int64_t e = graph.first[0]; e < graph.first[graph.n_receivers]; ++e)
        if (graph.sender[e] < 0 || graph.sender[e] >= graph.n_atoms)
            fail("sender " + std::to_string(graph.sender[e]) + " of edge " + std::to_string(e));
}

void Evaluation::begin(const bec_graph& graph) {
    next_layer_ = -1;
    check(graph);
    std::vector<bool> present(static_cast<std::size_t>(model_.n_species));
    for (std::int64_t i = 0; i < graph.n_atoms; ++i) present[static_cast<std::size_t>(graph.species[i])] = true;
    std::vector<int> species;
    for (int s = 0; s < model_.n_species; ++s)
        if (present[static_cast<std::size_t>(s)]) species.push_back(s);
    forget_pairs();
    require_pairs(species);
    begin_checked(graph);
}

void Evaluation::begin_checked(const bec_graph& graph) {
    graph_ = graph;
    // by species: atoms of a block then read the same radial tables
    receivers_.resize(static_cast<std::size_t>(graph.n_receivers));
    std::vector<std::int64_t> place(static_cast<std::size_t>(model_.n_species) + 1);
    for (std::int64_t i = 0; i < graph.n_receivers; ++i) ++place[graph.species[i] + 1];
    for (int s = 0; s < model_.n_species; ++s) place[s + 1] += place[s];
    for (std::int64_t i = 0; i < graph.n_receivers; ++i)
        receivers_[place[graph.species[i]]++] = static_cast<std::int32_t>(i);
    state_.require(static_cast<std::size_t>(n_blocks() * block_atoms * state_rows * model_.width));
    for (Scratch& scratch : scratch_) scratch.profile = bec_profile{};
    next_layer_ = 0;
}

void Evaluation::begin(std::int64_t n_receivers, std::int64_t n_atoms, const std::int32_t* species,
                       const double* positions) {
    const double no_cell[9] = {};
    const std::uint8_t open[3] = {};
    CellList cells;
    cells.build(n_atoms, positions, no_cell, open, model_.cutoff);
    EdgeList edges{own_first_, own_sender_, own_vectors_, 0};
    edges.first.require(static_cast<std::size_t>(n_receivers) + 1)[0] = 0;
    for (std::int64_t i = 0; i < n_receivers; ++i) cells.append_neighbors(i, 0, edges, i);
    begin({n_receivers, n_atoms, species, edges.first.data(), edges.sender.data(), edges.vectors.data()});
}

void Evaluation::layer(int t, const float* messages_in, float* messages_out) {
    const int count = static_cast<int>(model_.layers.size());
    if (t != next_layer_ || t >= count)
        throw Error("layer " + std::to_string(t) + " was asked for, layer " + std::to_string(next_layer_) + " of " +
                        std::to_string(count) + " is next",
                    "each layer needs the state that the one before left", "begin, then call layers in order");
    const Layer& layer = model_.layers[static_cast<std::size_t>(t)];
    if (graph_.n_receivers > 0 && ((messages_in == nullptr && !layer.first) || (messages_out == nullptr && !layer.last)))
        throw Error("messages of layer " + std::to_string(t) + " are missing",
                    "atoms need what their neighbors send", "give arrays of bec_model_message_width floats per atom");
    next_layer_ = -1;
    parallel_for(n_blocks(), n_threads_, [&](std::int64_t block, int thread) {
        BlockWork(*this, block, scratch_[static_cast<std::size_t>(thread)]).layer(layer, messages_in, messages_out);
    });
    next_layer_ = t + 1;
}

void Evaluation::read_out(const ReadOut& out) {
    if (next_layer_ != static_cast<int>(model_.layers.size()))
        throw Error("the read-out was asked for before the last layer", "it needs the last state of the atoms",
                    "call all layers in order first");
    parallel_for(n_blocks(), n_threads_, [&](std::int64_t block, int thread) {
        BlockWork(*this, block, scratch_[static_cast<std::size_t>(thread)]).read_out(out);
    });
}

void Evaluation::add_profile(bec_profile& total) const {
    for (const Scratch& scratch : scratch_) bec::add_profile(scratch.profile, total);
    total.atoms += graph_.n_receivers;
    if (graph_.n_receivers > 0) total.edges += graph_.first[graph_.n_receivers] - graph_.first[0];
}

}  // namespace bec
