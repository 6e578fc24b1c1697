#include "frames.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "error.h"
#include "evaluation.h"
#include "neighbors.h"
#include "parallel.h"

namespace bec {
namespace {

// Small frames are evaluated together until they have this many atoms: full blocks, warm weights.
constexpr std::int64_t group_atoms = 240;

double seconds() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Outputs {
    double* charges;
    double* members;
    double* eps_inf;
};

double volume_of(const double* a) {
    return std::abs(a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                    a[2] * (a[3] * a[7] - a[4] * a[6]));
}

// Takes from every atom its share of Σ Z − Q·1; a row holds one or several tensors of an atom.
void subtract_excess(double* rows, std::int64_t atoms, std::int64_t width, double charge) {
    std::vector<double> excess(static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < atoms; ++i)
        for (std::int64_t c = 0; c < width; ++c) excess[c] += rows[i * width + c];
    for (std::int64_t c = 0; c < width; ++c)
        excess[c] = (excess[c] - (c % 9 % 4 == 0 ? charge : 0.0)) / static_cast<double>(atoms);
    for (std::int64_t i = 0; i < atoms; ++i)
        for (std::int64_t c = 0; c < width; ++c) rows[i * width + c] -= excess[c];
}

void check(const Model& model, const bec_frames& frames) {
    for (std::int64_t frame = 0; frame < frames.n_frames; ++frame) {
        const std::int64_t first = frames.first_atom[frame];
        for (std::int64_t i = first; i < frames.first_atom[frame + 1]; ++i) {
            const auto place = [&] {
                return "atom " + std::to_string(i - first) + " in frame " + std::to_string(frame) + " of the batch";
            };
            if (frames.species[i] < 0 || frames.species[i] >= model.n_species)
                throw Error("species index " + std::to_string(frames.species[i]) + " of " + place() + " is not valid",
                            "the model was loaded for " + std::to_string(model.n_species) + " elements",
                            "load it with every element that occurs");
            const double* p = frames.positions + 3 * i;
            if (!std::isfinite(p[0]) || !std::isfinite(p[1]) || !std::isfinite(p[2]))
                throw Error("position of " + place() + " is not a finite number",
                            "neighbors cannot be found from NaN or infinite coordinates",
                            "check the trajectory at this frame: the simulation may have blown up");
        }
    }
}

}  // namespace

// Consecutive frames as one graph. Atoms are renumbered by species and place, which keeps memory access local.
class Group {
public:
    explicit Group(const Model& model) : evaluation_(model, 1) {}

    void use_threads(int n_threads) { evaluation_.use_threads(n_threads); }

    void run(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule, const Outputs& outputs,
             bec_profile* profile) {
        evaluation_.measure(profile != nullptr);
        const double start = profile != nullptr ? seconds() : 0.0;
        find_neighbors(frames, first, last);
        if (profile != nullptr) profile->neighbors_s += seconds() - start;
        const Model& model = evaluation_.model();
        const std::int64_t n = static_cast<std::int64_t>(species_.size());
        evaluation_.begin_checked({n, n, species_.data(), first_.data(), sender_.data(), vectors_.data()});
        const int count = static_cast<int>(model.layers.size());
        const float* in = nullptr;
        for (int t = 0; t < count; ++t) {
            float* out = messages_[t % 2].require(static_cast<std::size_t>(n * model.message_width(t + 1)));
            evaluation_.layer(t, in, out);
            in = out;
        }
        read_out(frames, first, last, sum_rule, outputs);
        if (profile != nullptr) evaluation_.add_profile(*profile);
    }

private:
    Evaluation evaluation_;
    CellList cells_;
    std::vector<std::int32_t> species_;
    std::vector<std::int64_t> atom_;  // atom of the batch that each renumbered atom is
    Buffer<std::int64_t> first_;
    Buffer<std::int32_t> sender_;
    Buffer<float> vectors_;
    std::vector<double> positions_;
    Buffer<float> messages_[2];
    std::vector<double> polarizability_;

    void find_neighbors(const bec_frames& frames, std::int64_t first, std::int64_t last);
    void renumber(const bec_frames& frames, std::int64_t frame);
    void read_out(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule,
                  const Outputs& outputs);
};

void Group::find_neighbors(const bec_frames& frames, std::int64_t first, std::int64_t last) {
    const double cutoff = evaluation_.model().cutoff;
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
        try {
            cells_.build(atoms, positions_.data(), frames.cells + 9 * frame, frames.periodic + 3 * frame, cutoff);
        } catch (const std::exception& failure) {
            throw std::runtime_error("frame " + std::to_string(frame) + " of the batch: " + failure.what());
        }
        // sorted by species
        std::vector<int> present;
        for (auto i = static_cast<std::size_t>(offset); i < species_.size(); ++i)
            if (present.empty() || present.back() != species_[i]) present.push_back(species_[i]);
        evaluation_.require_pairs(present);
        for (std::int64_t i = 0; i < atoms; ++i) cells_.append_neighbors(i, offset, edges, offset + i);
    }
    sender_.grow(static_cast<std::size_t>(edges.count), static_cast<std::size_t>(edges.count));
}

// Atoms of one frame by species, and within a species by slabs of the cutoff's thickness.
void Group::renumber(const bec_frames& frames, std::int64_t frame) {
    const std::int64_t begin = frames.first_atom[frame], end = frames.first_atom[frame + 1];
    const double* positions = frames.positions;
    const std::size_t start = atom_.size();
    for (std::int64_t i = begin; i < end; ++i) atom_.push_back(i);
    const auto range_begin = atom_.begin() + static_cast<std::ptrdiff_t>(start);
    if (end - begin > 1000) {
        const double inverse = 1 / evaluation_.model().cutoff;
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

void Group::read_out(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule,
                     const Outputs& outputs) {
    const std::int64_t begin = frames.first_atom[first];
    if (outputs.eps_inf != nullptr) polarizability_.resize(9 * species_.size());
    const std::int64_t width = 9 * evaluation_.model().members;
    for (std::int64_t& atom : atom_) atom -= begin;
    evaluation_.read_out({outputs.charges + 9 * begin,
                          outputs.members != nullptr ? outputs.members + width * begin : nullptr,
                          outputs.eps_inf != nullptr ? polarizability_.data() : nullptr, atom_.data()});
    for (std::int64_t frame = first; frame < last; ++frame) {
        const std::int64_t start = frames.first_atom[frame], atoms = frames.first_atom[frame + 1] - start;
        if (atoms > 0 && sum_rule) {
            const double q = frames.total_charge != nullptr ? frames.total_charge[frame] : 0.0;
            subtract_excess(outputs.charges + 9 * start, atoms, 9, q);
            if (outputs.members != nullptr) subtract_excess(outputs.members + width * start, atoms, width, q);
        }
        if (outputs.eps_inf == nullptr) continue;
        double sum[9] = {};
        for (std::int64_t i = start; i < start + atoms; ++i)
            for (int c = 0; c < 9; ++c) sum[c] += polarizability_[static_cast<std::size_t>(9 * (i - begin) + c)];
        for (int c = 0; c < 9; ++c)
            outputs.eps_inf[9 * frame + c] =
                (atoms > 0 ? sum[c] / volume_of(frames.cells + 9 * frame) : 0.0) + (c % 4 == 0 ? 1.0 : 0.0);
    }
}

FrameEvaluator::FrameEvaluator(Model model) : model_(std::move(model)) {}

FrameEvaluator::~FrameEvaluator() = default;

std::unique_ptr<Group> FrameEvaluator::take(int n_threads) const {
    std::unique_ptr<Group> group;
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (!idle_.empty()) {
            group = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!group) group = std::make_unique<Group>(model_);
    group->use_threads(n_threads);
    return group;
}

void FrameEvaluator::give_back(std::unique_ptr<Group> group) const {
    const std::lock_guard<std::mutex> lock(guard_);
    idle_.push_back(std::move(group));
}

void FrameEvaluator::evaluate(const bec_frames& frames, int n_threads, bool sum_rule, double* charges,
                              double* members, double* eps_inf, bec_profile* profile) const {
    if (frames.n_frames <= 0) return;
    check(model_, frames);
    std::vector<std::int64_t> starts{0};
    std::int64_t atoms = 0;
    for (std::int64_t frame = 0; frame < frames.n_frames; ++frame) {
        atoms += frames.first_atom[frame + 1] - frames.first_atom[frame];
        if (atoms >= group_atoms || frame + 1 == frames.n_frames) {
            starts.push_back(frame + 1);
            atoms = 0;
        }
    }
    const auto n_groups = static_cast<std::int64_t>(starts.size()) - 1;
    n_threads = std::max(1, n_threads);
    const int outer = n_groups >= n_threads ? n_threads : 1;  // else threads share the atoms of each group
    std::vector<std::unique_ptr<Group>> workers;
    for (int i = 0; i < outer; ++i) workers.push_back(take(n_threads / outer));
    const Outputs outputs{charges, members, eps_inf};
    std::vector<bec_profile> profiles(static_cast<std::size_t>(outer));
    parallel_for(n_groups, outer, [&](std::int64_t g, int thread) {
        const auto i = static_cast<std::size_t>(g), worker = static_cast<std::size_t>(thread);
        workers[worker]->run(frames, starts[i], starts[i + 1], sum_rule, outputs,
                             profile != nullptr ? &profiles[worker] : nullptr);
    });
    for (auto& worker : workers) give_back(std::move(worker));
    if (profile == nullptr) return;
    for (const bec_profile& own : profiles) add_profile(own, *profile);
}

}  // namespace bec
