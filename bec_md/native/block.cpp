#include "block.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace bec {

BlockWork::BlockWork(Evaluation& evaluation, std::int64_t block, Scratch& scratch, float* state, int lanes)
    : evaluation_(evaluation),
      model_(evaluation.model_),
      kernels_(kernels()),
      scratch_(scratch),
      receivers_(evaluation.receivers_.data() + block * evaluation.block_atoms_),
      atoms_(evaluation.atoms_in(block)),
      lanes_(lanes),
      length_(static_cast<std::int64_t>(atoms_) * model_.width),
      state_(state) {}

void BlockWork::multiply(const Segment* parts, int n_parts, int rows, const Weights& weights, float* out,
                         bool accumulate, const float* row_scale) {
    kernels_.multiply(parts, n_parts, rows, weights.packed.data(), weights.outputs, out, weights.outputs, row_scale,
                      accumulate);
    scratch_.profile.mixing_flop += 2.0 * rows * weights.inputs * weights.outputs;
}

void BlockWork::couple(const CouplingList& list, const float* u, const float* v) {
    const Lap time = lap(&bec_profile::products_s);
    const int rows = static_cast<int>(list.ends.size());
    float* out = scratch_.coupled.require(static_cast<std::size_t>(rows * lanes_ * length_));
    kernels_.couple({list.entries.data(), list.ends.data(), rows, lanes_, length_, u, v, out});
    const int products = 2 * lanes_ - 1;
    scratch_.profile.products_flop += 3.0 * products * static_cast<double>(list.entries.size()) * static_cast<double>(length_);
}

void BlockWork::layer(const Layer& layer, const float* messages_in, float* messages_out) {
    if (layer.first) start_state();
    gather(layer, messages_in);
    scale(layer);
    mix_inputs(layer);
    make_square(layer);
    update_state(layer);
    make_gates(layer);
    apply_gates(layer);
    if (!layer.last) send(layer, messages_out);
}

void BlockWork::start_state() {
    std::fill_n(state_, state_rows * lanes_ * length_, 0.0f);
    for (int atom = 0; atom < atoms_; ++atom)
        std::copy_n(model_.embedding.data() + species(atom) * model_.width, model_.width,
                    state_ + static_cast<std::int64_t>(atom) * model_.width);
}

// --- neighbors ---

EdgeCall BlockWork::edge_call(const Layer& layer, const float* messages, int message_lanes) const {
    const RadialNetwork& radial = model_.radial->network(layer.index);
    EdgeCall call{};
    call.l_max = model_.l_max;
    call.channels = model_.width;
    call.sent_channels = layer.sent_channels;
    call.cutoff = static_cast<float>(model_.cutoff);
    call.inverse_step = radial.inverse_step();
    call.intervals = radial.intervals();
    call.table_width = radial.width();
    call.polynomials = radial.polynomials();
    call.species = evaluation_.graph_.species;
    call.messages = layer.first ? nullptr : messages;
    call.message_width = model_.width + sent_rows * layer.sent_channels;
    call.message_lanes = message_lanes;
    return call;
}

void BlockWork::set_edges(EdgeCall& call, int layer, int atom) {
    const bec_graph& graph = evaluation_.graph_;
    const std::int64_t first = graph.first[receivers_[atom]];
    call.n_edges = static_cast<int>(graph.first[receivers_[atom] + 1] - first);
    call.vectors = graph.vectors + 3 * first;
    call.sender = graph.sender + first;
    call.tables = evaluation_.tables_.of(layer, species(atom));
    call.scratch = scratch_.edges.require(static_cast<std::size_t>(edge_scratch(call.n_edges)));
}

void BlockWork::gather(const Layer& layer, const float* messages) {
    const Lap time = lap(&bec_profile::gather_s);
    const int components = (model_.l_max + 1) * (model_.l_max + 1), tangents = lanes_ - 1;
    const std::int64_t sent_length = static_cast<std::int64_t>(atoms_) * layer.sent_channels;
    float* out = scratch_.gathered.require(static_cast<std::size_t>(components * lanes_ * length_));
    float* out_sent = scratch_.gathered_sent.require(static_cast<std::size_t>(sent_rows * lanes_ * sent_length));
    GatherCall call{};
    call.edges = edge_call(layer, messages, lanes_);
    call.velocities = evaluation_.graph_.velocities;
    call.stride = lanes_ * length_;
    call.lane_stride = length_;
    call.sent_stride = lanes_ * sent_length;
    call.sent_lane_stride = sent_length;
    for (int atom = 0; atom < atoms_; ++atom) {
        set_edges(call.edges, layer.index, atom);
        if (tangents > 0) call.own_velocity = call.velocities + std::int64_t{3} * tangents * receivers_[atom];
        call.out = out + static_cast<std::int64_t>(atom) * model_.width;
        call.out_sent = out_sent + static_cast<std::int64_t>(atom) * layer.sent_channels;
        kernels_.gather(call);
        // radial functions with their slopes, then for values and twice for each rate: harmonics 2 per component and
        // channel, message 1 per degree
        const double radial = !call.edges.polynomials ? 7.0 : tangents == 0 ? 11.0 : 20.0;
        scratch_.profile.gather_flop +=
            call.edges.n_edges * (radial * call.edges.table_width +
                                  (1 + 2 * tangents) * (2.0 * components * model_.width +
                                                        (layer.first ? 0.0 : (model_.l_max + 1.0) * model_.width) +
                                                        2.0 * sent_rows * layer.sent_channels));
    }
}

// --- inputs: x / √(1 + ⟨x²⟩) for each irrep and atom, then mixed ---

// One place that inputs of an irrep come from; no data when there is none. `own` is the state or a copy of it.
BlockWork::Part BlockWork::part(const Layer& layer, int irrep, int place, float* own) const {
    const bool scalar_times_harmonic = natural_row[irrep] >= 0 && degree_of[irrep] <= model_.l_max;
    if (place == gathered_part && scalar_times_harmonic)
        return {scratch_.gathered.data() + natural_row[irrep] * step(lanes_, model_.width), model_.width};
    if (place == own_part && !layer.first && irrep < n_state)
        return {own + state_row[irrep] * step(lanes_, model_.width), model_.width};
    if (place == sent_part && layer.sent_channels > 0 && sent_row[irrep] >= 0)
        return {scratch_.gathered_sent.data() + sent_row[irrep] * step(lanes_, layer.sent_channels), layer.sent_channels};
    return {nullptr, 0};
}

// Factors of every row: [input component][lane][atom].
void BlockWork::scale(const Layer& layer) {
    const Lap time = lap(&bec_profile::mixing_s);
    float* factor = scratch_.row_scale.require(static_cast<std::size_t>(layer.inputs.rows() * lanes_ * atoms_));
    float* sum = scratch_.squares.require(static_cast<std::size_t>(2 * atoms_));
    if (lanes_ > 1 && !layer.first) scratch_.own.require(static_cast<std::size_t>(state_rows * lanes_ * length_));
    for (int ir = 0; ir < n_irreps; ++ir) {
        if (!layer.inputs.contains[ir]) continue;
        std::fill_n(sum, atoms_, 0.0f);
        for (int place = 0; place < n_parts; ++place) {
            const Part from = part(layer, ir, place, state_);
            if (from.data == nullptr) continue;
            const std::int64_t component = step(lanes_, from.width);
            kernels_.add_products(from.data, component, from.data, component, dim_of[ir], atoms_, from.width, sum);
        }
        const float inverse = static_cast<float>(1.0 / layer.input_count[ir]);
        for (int atom = 0; atom < atoms_; ++atom) sum[atom] = 1.0f / std::sqrt(1.0f + sum[atom] * inverse);
        if (lanes_ > 1) scale_rates(layer, ir, sum);
        for (int row = 0; row < dim_of[ir] * lanes_; ++row, factor += atoms_) std::copy_n(sum, atoms_, factor);
    }
}

// (f x)' = f (x' − f² ⟨x x'⟩ x): the bracket, in place for what was gathered, in a copy for the state.
void BlockWork::scale_rates(const Layer& layer, int irrep, const float* factor) {
    float* sum = scratch_.squares.data() + atoms_;
    const float inverse = static_cast<float>(1.0 / layer.input_count[irrep]);
    for (int lane = 1; lane < lanes_; ++lane) {
        std::fill_n(sum, atoms_, 0.0f);
        for (int place = 0; place < n_parts; ++place) {
            const Part from = part(layer, irrep, place, state_);
            if (from.data == nullptr) continue;
            const std::int64_t component = step(lanes_, from.width);
            kernels_.add_products(from.data, component, from.data + lane * step(1, from.width), component, dim_of[irrep],
                                  atoms_, from.width, sum);
        }
        for (int atom = 0; atom < atoms_; ++atom) sum[atom] *= factor[atom] * factor[atom] * inverse;
        for (int place = 0; place < n_parts; ++place) {
            const Part from = part(layer, irrep, place, state_), to = part(layer, irrep, place, scratch_.own.data());
            if (from.data == nullptr) continue;
            const std::int64_t component = step(lanes_, from.width), rates = lane * step(1, from.width);
            for (int m = 0; m < dim_of[irrep]; ++m) {
                const float* values = from.data + m * component;
                kernels_.subtract(values + rates, values, sum, atoms_, from.width, to.data + m * component + rates);
                if (from.data != to.data && lane == 1) std::copy_n(values, step(1, from.width), to.data + m * component);
            }
        }
    }
}

int BlockWork::mixed_parts(const Layer& layer, int irrep, Segment* out) const {
    int count = 0;
    for (int place = 0; place < n_parts; ++place) {
        const Part from = part(layer, irrep, place, lanes_ > 1 ? scratch_.own.data() : state_);
        if (from.data != nullptr) out[count++] = {from.data, from.width, from.width};
    }
    return count;
}

void BlockWork::mix_inputs(const Layer& layer) {
    const Lap time = lap(&bec_profile::mixing_s);
    const std::int64_t component = lanes_ * length_;
    const std::size_t size = static_cast<std::size_t>(layer.inputs.rows() * component);
    float* left = scratch_.left.require(size);
    float* middle = scratch_.middle.require(size);
    float* right = scratch_.right.require(size);
    float* update = scratch_.update.require(static_cast<std::size_t>(state_rows * component));
    for (int ir = 0; ir < n_irreps; ++ir) {
        if (!layer.inputs.contains[ir]) continue;
        Segment parts[n_parts];
        const int count = mixed_parts(layer, ir, parts);
        const int first = layer.inputs.row(ir), rows = dim_of[ir] * lanes_ * atoms_;
        const float* factor = scratch_.row_scale.data() + first * lanes_ * atoms_;
        multiply(parts, count, rows, layer.left[ir], left + first * component, false, factor);
        multiply(parts, count, rows, layer.middle[ir], middle + first * component, false, factor);
        multiply(parts, count, rows, layer.right[ir], right + first * component, false, factor);
        if (layer.direct[ir].exists() && updates(layer, ir))
            multiply(parts, count, rows, layer.direct[ir], update + state_row[ir] * component, false, factor);
    }
}

// --- products ---

void BlockWork::make_square(const Layer& layer) {
    const std::int64_t component = lanes_ * length_;
    float* square = scratch_.square.require(static_cast<std::size_t>(state_rows * component));
    for (int ir = 0; ir < n_state; ++ir) {
        const CouplingList& list = layer.square[ir];
        couple(list, scratch_.left.data(), scratch_.middle.data());
        const Lap time = lap(&bec_profile::mixing_s);
        Segment parts[max_paths];
        for (int path = 0; path < list.paths; ++path)
            parts[path] = {scratch_.coupled.data() + path * dim_of[ir] * component, model_.width, model_.width};
        multiply(parts, list.paths, dim_of[ir] * lanes_ * atoms_, layer.mix_square[ir], square + state_row[ir] * component,
                 false);
    }
}

void BlockWork::update_state(const Layer& layer) {
    const std::int64_t component = lanes_ * length_;
    const float* square = scratch_.square.data();
    for (int ir = 0; ir < n_state; ++ir) {
        if (!layer.update_cube[ir].exists() || !updates(layer, ir)) continue;
        const CouplingList& list = layer.cube[ir];
        couple(list, square, scratch_.right.data());
        const Lap time = lap(&bec_profile::mixing_s);
        const int rows = dim_of[ir] * lanes_ * atoms_;
        float* target = scratch_.update.data() + state_row[ir] * component;
        Segment parts[max_paths];
        for (int path = 0; path < list.paths; ++path)
            parts[path] = {scratch_.coupled.data() + path * dim_of[ir] * component, model_.width, model_.width};
        multiply(parts, list.paths, rows, layer.update_cube[ir], target, layer.direct[ir].exists());
        const Segment own{square + state_row[ir] * component, model_.width, model_.width};
        multiply(&own, 1, rows, layer.update_square[ir], target, true);
        float* state = state_ + state_row[ir] * component;
        for (std::int64_t i = 0; i < dim_of[ir] * component; ++i) state[i] += target[i];
    }
}

// --- gate ---

// Lane 0 with biases, the others without.
void BlockWork::make_gates(const Layer& layer) {
    const Lap time = lap(&bec_profile::mixing_s);
    const int hidden_width = layer.hidden.outputs, width = model_.width, rows = lanes_ * atoms_;
    const std::int64_t hidden_length = static_cast<std::int64_t>(atoms_) * hidden_width;
    const std::int64_t gate_length = static_cast<std::int64_t>(atoms_) * n_state * width;
    float* hidden = scratch_.hidden.require(static_cast<std::size_t>(lanes_ * hidden_length));
    float* slope = scratch_.slope.require(static_cast<std::size_t>(hidden_length));
    float* gates = scratch_.gates.require(static_cast<std::size_t>(lanes_ * gate_length));
    std::fill_n(hidden, lanes_ * hidden_length, 0.0f);
    std::fill_n(gates, lanes_ * gate_length, 0.0f);
    for (int atom = 0; atom < atoms_; ++atom) {
        std::copy_n(layer.hidden_bias.data() + species(atom) * hidden_width, hidden_width, hidden + atom * hidden_width);
        std::copy_n(layer.gate_bias.data(), n_state * width, gates + atom * n_state * width);
    }
    const Segment scalars{state_, width, width};
    multiply(&scalars, 1, rows, layer.hidden, hidden, true);
    kernels_.silu(hidden, slope, hidden_length);
    for (int lane = 1; lane < lanes_; ++lane)
        for (std::int64_t i = 0; i < hidden_length; ++i) hidden[lane * hidden_length + i] *= slope[i];
    const Segment inner{hidden, hidden_width, hidden_width};
    multiply(&inner, 1, rows, layer.gate, gates, true);
}

// Scalars: s + g; the others: x (1 + g). Rates first, they need the values from before.
void BlockWork::apply_gates(const Layer& layer) {
    const Lap time = lap(&bec_profile::mixing_s);
    const int width = model_.width;
    for (int lane = lanes_ - 1; lane >= 0; --lane)
        for (int atom = 0; atom < atoms_; ++atom) {
            const float* gate = scratch_.gates.data() + static_cast<std::int64_t>(atom) * n_state * width;
            const float* change = gate + lane * n_state * length_;
            float* own = state_ + lane * length_ + atom * width;
            for (int k = 0; k < width; ++k) own[k] += change[k];
            for (int row = 1; row < state_rows; ++row) {
                const int ir = irrep_of_row[row];
                if (!updates(layer, ir)) continue;
                const float* value = state_ + row * lanes_ * length_ + atom * width;
                float* target = own + row * lanes_ * length_;
                const float *g = gate + ir * width, *dg = change + ir * width;
                if (lane == 0)
                    for (int k = 0; k < width; ++k) target[k] *= 1.0f + g[k];
                else
                    for (int k = 0; k < width; ++k) target[k] = target[k] * (1.0f + g[k]) + value[k] * dg[k];
            }
        }
}

// --- messages: [atom][lane][scalars, then components of the tensors] ---

void BlockWork::send(const Layer& layer, float* messages) {
    const Lap time = lap(&bec_profile::mixing_s);
    const int width = model_.width, sent_width = layer.next_sent_channels, rows = lanes_ * atoms_;
    const std::int64_t message = width + sent_rows * sent_width;
    float* out = scratch_.sent.require(static_cast<std::size_t>(rows * std::max(width, 5 * sent_width)));
    const auto target = [&](int lane, int atom) { return messages + (std::int64_t{receivers_[atom]} * lanes_ + lane) * message; };
    const Segment scalars{state_, width, width};
    std::fill_n(out, lanes_ * length_, 0.0f);
    for (int atom = 0; atom < atoms_; ++atom) std::copy_n(layer.send_bias.data(), width, out + atom * width);
    multiply(&scalars, 1, rows, layer.send_scalars, out, true);
    for (int lane = 0; lane < lanes_; ++lane)
        for (int atom = 0; atom < atoms_; ++atom)
            std::copy_n(out + (lane * atoms_ + atom) * width, width, target(lane, atom));
    if (sent_width == 0) return;
    for (const int ir : sent) {
        const Segment own{state_ + state_row[ir] * lanes_ * length_, width, width};
        multiply(&own, 1, dim_of[ir] * rows, layer.send_tensors[ir], out, false);
        for (int m = 0; m < dim_of[ir]; ++m)
            for (int lane = 0; lane < lanes_; ++lane)
                for (int atom = 0; atom < atoms_; ++atom)
                    std::copy_n(out + ((m * lanes_ + lane) * atoms_ + atom) * sent_width, sent_width,
                                target(lane, atom) + width + (sent_row[ir] + m) * sent_width);
    }
}

// --- read-out ---

void BlockWork::read_out(const ReadOut& out) {
    const Lap time = lap(&bec_profile::readout_s);
    const Head& head = *out.head;
    const int width = model_.width, columns = padded(head.members);
    float* spherical =
        scratch_.members.require(static_cast<std::size_t>(head.spherical() * lanes_ * atoms_ * columns));
    int first = 0;
    for (int ir = 0; ir < n_state; ++ir) {
        if (!head.mix[ir].exists()) continue;
        const Segment own{state_ + state_row[ir] * lanes_ * length_, width, width};
        multiply(&own, 1, dim_of[ir] * lanes_ * atoms_, head.mix[ir], spherical + first * lanes_ * atoms_ * columns, false);
        first += dim_of[ir];
    }
    const int lanes = head.derivative ? lanes_ : 1;  // rates of change of other heads are nobody's wish
    for (int atom = 0; atom < atoms_; ++atom)
        for (int lane = 0; lane < lanes; ++lane) write_atom(out, atom, lane, spherical, columns);
}

void BlockWork::write_atom(const ReadOut& out, int atom, int lane, const float* spherical, int columns) {
    const Head& head = *out.head;
    const std::int64_t receiver = receivers_[atom], row = out.row != nullptr ? out.row[receiver] : receiver;
    const std::int64_t place = head.derivative ? row * lanes_ + lane : row;
    const auto from = [&](int component) { return spherical + ((component * lanes_ + lane) * atoms_ + atom) * columns; };
    const double shift = head.derivative ? 0.0 : head.shift[static_cast<std::size_t>(species(atom))];
    double mean[9] = {};
    for (int member = 0; member < head.members; ++member) {
        double own[9] = {};
        const double scalar = from(0)[member] + shift;
        const double size = head.exponential != 0 ? head.exponential * std::exp(scalar) : 1.0;
        for (const auto& [component, c, value] : head.basis) {
            const double part = c > 0 ? from(c)[member] : head.exponential != 0 ? 1.0 : scalar;
            own[component] += value * size * part;
        }
        for (int c = 0; c < head.components; ++c) mean[c] += own[c];
        if (out.members != nullptr)
            std::copy_n(own, head.components, out.members + (place * head.members + member) * head.components);
    }
    if (out.values != nullptr)
        for (int c = 0; c < head.components; ++c) out.values[place * head.components + c] = mean[c] / head.members;
}

}  // namespace bec
