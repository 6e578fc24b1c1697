// Radial functions of pairs of species, tabulated when a pair first occurs: as cubic Hermite splines, or as polynomials
// of degree 5 where derivatives are wanted.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "tensor_file.h"
#include "thread_pool.h"

namespace bec {

struct RadialShape {
    double cutoff;
    int functions, embedding, hidden;
    double norm;             // factor on every output
    std::vector<int> parts;  // outputs, part by part; each is padded in the table
    bool differentiated;     // derivatives will be taken
};

// A linear map of the perceptron; rows of its inputs and outputs are padded.
template <typename Real>
struct Dense {
    int inputs = 0, outputs = 0;  // outputs padded
    Buffer<Real> weights;         // as the kernel wants them
    Buffer<Real> bias;
};

// Memory of one thread that makes tables.
template <typename Real>
struct RadialScratch {
    Buffer<Real> x, y, outputs;
};

struct RadialMemory {
    RadialScratch<float> single;
    RadialScratch<double> twofold;
};

constexpr int degree = 5;  // of the polynomials; their intervals have as many nodes, and the next one's first

// The perceptron of one layer: in float, or in double where derivatives will be taken.
class RadialNetwork {
public:
    RadialNetwork(const TensorFile& file, const std::string& prefix, const RadialShape& shape);

    int intervals() const { return intervals_; }
    float inverse_step() const { return static_cast<float>(intervals_ / shape_.cutoff); }
    int width() const { return width_; }  // padded outputs
    bool polynomials() const { return shape_.differentiated; }
    // [knot][value, slope × step][outputs], or, where derivatives are wanted,
    // [interval][coefficient of t⁰ … t⁵][outputs]
    Buffer<float> tabulate(const std::vector<double>& receiver, const std::vector<double>& sender,
                           RadialMemory& memory) const;

private:
    RadialShape shape_;
    int intervals_;
    int width_;
    int hidden_padded_;
    std::vector<double> from_receiver_, from_sender_;
    std::vector<double> distance_;  // [node][hidden]: what all pairs share
    std::vector<double> envelope_;  // [node][norm × u, norm × slope × step], up to the cutoff
    Dense<float> hidden_, output_;
    Dense<double> hidden_twofold_, output_twofold_;

    void set_envelope();
    void set_distances(const TensorFile& file, const std::string& prefix);
    int nodes_per_interval() const { return shape_.differentiated ? degree : 1; }
    int reach() const { return shape_.differentiated ? 0 : slope_reach; }  // nodes beyond either end
    int nodes() const { return intervals_ * nodes_per_interval() + 1 + 2 * reach(); }
    template <typename Real>
    const Real* evaluate(const std::vector<double>& shift, const Dense<Real>& hidden, const Dense<Real>& output,
                         RadialScratch<Real>& scratch) const;
    Buffer<float> polynomials_of(const double* outputs) const;
};

struct PairTable {
    std::vector<Buffer<float>> layers;
};

// Tables of the pairs that an evaluation uses; they stay alive with this object.
class PairTables {
public:
    const float* const* of(int layer, int receiver) const {
        return pointers_.data() + (static_cast<std::size_t>(layer) * n_species_ + static_cast<std::size_t>(receiver)) * n_species_;
    }

    // Before a new graph: lets go of tables when they have become many.
    void start() {
        if (bytes_ <= (std::size_t{64} << 20)) return;
        held_.clear();
        bytes_ = 0;
    }

private:
    friend class RadialFunctions;
    std::size_t n_species_ = 0;
    std::size_t bytes_ = 0;
    std::vector<const float*> pointers_;  // [layer × receiver × sender]
    std::map<std::pair<int, int>, std::shared_ptr<const PairTable>> held_;
};

// All layers and species; shared by threads.
class RadialFunctions {
public:
    explicit RadialFunctions(std::vector<std::vector<double>> embeddings) : embeddings_(std::move(embeddings)) {}

    void add_layer(RadialNetwork network) { networks_.push_back(std::move(network)); }
    const RadialNetwork& network(int layer) const { return networks_[static_cast<std::size_t>(layer)]; }
    // Makes the tables of all ordered pairs of these species available in `tables`.
    void require(const std::vector<int>& species, ThreadPool& pool, PairTables& tables);

private:
    using Pair = std::pair<int, int>;
    std::vector<std::vector<double>> embeddings_;
    std::vector<RadialNetwork> networks_;
    std::mutex guard_;
    std::map<Pair, std::shared_ptr<const PairTable>> known_;
    std::list<Pair> age_;  // oldest first
    std::size_t bytes_ = 0;
    std::vector<RadialMemory> memory_;  // [thread]

    void add_missing(const std::vector<Pair>& missing, ThreadPool& pool);
};

}  // namespace bec
