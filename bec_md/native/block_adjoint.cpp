#include "block_adjoint.h"

#include <algorithm>

namespace bec {
namespace {

// Where the block's state is during the evaluation: the last state is kept, for read-outs.
float* place_of_state(Scratch& scratch, const Layer& layer, float* last, std::int64_t floats) {
    return layer.last ? last : scratch.state.require(static_cast<std::size_t>(floats));
}

}  // namespace

BlockAdjoint::BlockAdjoint(Evaluation& evaluation, std::int64_t block, Scratch& scratch, const Layer& layer)
    : BlockWork(evaluation, block, scratch,
                place_of_state(scratch, layer, evaluation.state_.data() + block * evaluation.block_floats(1),
                               evaluation.block_floats(1)),
                1),
      layer_(layer),
      maps_(layer.adjoint),
      sweep_(evaluation.sweep_),
      adjoints_(evaluation.sweep_.lanes),
      of_state_(evaluation.of_state_.data() + block * evaluation.block_floats(evaluation.sweep_.lanes)) {
    if (layer.first) return;
    const auto& before = evaluation.before_[static_cast<std::size_t>(layer.index)];
    std::copy_n(before.data() + block * evaluation.block_floats(1), state_rows * length_, state_);
}

void BlockAdjoint::run(const float* messages_in, const float* of_sent, float* of_messages, float* gradient) {
    evaluate(messages_in);
    const Lap time = lap(&bec_profile::adjoint_s);
    if (layer_.last) seed();
    else unsend(of_sent);
    gate();
    products();
    inputs();
    gather(messages_in, of_messages, gradient);
}

// As far as adjoints need it. The state before the gate is kept in `own`, which has no other use without rates.
void BlockAdjoint::evaluate(const float* messages_in) {
    if (layer_.first) start_state();
    BlockWork::gather(layer_, messages_in);
    scale(layer_);
    // the gate changes the state, `inputs` needs it as it was
    if (!layer_.first)
        std::copy_n(state_, state_rows * length_, scratch_.own.require(static_cast<std::size_t>(state_rows * length_)));
    mix_inputs(layer_);
    make_square(layer_);
    update_state(layer_);
    make_gates(layer_);
    std::copy_n(state_, state_rows * length_, scratch_.update.data());  // the state before the gate
    if (layer_.last) apply_gates(layer_);
}

// Dipoles are w · x of the vectors x.
void BlockAdjoint::seed() {
    std::fill_n(of_state_, state_rows * adjoints_ * length_, 0.0f);
    const int width = model_.width;
    const float* weights = model_.dipole()->seed.data() + (sweep_.member + 1) * width;
    for (int c = 0; c < 3; ++c)
        for (int lane = 0; lane < adjoints_; ++lane)
            for (int atom = 0; atom < atoms_; ++atom) {
                float* row = of_state_ + of_row(state_row[i1o] + c) + lane * length_ + atom * width;
                for (int k = 0; k < width; ++k) row[k] = sweep_.direction[lane][c] * weights[k];
            }
}

void BlockAdjoint::unsend(const float* of_sent) {
    const int width = model_.width, sent_width = layer_.next_sent_channels, rows = adjoints_ * atoms_;
    const std::int64_t message = width + sent_rows * sent_width;
    const auto source = [&](int lane, int atom) {
        return of_sent + (std::int64_t{receivers_[atom]} * adjoints_ + lane) * message;
    };
    float* in = scratch_.of_sent.require(static_cast<std::size_t>(rows * std::max(width, 5 * sent_width)));
    for (int lane = 0; lane < adjoints_; ++lane)
        for (int atom = 0; atom < atoms_; ++atom)
            std::copy_n(source(lane, atom), width, in + (lane * atoms_ + atom) * width);
    const Segment scalars{in, width, width};
    multiply(&scalars, 1, rows, maps_.send_scalars, of_state_, true);
    if (sent_width == 0) return;
    for (const int ir : sent) {
        for (int m = 0; m < dim_of[ir]; ++m)
            for (int lane = 0; lane < adjoints_; ++lane)
                for (int atom = 0; atom < atoms_; ++atom)
                    std::copy_n(source(lane, atom) + width + (sent_row[ir] + m) * sent_width, sent_width,
                                in + ((m * adjoints_ + lane) * atoms_ + atom) * sent_width);
        const Segment tensors{in, sent_width, sent_width};
        multiply(&tensors, 1, dim_of[ir] * rows, maps_.send_tensors[ir], of_state_ + of_row(state_row[ir]), true);
    }
}

// s + g(s) and x (1 + g(s)) → s, x.
void BlockAdjoint::gate() {
    const int width = model_.width, hidden_width = layer_.hidden.outputs, rows = adjoints_ * atoms_;
    float* of_gates = scratch_.of_gates.require(static_cast<std::size_t>(rows * n_state * width));
    std::fill_n(of_gates, rows * n_state * width, 0.0f);
    for (int lane = 0; lane < adjoints_; ++lane)
        for (int atom = 0; atom < atoms_; ++atom) {
            const float* gates = scratch_.gates.data() + atom * n_state * width;
            float* of = of_gates + (lane * atoms_ + atom) * n_state * width;
            std::copy_n(of_state_ + lane * length_ + atom * width, width, of);
            for (int row = 1; row < state_rows; ++row) {
                const int ir = irrep_of_row[row];
                if (!reached(ir)) continue;
                float* x = of_state_ + of_row(row) + lane * length_ + atom * width;
                const float *value = scratch_.update.data() + row * length_ + atom * width, *g = gates + ir * width;
                float* of_gate = of + ir * width;
                for (int k = 0; k < width; ++k) {
                    of_gate[k] += x[k] * value[k];
                    x[k] *= 1.0f + g[k];
                }
            }
        }
    float* of_hidden = scratch_.of_hidden.require(static_cast<std::size_t>(rows * hidden_width));
    const Segment gates{of_gates, n_state * width, n_state * width};
    multiply(&gates, 1, rows, maps_.gate, of_hidden, false);
    const float* slope = scratch_.slope.data();
    const std::int64_t hidden_length = std::int64_t{atoms_} * hidden_width;
    for (int lane = 0; lane < adjoints_; ++lane)
        for (std::int64_t i = 0; i < hidden_length; ++i) of_hidden[lane * hidden_length + i] *= slope[i];
    const Segment hidden{of_hidden, hidden_width, hidden_width};
    multiply(&hidden, 1, rows, maps_.hidden, of_state_, true);
}

// Adjoint of Σ_paths W (left ⊗ right) for one irrep of the result.
void BlockAdjoint::product(const ProductAdjoint& maps, int irrep, const float* of_result, const float* left,
                           const float* right, float* of_left, float* of_right) {
    const int width = model_.width, rows = dim_of[irrep] * adjoints_ * atoms_;
    const std::int64_t path_floats = dim_of[irrep] * adjoints_ * length_;
    float* of_coupled =
        scratch_.of_coupled.require(maps.paths.size() * static_cast<std::size_t>(path_floats));
    const Segment from{of_result, width, width};
    float* to = of_coupled;
    for (const Weights& weights : maps.paths) {
        multiply(&from, 1, rows, weights, to, false);
        to += path_floats;
    }
    const auto couple = [&](const CouplingList& list, const float* other, float* out) {
        kernels_.couple_adjoint({list.entries.data(), list.ends.data(), static_cast<int>(list.ends.size()), adjoints_,
                                 length_, of_coupled, other, out});
        scratch_.profile.products_flop +=
            (1.0 + 2.0 * adjoints_) * static_cast<double>(list.entries.size()) * static_cast<double>(length_);
    };
    couple(maps.left, right, of_left);
    couple(maps.right, left, of_right);
}

void BlockAdjoint::products() {
    const auto zeros = [&](Buffer<float>& buffer, int rows) {
        float* data = buffer.require(static_cast<std::size_t>(of_row(rows)));
        std::fill_n(data, of_row(rows), 0.0f);
        return data;
    };
    float* of_square = zeros(scratch_.of_square, state_rows);
    float* of_left = zeros(scratch_.of_left, layer_.inputs.rows());
    float* of_middle = zeros(scratch_.of_middle, layer_.inputs.rows());
    float* of_right = zeros(scratch_.of_right, layer_.inputs.rows());
    for (int ir = 0; ir < n_state; ++ir) {
        if (!reached(ir)) continue;
        const float* of_update = of_state_ + of_row(state_row[ir]);
        const Segment update{of_update, model_.width, model_.width};
        multiply(&update, 1, dim_of[ir] * adjoints_ * atoms_, maps_.update_square[ir], of_square + of_row(state_row[ir]), true);
        product(maps_.cube[ir], ir, of_update, scratch_.square.data(), scratch_.right.data(), of_square, of_right);
    }
    for (int ir = 0; ir < n_state; ++ir)
        product(maps_.square[ir], ir, of_square + of_row(state_row[ir]), scratch_.left.data(), scratch_.middle.data(),
                of_left, of_middle);
}

// --- inputs ---

float* BlockAdjoint::target(int irrep, int place) {
    if (place == gathered_part) return scratch_.of_gathered.data() + of_row(natural_row[irrep]);
    if (place == own_part) return scratch_.of_own.data() + of_row(state_row[irrep]);
    return scratch_.of_gathered_sent.data() + sent_row[irrep] * step(adjoints_, layer_.sent_channels);
}

void BlockAdjoint::inputs() {
    const int width = model_.width, components = (model_.l_max + 1) * (model_.l_max + 1);
    scratch_.of_gathered.require(static_cast<std::size_t>(of_row(components)));
    scratch_.of_own.require(static_cast<std::size_t>(of_row(state_rows)));
    scratch_.of_gathered_sent.require(static_cast<std::size_t>(sent_rows * step(adjoints_, layer_.sent_channels)));
    float* factor = scratch_.lane_scale.require(static_cast<std::size_t>(7 * adjoints_ * atoms_));
    for (int ir = 0; ir < n_irreps; ++ir) {
        if (!layer_.inputs.contains[ir]) continue;
        const int first = layer_.inputs.row(ir), rows = dim_of[ir] * adjoints_ * atoms_;
        for (int row = 0; row < dim_of[ir] * adjoints_; ++row)
            std::copy_n(scratch_.row_scale.data() + first * atoms_, atoms_, factor + row * atoms_);
        const Segment mixed[3] = {{scratch_.of_left.data() + of_row(first), width, width},
                                  {scratch_.of_middle.data() + of_row(first), width, width},
                                  {scratch_.of_right.data() + of_row(first), width, width}};
        for (int place = 0; place < n_parts; ++place) {
            if (!maps_.inputs[ir][place].exists()) continue;
            multiply(mixed, 3, rows, maps_.inputs[ir][place], target(ir, place), false, factor);
            if (!maps_.direct[ir][place].exists() || !reached(ir)) continue;
            const Segment update{of_state_ + of_row(state_row[ir]), width, width};
            multiply(&update, 1, rows, maps_.direct[ir][place], target(ir, place), true, factor);
        }
        unscale(ir);
        if (!maps_.inputs[ir][own_part].exists()) continue;
        float* of_state = of_state_ + of_row(state_row[ir]);
        const float* of_own = target(ir, own_part);
        for (std::int64_t i = 0; i < of_row(dim_of[ir]); ++i) of_state[i] += of_own[i];
    }
}

// x̄ = f ȳ − f² ⟨f ȳ · x⟩ x: the scaling is its own transpose. What is there is f ȳ.
void BlockAdjoint::unscale(int irrep) {
    float* sum = scratch_.squares.data() + atoms_;
    const float* factor = scratch_.row_scale.data() + layer_.inputs.row(irrep) * atoms_;
    const float inverse = static_cast<float>(1.0 / layer_.input_count[irrep]);
    for (int lane = 0; lane < adjoints_; ++lane) {
        std::fill_n(sum, atoms_, 0.0f);
        for (int place = 0; place < n_parts; ++place) {
            const Part x = part(layer_, irrep, place, scratch_.own.data());
            if (x.data == nullptr) continue;
            kernels_.add_products(x.data, step(1, x.width), target(irrep, place) + lane * step(1, x.width),
                                  step(adjoints_, x.width), dim_of[irrep], atoms_, x.width, sum);
        }
        for (int atom = 0; atom < atoms_; ++atom) sum[atom] *= factor[atom] * factor[atom] * inverse;
        for (int place = 0; place < n_parts; ++place) {
            const Part x = part(layer_, irrep, place, scratch_.own.data());
            if (x.data == nullptr) continue;
            for (int m = 0; m < dim_of[irrep]; ++m) {
                float* own = target(irrep, place) + m * step(adjoints_, x.width) + lane * step(1, x.width);
                kernels_.subtract(own, x.data + m * step(1, x.width), sum, atoms_, x.width, own);
            }
        }
    }
}

void BlockAdjoint::gather(const float* messages_in, float* of_messages, float* gradient) {
    const std::int64_t sent_length = std::int64_t{atoms_} * layer_.sent_channels;
    GatherAdjointCall call{};
    call.edges = edge_call(layer_, messages_in, 1);
    call.lanes = adjoints_;
    call.stride = adjoints_ * length_;
    call.lane_stride = length_;
    call.sent_stride = adjoints_ * sent_length;
    call.sent_lane_stride = sent_length;
    call.messages = of_messages;
    call.gradient = gradient;
    for (int atom = 0; atom < atoms_; ++atom) {
        set_edges(call.edges, layer_.index, atom);
        call.sum = scratch_.of_gathered.data() + std::int64_t{atom} * model_.width;
        call.sum_sent = scratch_.of_gathered_sent.data() + std::int64_t{atom} * layer_.sent_channels;
        call.own_gradient = receivers_[atom];
        kernels_.gather_adjoint(call);
        const int components = (model_.l_max + 1) * (model_.l_max + 1);
        scratch_.profile.gather_flop += call.edges.n_edges * (14.0 * call.edges.table_width +
                                                              adjoints_ * (7.0 * components * model_.width +
                                                                           (layer_.first ? 0.0 : 4.0 * sent_rows * layer_.sent_channels)));
    }
}

}  // namespace bec
