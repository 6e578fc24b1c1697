// Consecutive frames of a batch, evaluated as one graph.
#pragma once

#include <vector>

#include "bec_native.h"
#include "buffer.h"
#include "evaluation.h"
#include "neighbors.h"
#include "outputs.h"
#include "thread_pool.h"

namespace bec {

// Atoms are renumbered by species and place, which keeps memory access local. Memory is kept from one use to the next.
class FrameGroup {
public:
    explicit FrameGroup(const Model& model) : model_(model), evaluation_(model) {}

    // Frames first … last − 1.
    void run(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule, const Outputs& outputs,
             ThreadPool& pool, bec_profile* profile);

private:
    const Model& model_;
    Evaluation evaluation_;
    CellList cells_;
    std::vector<std::int32_t> species_;
    std::vector<std::int64_t> atom_;  // atom of the group that each renumbered atom is
    Buffer<std::int64_t> first_;
    Buffer<std::int32_t> sender_;
    Buffer<float> vectors_;
    std::vector<double> positions_;
    std::vector<float> velocities_;  // [atom][group][3]
    std::vector<Buffer<float>> messages_;  // into each layer
    Buffer<float> of_messages_[2];
    std::vector<double> polarizability_;  // [atom][9]
    std::vector<double> dipoles_;         // [atom][lane][member][3]
    std::vector<double> ionic_;           // [atom] charges that move with the atoms

    void find_neighbors(const bec_frames& frames, std::int64_t first, std::int64_t last, ThreadPool& pool);
    void renumber(const bec_frames& frames, std::int64_t frame);
    void set_velocities(const bec_frames& frames, std::int64_t begin);
    void set_ionic_charges(const bec_frames& frames, std::int64_t first, std::int64_t last, bool sum_rule);
    void begin(const std::vector<const Head*>& heads, int tangents, bool reverse, ThreadPool& pool);
    void run_layers(int count, int lanes);
    void differentiate(const Sweep& sweep);
    void write_gradients(double* charges, std::int64_t stride) const;
    void write_charges(const bec_frames& frames, std::int64_t first, std::int64_t last, const Outputs& outputs,
                       ThreadPool& pool, bool also_others);
    void read_out_dipoles(const bec_frames& frames, std::int64_t first, std::int64_t last, const Outputs& outputs, int lanes);
    void read_out_polarizability(const bec_frames& frames, std::int64_t first, std::int64_t last, const Outputs& outputs);
};

}  // namespace bec
