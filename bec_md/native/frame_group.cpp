#include "frame_group.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lap.h"

namespace bec {
namespace {

double volume_of(const double* a) {
    return std::abs(a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                    a[2] * (a[3] * a[7] - a[4] * a[6]));
}

double total_charge(const bec_frames& frames, std::int64_t frame) {
    return frames.total_charge != nullptr ? frames.total_charge[frame] : 0.0;
}

// Takes from every atom its share of Σ Z − Q·1; a row holds one or several tensors of an atom.
void subtract_excess(double* rows, std::int64_t atoms, std::int64_t width, double charge) {
    std::vector<double> excess(static_cast<std::size_t>(width));
    const auto column = [](std::int64_t c) { return static_cast<std::size_t>(c); };
    for (std::int64_t i = 0; i < atoms; ++i)
        for (std::int64_t c = 0; c < width; ++c) excess[column(c)] += rows[i * width + c];
    for (std::int64_t c = 0; c < width; ++c)
        excess[column(c)] = (excess[column(c)] - (c % 9 % 4 == 0 ? charge : 0.0)) / static_cast<double>(atoms);
    for (std::int64_t i = 0; i < atoms; ++i)
        for (std::int64_t c = 0; c < width; ++c) rows[i * width + c] -= excess[column(c)];
}

}  // namespace

void FrameGroup::run(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule,
                     const Outputs& outputs, ThreadPool& pool, bec_profile* profile) {
    evaluation_.measure(profile != nullptr);
    {
        const Lap time(profile != nullptr ? &profile->neighbors_s : nullptr);
        find_neighbors(frames, first, last, pool);
    }
    const bool rates = Outputs::wanted(outputs.current), direct = outputs.direct_charges(model_);
    const bool derived = outputs.derived_charges(model_), dipoles = rates || outputs.wants_dipole();
    const int tangents = rates ? frames.n_groups : 0;
    if (rates) set_velocities(frames, frames.first_atom[first]);
    if (derived || dipoles) set_ionic_charges(frames, first, last, sum_rule);
    const bool forward = direct || rates || !derived;
    if (forward) {
        std::vector<const Head*> heads;
        if (direct) heads.push_back(model_.head("charges"));
        if (dipoles) heads.push_back(model_.dipole());
        if (Outputs::wanted(outputs.eps_inf)) heads.push_back(model_.head("polarizability"));
        begin(heads, tangents, false, pool);
        run_layers(static_cast<int>(model_.layers.size()), 1 + tangents);
        if (direct) {
            const std::int64_t start = frames.first_atom[first], width = 9 * heads[0]->members;
            double *values = outputs.charges.values, *members = outputs.charges.members;
            evaluation_.read_out({heads[0], values != nullptr ? values + 9 * start : nullptr,
                                  members != nullptr ? members + width * start : nullptr, atom_.data()});
        }
        if (dipoles) read_out_dipoles(frames, first, last, outputs, 1 + tangents);
        if (Outputs::wanted(outputs.eps_inf)) read_out_polarizability(frames, first, last, outputs);
        if (profile != nullptr) evaluation_.add_profile(*profile);
    }
    if (derived) {
        write_charges(frames, first, last, outputs, pool, !forward);
        if (profile != nullptr) evaluation_.add_profile(*profile);
    }
    if (!sum_rule) return;
    for (std::int64_t frame = first; frame < last; ++frame) {
        const std::int64_t start = frames.first_atom[frame], atoms = frames.first_atom[frame + 1] - start;
        const double q = total_charge(frames, frame);
        if (atoms == 0) continue;
        if (outputs.charges.values != nullptr) subtract_excess(outputs.charges.values + 9 * start, atoms, 9, q);
        if (outputs.charges.members == nullptr) continue;
        const std::int64_t width = 9 * (direct ? model_.head("charges") : model_.dipole())->members;
        subtract_excess(outputs.charges.members + width * start, atoms, width, q);
    }
}

// --- the graph ---

void FrameGroup::find_neighbors(const bec_frames& frames, std::int64_t first, std::int64_t last,
                                ThreadPool& pool) {
    const double cutoff = model_.cutoff;
    const std::int64_t n = frames.first_atom[last] - frames.first_atom[first];
    species_.clear();
    atom_.clear();
    EdgeList edges{first_, sender_, vectors_, 0};
    evaluation_.forget_pairs();
    first_.require(static_cast<std::size_t>(n) + 1)[0] = 0;
    for (std::int64_t frame = first; frame < last; ++frame) {
        const auto offset = static_cast<std::int32_t>(species_.size());
        renumber(frames, frame);
        const std::int64_t atoms = static_cast<std::int64_t>(species_.size()) - offset;
        // sorted by species
        std::vector<int> present;
        for (auto i = static_cast<std::size_t>(offset); i < species_.size(); ++i)
            if (present.empty() || present.back() != species_[i]) present.push_back(species_[i]);
        evaluation_.require_pairs(present, pool);
        const std::int64_t* names = atom_.data() + offset;
        try {
            cells_.build(atoms, positions_.data(), frames.cells + 9 * frame, frames.periodic + 3 * frame, cutoff, names);
            for (std::int64_t i = 0; i < atoms; ++i) cells_.append_neighbors(i, offset, edges, offset + i);
        } catch (const std::exception& failure) {
            throw std::runtime_error("frame " + std::to_string(frame) + " of the batch: " + failure.what());
        }
    }
    sender_.grow(static_cast<std::size_t>(edges.count), static_cast<std::size_t>(edges.count));
    for (std::int64_t& atom : atom_) atom -= frames.first_atom[first];
}

// Atoms of one frame by species, and within a species by slabs of the cutoff's thickness.
void FrameGroup::renumber(const bec_frames& frames, std::int64_t frame) {
    const std::int64_t begin = frames.first_atom[frame], end = frames.first_atom[frame + 1];
    const double* positions = frames.positions;
    const std::size_t start = atom_.size();
    for (std::int64_t i = begin; i < end; ++i) atom_.push_back(i);
    const auto range_begin = atom_.begin() + static_cast<std::ptrdiff_t>(start);
    if (end - begin > 1000) {
        const double inverse = 1 / model_.cutoff;
        const auto slab = [&](std::int64_t i, int k) { return std::floor(positions[3 * i + k] * inverse); };
        std::stable_sort(range_begin, atom_.end(), [&](std::int64_t a, std::int64_t b) {
            if (frames.species[a] != frames.species[b]) return frames.species[a] < frames.species[b];
            for (int k = 2; k >= 0; --k)
                if (slab(a, k) != slab(b, k)) return slab(a, k) < slab(b, k);
            return false;
        });
    } else {
        std::stable_sort(range_begin, atom_.end(),
                         [&](std::int64_t a, std::int64_t b) { return frames.species[a] < frames.species[b]; });
    }
    positions_.resize(static_cast<std::size_t>(3 * (end - begin)));
    for (std::int64_t i = 0; i < end - begin; ++i) {
        const std::int64_t from = atom_[start + static_cast<std::size_t>(i)];
        species_.push_back(frames.species[from]);
        std::copy_n(positions + 3 * from, 3, positions_.data() + 3 * i);
    }
}

// Masked by group: one set for each of them.
void FrameGroup::set_velocities(const bec_frames& frames, std::int64_t begin) {
    const auto groups = static_cast<std::size_t>(frames.n_groups);
    velocities_.assign(3 * groups * atom_.size(), 0.0f);
    for (std::size_t i = 0; i < atom_.size(); ++i) {
        const std::int64_t from = begin + atom_[i];
        const std::int32_t group = frames.group != nullptr ? frames.group[from] : 0;
        if (group < 0) continue;
        for (std::size_t c = 0; c < 3; ++c)
            velocities_[3 * (i * groups + static_cast<std::size_t>(group)) + c] =
                static_cast<float>(frames.velocities[3 * from + static_cast<std::int64_t>(c)]);
    }
}

// In the order of the batch; with the sum rule they add up to the charge of the frame.
void FrameGroup::set_ionic_charges(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule) {
    const std::int64_t begin = frames.first_atom[first];
    const std::vector<double>& reference = model_.dipole()->shift;
    ionic_.resize(atom_.size());
    for (std::size_t i = 0; i < atom_.size(); ++i)
        ionic_[static_cast<std::size_t>(atom_[i])] = reference[static_cast<std::size_t>(species_[i])];
    if (!sum_rule) return;
    for (std::int64_t frame = first; frame < last; ++frame) {
        const auto start = ionic_.begin() + (frames.first_atom[frame] - begin);
        const auto end = ionic_.begin() + (frames.first_atom[frame + 1] - begin);
        double excess = -total_charge(frames, frame);
        for (auto q = start; q != end; ++q) excess += *q;
        for (auto q = start; q != end; ++q) *q -= excess / static_cast<double>(end - start);
    }
}

// --- the network ---

void FrameGroup::begin(const std::vector<const Head*>& heads, int tangents, bool reverse, ThreadPool& pool) {
    const auto n = static_cast<std::int64_t>(species_.size());
    evaluation_.want(heads);
    evaluation_.begin_checked({n, n, species_.data(), first_.data(), sender_.data(), vectors_.data(), tangents,
                               reverse ? 1 : 0, tangents > 0 ? velocities_.data() : nullptr},
                              pool);
}

void FrameGroup::run_layers(int count, int lanes) {
    messages_.resize(model_.layers.size() + 1);
    for (int t = 0; t < count; ++t) {
        const std::size_t floats = species_.size() * static_cast<std::size_t>(lanes * model_.message_width(t + 1));
        Buffer<float>& out = messages_[static_cast<std::size_t>(t) + 1];
        evaluation_.layer(t, t > 0 ? messages_[static_cast<std::size_t>(t)].data() : nullptr, out.require(floats));
    }
}

// From the last layer to the first: senders and receivers are the same atoms here.
void FrameGroup::differentiate(const Sweep& sweep) {
    evaluation_.start_sweep(sweep);
    const float* of_sent = nullptr;
    for (int t = static_cast<int>(model_.layers.size()) - 1; t >= 0; --t) {
        const std::size_t floats = species_.size() * static_cast<std::size_t>(sweep.lanes * model_.message_width(t));
        float* of_messages = of_messages_[t % 2].require(floats);
        evaluation_.layer_adjoint(t, t > 0 ? messages_[static_cast<std::size_t>(t)].data() : nullptr, of_sent, of_messages);
        of_sent = of_messages;
    }
}

// Z_ab = q δ_ab + ∂/∂u_b Σ_j p_j,a, lane a; atoms of the group are `stride` numbers apart.
void FrameGroup::write_gradients(double* charges, std::int64_t stride) const {
    const float* gradient = evaluation_.gradient();
    for (std::size_t i = 0; i < atom_.size(); ++i, gradient += 12) {
        double* z = charges + stride * atom_[i];
        for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
                z[3 * a + b] = static_cast<double>(gradient[4 * a + b]) + (a == b ? ionic_[static_cast<std::size_t>(atom_[i])] : 0.0);
    }
}

void FrameGroup::write_charges(const bec_frames& frames, std::int64_t first, std::int64_t last, const Outputs& outputs,
                               ThreadPool& pool, bool also_others) {
    const std::int64_t start = frames.first_atom[first];
    const Head& dipole = *model_.dipole();
    const bool eps_inf = also_others && Outputs::wanted(outputs.eps_inf);
    std::vector<const Head*> heads{&dipole};
    if (eps_inf) heads.push_back(model_.head("polarizability"));
    begin(heads, 0, true, pool);
    run_layers(static_cast<int>(model_.layers.size()) - 1, 1);
    Sweep sweep{3, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, -1};
    const std::int64_t width = 9 * dipole.members;
    if (outputs.charges.values != nullptr) {
        differentiate(sweep);
        write_gradients(outputs.charges.values + 9 * start, 9);
    }
    for (sweep.member = 0; outputs.charges.members != nullptr && sweep.member < dipole.members; ++sweep.member) {
        differentiate(sweep);
        write_gradients(outputs.charges.members + width * start + 9 * sweep.member, width);
    }
    if (also_others && outputs.wants_dipole()) read_out_dipoles(frames, first, last, outputs, 1);
    if (eps_inf) read_out_polarizability(frames, first, last, outputs);
}

// --- sums over frames ---

void FrameGroup::read_out_dipoles(const bec_frames& frames, std::int64_t first, std::int64_t last,
                                  const Outputs& outputs, int lanes) {
    const Head& head = *model_.dipole();
    const std::int64_t begin = frames.first_atom[first], members = head.members, row = 3 * members;
    dipoles_.resize(atom_.size() * static_cast<std::size_t>(lanes * row));
    evaluation_.read_out({&head, nullptr, dipoles_.data(), atom_.data()});
    std::vector<double> sums(static_cast<std::size_t>(lanes * row));
    // members, and their mean, of one lane plus Σ q x
    const auto write = [&](const bec_output& output, std::int64_t place, int lane, const double* ionic) {
        const double* sum = sums.data() + lane * row;
        for (int c = 0; c < 3; ++c) {
            double mean = 0;
            for (std::int64_t m = 0; m < members; ++m) {
                mean += sum[3 * m + c] / static_cast<double>(members);
                if (output.members != nullptr) output.members[(place * members + m) * 3 + c] = sum[3 * m + c] + ionic[c];
            }
            if (output.values != nullptr) output.values[place * 3 + c] = mean + ionic[c];
        }
    };
    for (std::int64_t frame = first; frame < last; ++frame) {
        std::fill(sums.begin(), sums.end(), 0.0);
        double charge_moment[3] = {};
        std::vector<double> charge_current(static_cast<std::size_t>(3 * lanes));
        for (std::int64_t i = frames.first_atom[frame]; i < frames.first_atom[frame + 1]; ++i) {
            const double* own = dipoles_.data() + (i - begin) * lanes * row;
            for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += own[k];
            const double q = ionic_[static_cast<std::size_t>(i - begin)];
            const std::int32_t group = lanes == 1 ? -1 : frames.group != nullptr ? frames.group[i] : 0;
            for (int c = 0; c < 3; ++c) {
                charge_moment[c] += q * frames.positions[3 * i + c];
                if (group >= 0) charge_current[static_cast<std::size_t>(3 * group + c)] += q * frames.velocities[3 * i + c];
            }
        }
        static constexpr double none[3] = {};
        write(outputs.polarization, frame, 0, charge_moment);
        write(outputs.dipole, frame, 0, none);
        for (int group = 0; group + 1 < lanes; ++group)
            write(outputs.current, frame * (lanes - 1) + group, 1 + group, charge_current.data() + 3 * group);
    }
}

void FrameGroup::read_out_polarizability(const bec_frames& frames, std::int64_t first, std::int64_t last,
                                         const Outputs& outputs) {
    const std::int64_t begin = frames.first_atom[first];
    polarizability_.resize(9 * atom_.size());
    evaluation_.read_out({model_.head("polarizability"), polarizability_.data(), nullptr, atom_.data()});
    for (std::int64_t frame = first; frame < last; ++frame) {
        double sum[9] = {};
        for (std::int64_t i = frames.first_atom[frame]; i < frames.first_atom[frame + 1]; ++i)
            for (int c = 0; c < 9; ++c) sum[c] += polarizability_[static_cast<std::size_t>(9 * (i - begin) + c)];
        const bool empty = frames.first_atom[frame] == frames.first_atom[frame + 1];
        for (int c = 0; c < 9; ++c) {
            const double value = (empty ? 0.0 : sum[c] / volume_of(frames.cells + 9 * frame)) + (c % 4 == 0 ? 1.0 : 0.0);
            for (double* out : {outputs.eps_inf.values, outputs.eps_inf.members})
                if (out != nullptr) out[9 * frame + c] = value;
        }
    }
}

}  // namespace bec
