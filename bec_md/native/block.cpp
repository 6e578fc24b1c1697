#include "block.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>
#include <vector>

namespace bec {

BlockWork::BlockWork(Evaluation& evaluation, std::int64_t block, Scratch& scratch)
    : evaluation_(evaluation),
      model_(evaluation.model_),
      kernels_(kernels()),
      scratch_(scratch),
      receivers_(evaluation.receivers_.data() + block * block_atoms),
      atoms_(evaluation.atoms_in(block)),
      state_(evaluation.state_of(block)),
      length_(static_cast<std::int64_t>(atoms_) * model_.width) {}

double BlockWork::now() const {
    if (!evaluation_.measure_) return 0.0;
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void BlockWork::multiply(const Segment* parts, int n_parts, int rows, const Weights& weights, float* out,
                         const float* row_scale, bool accumulate) {
    kernels_.multiply(parts, n_parts, rows, weights.packed.data(), weights.outputs, out, weights.outputs, row_scale,
                      accumulate);
    scratch_.profile.mixing_flop += 2.0 * rows * weights.inputs * weights.outputs;
}

void BlockWork::couple(const CouplingList& list, const float* u, const float* v) {
    const int rows = static_cast<int>(list.ends.size());
    float* out = scratch_.coupled.require(static_cast<std::size_t>(rows * length_));
    kernels_.couple(list.entries.data(), list.ends.data(), rows, length_, u, v, out);
    scratch_.profile.products_flop += 3.0 * static_cast<double>(list.entries.size()) * static_cast<double>(length_);
}

void BlockWork::layer(const Layer& layer, const float* messages_in, float* messages_out) {
    bec_profile& profile = scratch_.profile;
    if (layer.first) start_state();
    double before = now();
    const auto lap = [&](double& part) {
        const double time = now();
        part += time - before;
        before = time;
    };
    gather(layer, messages_in);
    lap(profile.gather_s);
    scale(layer);
    mix_inputs(layer);
    lap(profile.mixing_s);
    make_square(layer);
    before = now();
    update_state(layer);
    before = now();
    gate(layer);
    if (!layer.last) send(layer, messages_out);
    lap(profile.mixing_s);
}

void BlockWork::start_state() {
    std::fill_n(state_, state_rows * length_, 0.0f);
    for (int atom = 0; atom < atoms_; ++atom)
        std::copy_n(model_.embedding.data() + species(atom) * model_.width, model_.width,
                    state_ + static_cast<std::int64_t>(atom) * model_.width);
}

void BlockWork::gather(const Layer& layer, const float* messages) {
    const bec_graph& graph = evaluation_.graph_;
    const int components = (model_.l_max + 1) * (model_.l_max + 1);
    float* out = scratch_.gathered.require(static_cast<std::size_t>(components * length_));
    const std::int64_t sent_length = static_cast<std::int64_t>(atoms_) * layer.sent_channels;
    float* out_sent = scratch_.gathered_sent.require(static_cast<std::size_t>(sent_rows * sent_length));
    GatherCall call{};
    call.l_max = model_.l_max;
    call.channels = model_.width;
    call.sent_channels = layer.sent_channels;
    call.cutoff = static_cast<float>(model_.cutoff);
    const RadialNetwork& radial = model_.radial->network(layer.index);
    call.inverse_step = radial.inverse_step();
    call.intervals = radial.intervals();
    call.table_width = radial.width();
    call.species = graph.species;
    call.messages = layer.first ? nullptr : messages;
    call.message_width = model_.width + sent_rows * layer.sent_channels;
    call.out_stride = length_;
    call.out_sent_stride = sent_length;
    for (int atom = 0; atom < atoms_; ++atom) {
        const std::int32_t receiver = receivers_[atom];
        const std::int64_t first = graph.first[receiver];
        call.n_edges = static_cast<int>(graph.first[receiver + 1] - first);
        call.vectors = graph.vectors + 3 * first;
        call.sender = graph.sender + first;
        call.tables = evaluation_.tables_.of(layer.index, species(atom));
        call.scratch = scratch_.edges.require(static_cast<std::size_t>(gather_scratch(call.n_edges)));
        call.out = out + static_cast<std::int64_t>(atom) * model_.width;
        call.out_sent = out_sent + static_cast<std::int64_t>(atom) * layer.sent_channels;
        kernels_.gather(call);
        // splines 7, harmonics 2 per component and channel, message 1 per degree
        scratch_.profile.gather_flop +=
            call.n_edges * (7.0 * call.table_width + 2.0 * components * model_.width +
                            (layer.first ? 0.0 : (model_.l_max + 1.0) * model_.width) +
                            2.0 * sent_rows * layer.sent_channels);
    }
}

// Factors 1/√(1 + ⟨x²⟩) of each irrep and atom, one per row: [input component][atom].
void BlockWork::scale(const Layer& layer) {
    float* factor = scratch_.row_scale.require(static_cast<std::size_t>(layer.inputs.rows()) * atoms_);
    float* sum = scratch_.squares.require(block_atoms);
    for (int ir = 0; ir < n_irreps; ++ir) {
        if (!layer.inputs.contains[ir]) continue;
        std::fill_n(sum, atoms_, 0.0f);
        Segment parts[3];
        const int n_parts = segments(layer, ir, parts);
        for (int part = 0; part < n_parts; ++part)
            kernels_.add_squares(parts[part].data, dim_of[ir], atoms_, parts[part].width, sum);
        const float inverse = static_cast<float>(1.0 / layer.input_count[ir]);
        for (int atom = 0; atom < atoms_; ++atom) sum[atom] = 1.0f / std::sqrt(1.0f + sum[atom] * inverse);
        for (int m = 0; m < dim_of[ir]; ++m) {
            std::copy_n(sum, atoms_, factor);
            factor += atoms_;
        }
    }
}

// What an irrep of the inputs consists of: gathered scalars × harmonics, own state, gathered tensors.
int BlockWork::segments(const Layer& layer, int irrep, Segment* out) const {
    int count = 0;
    const int width = model_.width;
    if (natural_row[irrep] >= 0 && degree_of[irrep] <= model_.l_max)
        out[count++] = {scratch_.gathered.data() + natural_row[irrep] * length_, width, width};
    if (!layer.first && irrep < n_state) out[count++] = {state_ + state_row[irrep] * length_, width, width};
    if (layer.sent_channels > 0 && sent_row[irrep] >= 0)
        out[count++] = {scratch_.gathered_sent.data() +
                            static_cast<std::int64_t>(sent_row[irrep]) * atoms_ * layer.sent_channels,
                        layer.sent_channels, layer.sent_channels};
    return count;
}

void BlockWork::mix_inputs(const Layer& layer) {
    const std::size_t size = static_cast<std::size_t>(layer.inputs.rows() * length_);
    float* left = scratch_.left.require(size);
    float* middle = scratch_.middle.require(size);
    float* right = scratch_.right.require(size);
    float* update = scratch_.update.require(static_cast<std::size_t>(state_rows * length_));
    for (int ir = 0; ir < n_irreps; ++ir) {
        if (!layer.inputs.contains[ir]) continue;
        Segment parts[3];
        const int n_parts = segments(layer, ir, parts);
        const int first = layer.inputs.row(ir), rows = dim_of[ir] * atoms_;
        const float* factor = scratch_.row_scale.data() + first * atoms_;
        multiply(parts, n_parts, rows, layer.left[ir], left + first * length_, factor, false);
        multiply(parts, n_parts, rows, layer.middle[ir], middle + first * length_, factor, false);
        multiply(parts, n_parts, rows, layer.right[ir], right + first * length_, factor, false);
        if (layer.direct[ir].exists())
            multiply(parts, n_parts, rows, layer.direct[ir], update + state_row[ir] * length_, factor, false);
    }
}

void BlockWork::make_square(const Layer& layer) {
    float* square = scratch_.square.require(static_cast<std::size_t>(state_rows * length_));
    for (int ir = 0; ir < n_state; ++ir) {
        double before = now();
        const CouplingList& list = layer.square[ir];
        couple(list, scratch_.left.data(), scratch_.middle.data());
        double time = now();
        scratch_.profile.products_s += time - before;
        Segment parts[32];
        for (int path = 0; path < list.paths; ++path)
            parts[path] = {scratch_.coupled.data() + path * dim_of[ir] * length_, model_.width, model_.width};
        multiply(parts, list.paths, dim_of[ir] * atoms_, layer.mix_square[ir], square + state_row[ir] * length_,
                 nullptr, false);
        scratch_.profile.mixing_s += now() - time;
    }
}

void BlockWork::update_state(const Layer& layer) {
    float* update = scratch_.update.data();
    const float* square = scratch_.square.data();
    for (int ir = 0; ir < n_state; ++ir) {
        if (!layer.update_cube[ir].exists()) continue;
        double before = now();
        const CouplingList& list = layer.cube[ir];
        couple(list, square, scratch_.right.data());
        double time = now();
        scratch_.profile.products_s += time - before;
        float* target = update + state_row[ir] * length_;
        Segment parts[32];
        for (int path = 0; path < list.paths; ++path)
            parts[path] = {scratch_.coupled.data() + path * dim_of[ir] * length_, model_.width, model_.width};
        multiply(parts, list.paths, dim_of[ir] * atoms_, layer.update_cube[ir], target, nullptr,
                 layer.direct[ir].exists());
        const Segment own{square + state_row[ir] * length_, model_.width, model_.width};
        multiply(&own, 1, dim_of[ir] * atoms_, layer.update_square[ir], target, nullptr, true);
        float* state = state_ + state_row[ir] * length_;
        for (std::int64_t i = 0; i < dim_of[ir] * length_; ++i) state[i] += target[i];
        scratch_.profile.mixing_s += now() - time;
    }
}

void BlockWork::gate(const Layer& layer) {
    const int hidden_width = layer.hidden.outputs, width = model_.width;
    float* hidden = scratch_.hidden.require(static_cast<std::size_t>(atoms_) * hidden_width);
    float* gates = scratch_.gates.require(static_cast<std::size_t>(atoms_) * n_state * width);
    for (int atom = 0; atom < atoms_; ++atom) {
        std::copy_n(layer.hidden_bias.data() + species(atom) * hidden_width, hidden_width,
                    hidden + atom * hidden_width);
        std::copy_n(layer.gate_bias.data(), n_state * width, gates + atom * n_state * width);
    }
    const Segment scalars{state_, width, width};
    multiply(&scalars, 1, atoms_, layer.hidden, hidden, nullptr, true);
    kernels_.silu(hidden, static_cast<std::int64_t>(atoms_) * hidden_width);
    const Segment inner{hidden, hidden_width, hidden_width};
    multiply(&inner, 1, atoms_, layer.gate, gates, nullptr, true);
    for (int atom = 0; atom < atoms_; ++atom) {
        const float* gate = gates + atom * n_state * width;
        float* own = state_ + atom * width;
        for (int k = 0; k < width; ++k) own[k] += gate[k];
        for (int ir = 1; ir < n_state; ++ir)
            for (int m = 0; m < dim_of[ir]; ++m) {
                float* row = own + (state_row[ir] + m) * length_;
                for (int k = 0; k < width; ++k) row[k] *= 1.0f + gate[ir * width + k];
            }
    }
}

void BlockWork::send(const Layer& layer, float* messages) {
    const int width = model_.width, sent_width = layer.next_sent_channels;
    const std::int64_t row = width + sent_rows * sent_width;
    float* out = scratch_.sent.require(static_cast<std::size_t>(atoms_) * std::max(width, 5 * sent_width));
    const Segment scalars{state_, width, width};
    for (int atom = 0; atom < atoms_; ++atom)
        std::copy_n(layer.send_bias.data(), width, out + atom * width);
    multiply(&scalars, 1, atoms_, layer.send_scalars, out, nullptr, true);
    for (int atom = 0; atom < atoms_; ++atom)
        std::copy_n(out + atom * width, width, messages + receivers_[atom] * row);
    if (sent_width == 0) return;
    for (const int ir : bec::sent) {
        const Segment own{state_ + state_row[ir] * length_, width, width};
        multiply(&own, 1, dim_of[ir] * atoms_, layer.send_tensors[ir], out, nullptr, false);
        for (int m = 0; m < dim_of[ir]; ++m)
            for (int atom = 0; atom < atoms_; ++atom)
                std::copy_n(out + (m * atoms_ + atom) * sent_width, sent_width,
                            messages + receivers_[atom] * row + width + (sent_row[ir] + m) * sent_width);
    }
}

void BlockWork::read_out(const ReadOut& out) {
    const double before = now();
    const int width = model_.width, count = model_.members, columns = model_.readout[i0e].outputs;
    float* spherical = scratch_.members.require(static_cast<std::size_t>(9 * atoms_) * columns);
    int first = 0;
    for (const int ir : {i0e, i1e, i2e}) {
        const Segment own{state_ + state_row[ir] * length_, width, width};
        multiply(&own, 1, dim_of[ir] * atoms_, model_.readout[ir], spherical + first * atoms_ * columns, nullptr, false);
        first += dim_of[ir];
    }
    std::vector<double> cartesian(static_cast<std::size_t>(9 * count));  // [component][member]
    for (int atom = 0; atom < atoms_; ++atom) {
        const std::int64_t receiver = receivers_[atom], row = out.row != nullptr ? out.row[receiver] : receiver;
        const double reference = model_.reference_charge[static_cast<std::size_t>(species(atom))];
        std::fill(cartesian.begin(), cartesian.end(), 0.0);
        for (const auto& [component, c, value] : model_.cartesian) {
            const float* from = spherical + (c * atoms_ + atom) * columns;
            double* to = cartesian.data() + component * count;
            const double shift = c == 0 ? reference : 0.0;
            for (int member = 0; member < count; ++member) to[member] += value * (from[member] + shift);
        }
        for (int component = 0; component < 9; ++component) {
            const double* own = cartesian.data() + component * count;
            if (out.charges != nullptr)
                out.charges[row * 9 + component] = std::accumulate(own, own + count, 0.0) / count;
            if (out.members != nullptr)
                for (int member = 0; member < count; ++member)
                    out.members[(row * count + member) * 9 + component] = own[member];
        }
        if (out.polarizability == nullptr) continue;
        const float* scalars = state_ + atom * width;
        double exponent = model_.polarizability_bias;
        for (int k = 0; k < width; ++k) exponent += static_cast<double>(scalars[k]) * model_.polarizability.data()[k];
        const double size = std::exp(exponent);
        double tensor[9] = {1.0};
        for (int m = 0; m < 5; ++m) {
            const float* traceless = scalars + (state_row[i2e] + m) * length_;
            for (int k = 0; k < width; ++k)
                tensor[4 + m] += static_cast<double>(traceless[k]) * model_.anisotropy.data()[k];
        }
        for (double& value : tensor) value *= 50.0 * size;  // Å^3, the network's unit
        std::fill_n(out.polarizability + row * 9, 9, 0.0);
        for (const auto& [component, c, value] : model_.cartesian)
            out.polarizability[row * 9 + component] += value * tensor[c];
    }
    scratch_.profile.readout_s += now() - before;
}

}  // namespace bec
