#include "evaluation.h"

#include <algorithm>
#include <string>

#include "block.h"
#include "block_adjoint.h"
#include "error.h"

namespace bec {
namespace {

// Rows of a block fill the register tiles of the kernels: 12 or 6 atoms have 12 rows of a scalar in one or two
// lanes, 36 and 60 of vectors and tensors; with more lanes the arrays of a block would leave the caches.
constexpr int atoms_of_values = 12, atoms_of_lanes = 6;

// Adjoints are scattered to neighbors: parts of the receivers have sums of their own, which are then added in
// order. Their number depends on the graph alone, so that results do not depend on threads.
constexpr std::int64_t blocks_of_chunk = 32, most_chunks = 8;

}  // namespace

void add_profile(const bec_profile& own, bec_profile& total) {
    total.neighbors_s += own.neighbors_s;
    total.gather_s += own.gather_s;
    total.mixing_s += own.mixing_s;
    total.products_s += own.products_s;
    total.adjoint_s += own.adjoint_s;
    total.readout_s += own.readout_s;
    total.mixing_flop += own.mixing_flop;
    total.products_flop += own.products_flop;
    total.gather_flop += own.gather_flop;
    total.atoms += own.atoms;
    total.edges += own.edges;
}

std::int64_t Evaluation::n_blocks() const {
    return (static_cast<std::int64_t>(receivers_.size()) + block_atoms_ - 1) / block_atoms_;
}

int Evaluation::atoms_in(std::int64_t block) const {
    const auto left = static_cast<std::int64_t>(receivers_.size()) - block * block_atoms_;
    return static_cast<int>(std::min<std::int64_t>(block_atoms_, left));
}

void Evaluation::want(std::vector<const Head*> heads) { heads_ = std::move(heads); }

void Evaluation::check(const bec_graph& graph) const {
    const auto fail = [](const std::string& what) {
        throw Error("the graph is not valid: " + what, "every index is used to address memory",
                    "check the arrays given to bec_evaluation_begin");
    };
    if (graph.n_receivers < 0 || graph.n_atoms < graph.n_receivers)
        fail(std::to_string(graph.n_receivers) + " receivers of " + std::to_string(graph.n_atoms) + " atoms");
    if (graph.n_tangents < 0 || (graph.n_tangents > 0 && graph.velocities == nullptr && graph.n_atoms > 0))
        fail(std::to_string(graph.n_tangents) + " sets of velocities without an array");
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

void Evaluation::begin(const bec_graph& graph, ThreadPool& pool) {
    next_layer_ = -1;
    check(graph);
    std::vector<bool> present(static_cast<std::size_t>(model_.n_species));
    for (std::int64_t i = 0; i < graph.n_atoms; ++i) present[static_cast<std::size_t>(graph.species[i])] = true;
    std::vector<int> species;
    for (int s = 0; s < model_.n_species; ++s)
        if (present[static_cast<std::size_t>(s)]) species.push_back(s);
    forget_pairs();
    require_pairs(species, pool);
    begin_checked(graph, pool);
}

void Evaluation::begin_checked(const bec_graph& graph, ThreadPool& pool) {
    graph_ = graph;
    pool_ = &pool;
    lanes_ = 1 + graph.n_tangents;
    block_atoms_ = lanes_ == 1 && graph.reverse == 0 ? atoms_of_values : atoms_of_lanes;
    for (int ir = 0; ir < n_state; ++ir) wanted_[ir] = ir == i0e;  // the gate needs it
    if (heads_.empty())
        for (const Head& head : model_.heads) heads_.push_back(&head);
    for (const Head* head : heads_)
        for (int ir = 0; ir < n_state; ++ir) wanted_[ir] = wanted_[ir] || head->mix[ir].exists();
    // by species: atoms of a block then read the same radial tables
    receivers_.resize(static_cast<std::size_t>(graph.n_receivers));
    std::vector<std::size_t> place(static_cast<std::size_t>(model_.n_species) + 1);
    for (std::int64_t i = 0; i < graph.n_receivers; ++i) ++place[static_cast<std::size_t>(graph.species[i]) + 1];
    for (std::size_t s = 1; s < place.size(); ++s) place[s] += place[s - 1];
    for (std::int64_t i = 0; i < graph.n_receivers; ++i)
        receivers_[place[static_cast<std::size_t>(graph.species[i])]++] = static_cast<std::int32_t>(i);
    state_.require(static_cast<std::size_t>(n_blocks() * block_floats(lanes_)));
    if (scratch_.size() < static_cast<std::size_t>(pool.size())) scratch_.resize(static_cast<std::size_t>(pool.size()));
    for (Scratch& scratch : scratch_) scratch.profile = bec_profile{};
    if (graph.reverse != 0) before_.resize(model_.layers.size());
    next_layer_ = 0;
    next_adjoint_ = -1;
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
                    "atoms need what their neighbors send",
                    "give arrays of bec_model_message_width floats per lane and atom");
    next_layer_ = -1;
    pool_->run(n_blocks(), [&](std::int64_t block, int thread) {
        float* state = state_.data() + block * block_floats(lanes_);
        BlockWork(*this, block, scratch_[static_cast<std::size_t>(thread)], state, lanes_)
            .layer(layer, messages_in, messages_out);
    });
    next_layer_ = t + 1;
    if (graph_.reverse != 0 && next_layer_ < count) keep_states(next_layer_);
}

// Values of the state before a layer.
void Evaluation::keep_states(int layer) {
    float* kept = before_[static_cast<std::size_t>(layer)].require(static_cast<std::size_t>(n_blocks() * block_floats(1)));
    for (std::int64_t block = 0; block < n_blocks(); ++block) {
        const std::int64_t length = std::int64_t{atoms_in(block)} * model_.width;
        const float* from = state_.data() + block * block_floats(lanes_);
        float* to = kept + block * block_floats(1);
        for (int row = 0; row < state_rows; ++row) std::copy_n(from + row * lanes_ * length, length, to + row * length);
    }
}

void Evaluation::read_out(const ReadOut& out) {
    if (next_layer_ != static_cast<int>(model_.layers.size()))
        throw Error("the read-out was asked for before the last layer", "it needs the last state of the atoms",
                    "call all layers in order first");
    pool_->run(n_blocks(), [&](std::int64_t block, int thread) {
        float* state = state_.data() + block * block_floats(lanes_);
        BlockWork(*this, block, scratch_[static_cast<std::size_t>(thread)], state, lanes_).read_out(out);
    });
}

void Evaluation::start_sweep(const Sweep& sweep) {
    const int count = static_cast<int>(model_.layers.size());
    if (model_.dipole() == nullptr)
        throw Error("the model has no read-out of a dipole", "only a polarization has derivatives that are wanted",
                    "take Born effective charges from its own read-out");
    if (graph_.reverse == 0 || lanes_ != 1 || next_layer_ < count - 1)
        throw Error("derivatives by the positions were asked for too early, or of a graph with velocities",
                    "they need the states before all layers",
                    "begin with `reverse` and without velocities, and call all layers but the last one");
    if (sweep.member < -1 || sweep.member >= model_.dipole()->members)
        throw Error("there is no member " + std::to_string(sweep.member),
                    "the read-out has " + std::to_string(model_.dipole()->members), "give one of these, or −1 for the mean");
    if (sweep.lanes != 1 && sweep.lanes != 3)
        throw Error(std::to_string(sweep.lanes) + " directions of the polarization were given",
                    "the kernels know one direction, for a force, or three, for tensors", "give one or three");
    sweep_ = sweep;
    next_adjoint_ = count - 1;
    of_state_.require(static_cast<std::size_t>(n_blocks() * block_floats(sweep.lanes)));
    std::fill_n(gradient_.require(static_cast<std::size_t>(4 * sweep.lanes * graph_.n_atoms)),
                4 * sweep.lanes * graph_.n_atoms, 0.0f);
}

void Evaluation::layer_adjoint(int t, const float* messages_in, const float* of_sent, float* of_messages) {
    if (t != next_adjoint_)
        throw Error("the adjoint of layer " + std::to_string(t) + " was asked for, that of layer " +
                        std::to_string(next_adjoint_) + " is next",
                    "derivatives are taken from the last layer to the first", "call them in that order");
    const Layer& layer = model_.layers[static_cast<std::size_t>(t)];
    const bool missing = (!layer.first && (messages_in == nullptr || of_messages == nullptr)) ||
                         (!layer.last && of_sent == nullptr);
    if (graph_.n_receivers > 0 && missing)
        throw Error("messages of layer " + std::to_string(t) + ", or their adjoints, are missing",
                    "derivatives pass through what neighbors send", "give arrays of bec_model_message_width floats per "
                    "lane and atom");
    sweep_chunks(layer, messages_in, of_sent, of_messages);
    if (layer.last) next_layer_ = t + 1;
    --next_adjoint_;
}

void Evaluation::sweep_chunks(const Layer& layer, const float* messages_in, const float* of_sent, float* of_messages) {
    const std::int64_t blocks = n_blocks(), lanes = sweep_.lanes;
    const std::int64_t chunks = std::max<std::int64_t>(1, std::min(most_chunks, blocks / blocks_of_chunk));
    const auto per_chunk = (blocks + chunks - 1) / chunks;
    const auto message_floats = layer.first ? 0 : lanes * graph_.n_atoms * model_.message_width(layer.index);
    const auto gradient_floats = 4 * lanes * graph_.n_atoms;
    // the first chunk adds to the result itself; those that follow take turns with as much memory as threads need
    const auto together = std::min<std::int64_t>(chunks, pool_->size());
    chunk_messages_.resize(static_cast<std::size_t>(together));
    chunk_gradients_.resize(static_cast<std::size_t>(together));
    if (message_floats > 0) std::fill_n(of_messages, message_floats, 0.0f);
    const auto zeros = [](Buffer<float>& buffer, std::int64_t count) {
        return std::fill_n(buffer.require(static_cast<std::size_t>(count)), count, 0.0f) - count;
    };
    for (std::int64_t start = 0; start < chunks; start += together) {
        const std::int64_t count = std::min(together, chunks - start);
        pool_->run(count, [&](std::int64_t task, int thread) {
            const auto place = static_cast<std::size_t>(task);
            const bool direct = start + task == 0;
            float* messages = direct ? of_messages : zeros(chunk_messages_[place], message_floats);
            float* gradient = direct ? gradient_.data() : zeros(chunk_gradients_[place], gradient_floats);
            const std::int64_t first = (start + task) * per_chunk, last = std::min(blocks, first + per_chunk);
            for (std::int64_t block = first; block < last; ++block)
                BlockAdjoint(*this, block, scratch_[static_cast<std::size_t>(thread)], layer)
                    .run(messages_in, of_sent, messages, gradient);
        });
        for (std::int64_t task = start == 0 ? 1 : 0; task < count; ++task) {
            const float* messages = chunk_messages_[static_cast<std::size_t>(task)].data();
            const float* gradient = chunk_gradients_[static_cast<std::size_t>(task)].data();
            for (std::int64_t i = 0; i < message_floats; ++i) of_messages[i] += messages[i];
            for (std::int64_t i = 0; i < gradient_floats; ++i) gradient_.data()[i] += gradient[i];
        }
    }
}

void Evaluation::write_gradient(double* gradient) const {
    if (sweep_.lanes == 0 || next_adjoint_ != -1 || next_layer_ < 0)
        throw Error("derivatives were asked for before they were made", "they are complete after the first layer",
                    "start a sweep and call the adjoints of all layers");
    for (std::int64_t i = 0; i < sweep_.lanes * graph_.n_atoms; ++i)
        for (int c = 0; c < 3; ++c) gradient[3 * i + c] = gradient_.data()[4 * i + c];
}

void Evaluation::add_profile(bec_profile& total) const {
    for (const Scratch& scratch : scratch_) bec::add_profile(scratch.profile, total);
    total.atoms += graph_.n_receivers;
    if (graph_.n_receivers > 0) total.edges += graph_.first[graph_.n_receivers] - graph_.first[0];
}

}  // namespace bec
