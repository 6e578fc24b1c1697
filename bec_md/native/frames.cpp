#include "frames.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "error.h"
#include "frame_group.h"
#include "thread_pool.h"

namespace bec {
namespace {

// Small frames are evaluated together until they have this many atoms: full blocks, warm weights.
constexpr std::int64_t group_atoms = 240;

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

// First frame of each group, and the end.
std::vector<std::int64_t> group_starts(const bec_frames& frames) {
    std::vector<std::int64_t> starts{0};
    std::int64_t atoms = 0;
    for (std::int64_t frame = 0; frame < frames.n_frames; ++frame) {
        atoms += frames.first_atom[frame + 1] - frames.first_atom[frame];
        if (atoms < group_atoms && frame + 1 < frames.n_frames) continue;
        starts.push_back(frame + 1);
        atoms = 0;
    }
    return starts;
}

}  // namespace

// Threads, and what each of them evaluates groups of frames with.
struct FrameTeam {
    explicit FrameTeam(int n_threads) : pool(n_threads) {}
    ThreadPool pool;
    ThreadPool alone{1};
    std::vector<std::unique_ptr<FrameGroup>> groups;
};

FrameEvaluator::FrameEvaluator(Model model) : model_(std::move(model)) {}

FrameEvaluator::~FrameEvaluator() = default;

std::unique_ptr<FrameTeam> FrameEvaluator::take(int n_threads) const {
    const std::lock_guard<std::mutex> lock(guard_);
    for (auto& team : idle_)
        if (team->pool.size() == n_threads) {
            std::swap(team, idle_.back());
            std::unique_ptr<FrameTeam> taken = std::move(idle_.back());
            idle_.pop_back();
            return taken;
        }
    idle_.clear();  // another number of threads from now on
    return std::make_unique<FrameTeam>(n_threads);
}

void FrameEvaluator::give_back(std::unique_ptr<FrameTeam> team) const {
    const std::lock_guard<std::mutex> lock(guard_);
    idle_.push_back(std::move(team));
}

void FrameEvaluator::evaluate(const bec_frames& frames, int n_threads, bool sum_rule, const bec_output* outputs,
                              int n_outputs, bec_profile* profile) const {
    if (frames.n_frames <= 0) return;
    check(model_, frames);
    const Outputs wanted(model_, frames, outputs, n_outputs);
    const std::vector<std::int64_t> starts = group_starts(frames);
    const auto n_groups = static_cast<std::int64_t>(starts.size()) - 1;
    std::unique_ptr<FrameTeam> team = take(std::max(1, n_threads));
    const bool share_atoms = n_groups < team->pool.size();  // of each group, else threads share the groups
    const std::size_t workers = share_atoms ? 1 : static_cast<std::size_t>(team->pool.size());
    while (team->groups.size() < workers) team->groups.push_back(std::make_unique<FrameGroup>(model_));
    std::vector<bec_profile> profiles(workers);
    const auto run = [&](std::int64_t group, std::size_t worker, ThreadPool& pool) {
        const auto i = static_cast<std::size_t>(group);
        team->groups[worker]->run(frames, starts[i], starts[i + 1], sum_rule, wanted, pool,
                                  profile != nullptr ? &profiles[worker] : nullptr);
    };
    if (share_atoms)
        for (std::int64_t group = 0; group < n_groups; ++group) run(group, 0, team->pool);
    else
        team->pool.run(n_groups, [&](std::int64_t group, int thread) {
            run(group, static_cast<std::size_t>(thread), team->alone);
        });
    give_back(std::move(team));
    if (profile == nullptr) return;
    for (const bec_profile& own : profiles) add_profile(own, *profile);
}

}  // namespace bec
