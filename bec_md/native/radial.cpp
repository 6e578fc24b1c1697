#include "radial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "matrix.h"

namespace bec {
namespace {

constexpr double pi = 3.14159265358979323846;
// Interpolation errors are then below the rounding of float32 for trained networks, those of derivatives, too: intervals
// per Å, and at least so many, since the functions of a short cutoff vary faster.
struct Density {
    double per_angstrom;
    int least;
};
constexpr Density density_of_values{64.0, 320}, density_of_derivatives{40.0, 200};
// The universal model has thousands of pairs; older tables are dropped and made again when needed.
constexpr std::size_t memory_limit = std::size_t{512} << 20;
constexpr int block_nodes = 48;  // evaluated at a time

// √(2n) sin(nπx)/(nπx) with x = r/cutoff: the network's normalization.
double bessel(double x, int n) {
    const double scale = std::sqrt(2.0 / n) / pi, k = n * pi;
    return std::abs(k * x) < 1e-4 ? scale * k * (1.0 - k * x * k * x / 6.0) : scale * std::sin(k * x) / x;
}

// torch's Linear stores [outputs × inputs]; here outputs are padded part by part.
Matrix weights_of(const std::vector<double>& weight, int inputs, const std::vector<int>& parts) {
    const long outputs = std::accumulate(parts.begin(), parts.end(), 0L);
    return transposed(pad_rows({outputs, inputs, weight}, parts));
}

void pack_dense(const Matrix& weights, const Matrix& bias, Dense<float>& dense) {
    Weights packed = pack(weights);
    dense.inputs = packed.inputs;
    dense.outputs = packed.outputs;
    dense.weights = std::move(packed.packed);
    dense.bias = Buffer<float>(bias.values.size());
    std::transform(bias.values.begin(), bias.values.end(), dense.bias.data(), [](double b) { return static_cast<float>(b); });
}

void pack_dense(const Matrix& weights, const Matrix& bias, Dense<double>& dense) {
    dense.inputs = static_cast<int>(weights.rows);
    dense.outputs = static_cast<int>(weights.columns);
    dense.weights = Buffer<double>(weights.values.size());
    std::copy(weights.values.begin(), weights.values.end(), dense.weights.data());
    dense.bias = Buffer<double>(bias.values.size());
    std::copy(bias.values.begin(), bias.values.end(), dense.bias.data());
}

void apply(const Dense<float>& dense, const float* x, int stride, int rows, float* y) {
    const Segment all{x, dense.inputs, stride};
    kernels().multiply(&all, 1, rows, dense.weights.data(), dense.outputs, y, dense.outputs, nullptr, false);
}

void apply(const Dense<double>& dense, const double* x, int stride, int rows, double* y) {
    kernels().multiply_double(x, stride, rows, dense.inputs, dense.weights.data(), dense.outputs, y);
}

void silu(float* x, std::int64_t length) { kernels().silu(x, nullptr, length); }
void silu(double* x, std::int64_t length) { kernels().silu_double(x, length); }

}  // namespace

RadialNetwork::RadialNetwork(const TensorFile& file, const std::string& prefix, const RadialShape& shape)
    : shape_(shape), width_(0), hidden_padded_(padded(shape.hidden)) {
    const int hidden = shape.hidden;
    for (const int part : shape.parts) width_ += padded(part);
    const Density density = shape.differentiated ? density_of_derivatives : density_of_values;
    intervals_ = std::max(density.least, static_cast<int>(std::ceil(shape.cutoff * density.per_angstrom)));
    const long outputs = std::accumulate(shape.parts.begin(), shape.parts.end(), 0L);
    const auto get = [&](const char* name, const std::vector<long>& dims) -> const std::vector<double>& {
        return file.tensor(prefix + name, dims).values;
    };
    from_receiver_ = get("from_receiver.weight", {hidden, shape.embedding});
    from_sender_ = get("from_sender.weight", {hidden, shape.embedding});
    const Matrix inner = weights_of(get("hidden.weight", {hidden, hidden}), hidden, {hidden});
    const Matrix inner_bias = weights_of(get("hidden.bias", {hidden}), 1, {hidden});
    const Matrix outer = weights_of(get("output.weight", {outputs, hidden}), hidden, shape.parts);
    const Matrix outer_bias = weights_of(get("output.bias", {outputs}), 1, shape.parts);
    if (shape.differentiated) {
        pack_dense(inner, inner_bias, hidden_twofold_);
        pack_dense(outer, outer_bias, output_twofold_);
    } else {
        pack_dense(inner, inner_bias, hidden_);
        pack_dense(outer, outer_bias, output_);
    }
    set_distances(file, prefix);
    set_envelope();
}

void RadialNetwork::set_distances(const TensorFile& file, const std::string& prefix) {
    const int hidden = shape_.hidden, functions = shape_.functions;
    const auto& weight = file.tensor(prefix + "from_distance.weight", {hidden, functions}).values;
    const auto& bias = file.tensor(prefix + "from_distance.bias", {hidden}).values;
    distance_.resize(static_cast<std::size_t>(nodes()) * static_cast<std::size_t>(hidden_padded_));
    std::vector<double> basis(static_cast<std::size_t>(functions));
    // the network goes on smoothly beyond r = 0, where it is even, and beyond the cutoff, where only its envelope ends
    for (int node = 0; node < nodes(); ++node) {
        const double x = static_cast<double>(node - reach()) / (intervals_ * nodes_per_interval());
        for (int n = 1; n <= functions; ++n) basis[static_cast<std::size_t>(n - 1)] = bessel(x, n);
        double* row = distance_.data() + std::ptrdiff_t{node} * hidden_padded_;
        for (int h = 0; h < hidden; ++h)
            row[h] = std::inner_product(basis.begin(), basis.end(), weight.begin() + std::ptrdiff_t{h} * functions,
                                        bias[static_cast<std::size_t>(h)]);
    }
}

// u(x) = 1 − 28 x⁶ + 48 x⁷ − 21 x⁸, zero at the cutoff.
void RadialNetwork::set_envelope() {
    const int steps = intervals_ * nodes_per_interval();
    for (int node = 0; node < steps; ++node) {
        const double x = static_cast<double>(node) / steps, x5 = x * x * x * x * x;
        envelope_.push_back(shape_.norm * (1.0 + x5 * x * (-28.0 + x * (48.0 - 21.0 * x))));
        envelope_.push_back(shape_.norm * x5 * (-168.0 + x * (336.0 - 168.0 * x)) / steps);
    }
    envelope_.resize(2 * static_cast<std::size_t>(steps + 1));
}

// Outputs of the perceptron at all nodes, [node][output] without bias, from `shift` of its first layer.
template <typename Real>
const Real* RadialNetwork::evaluate(const std::vector<double>& shift, const Dense<Real>& hidden, const Dense<Real>& output,
                                    RadialScratch<Real>& scratch) const {
    const int width = hidden_padded_;
    const auto floats = [](int rows, int columns) { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); };
    Real* x = scratch.x.require(floats(block_nodes, width));
    Real* y = scratch.y.require(floats(block_nodes, width));
    Real* outputs = scratch.outputs.require(floats(nodes(), width_));
    for (int node = 0; node < nodes(); node += block_nodes) {
        const int rows = std::min(block_nodes, nodes() - node);
        const double* distance = distance_.data() + std::ptrdiff_t{node} * width;
        for (int i = 0; i < rows * width; ++i) x[i] = static_cast<Real>(distance[i] + shift[static_cast<std::size_t>(i % width)]);
        silu(x, rows * width);
        apply(hidden, x, width, rows, y);
        for (int row = 0; row < rows; ++row)
            for (int h = 0; h < width; ++h) y[row * width + h] += hidden.bias.data()[h];
        silu(y, rows * width);
        apply(output, y, width, rows, outputs + std::ptrdiff_t{node} * width_);
    }
    return outputs;
}

Buffer<float> RadialNetwork::tabulate(const std::vector<double>& receiver, const std::vector<double>& sender,
                                      RadialMemory& memory) const {
    const auto embedding = static_cast<std::ptrdiff_t>(shape_.embedding);
    std::vector<double> shift(static_cast<std::size_t>(hidden_padded_));
    for (std::ptrdiff_t h = 0; h < shape_.hidden; ++h)
        for (std::ptrdiff_t k = 0; k < embedding; ++k)
            shift[static_cast<std::size_t>(h)] += from_receiver_[static_cast<std::size_t>(h * embedding + k)] * receiver[static_cast<std::size_t>(k)] +
                        from_sender_[static_cast<std::size_t>(h * embedding + k)] * sender[static_cast<std::size_t>(k)];
    if (shape_.differentiated) return polynomials_of(evaluate(shift, hidden_twofold_, output_twofold_, memory.twofold));
    const float* outputs = evaluate(shift, hidden_, output_, memory.single) + std::ptrdiff_t{reach()} * width_;
    Buffer<float> table = Buffer<float>::unset(2 * static_cast<std::size_t>(intervals_ + 1) * static_cast<std::size_t>(width_));
    kernels().spline({outputs, output_.bias.data(), envelope_.data(), intervals_ + 1, width_, table.data()});
    return table;
}

// Newton's polynomial Σ_k Δ^k f₀ · C(5t, k) through six equidistant nodes, its powers collected.
Buffer<float> RadialNetwork::polynomials_of(const double* outputs) const {
    constexpr double power_of_binomial[degree + 1][degree + 1] = {  // of (5t)^m in C(5t, k): Stirling numbers over k!
        {1.0}, {0.0, 1.0}, {0.0, -1.0 / 2, 1.0 / 2}, {0.0, 2.0 / 6, -3.0 / 6, 1.0 / 6},
        {0.0, -6.0 / 24, 11.0 / 24, -6.0 / 24, 1.0 / 24}, {0.0, 24.0 / 120, -50.0 / 120, 35.0 / 120, -10.0 / 120, 1.0 / 120}};
    const std::ptrdiff_t w = width_;
    Buffer<float> table = Buffer<float>::unset((degree + 1) * static_cast<std::size_t>(intervals_) * static_cast<std::size_t>(w));
    for (std::ptrdiff_t interval = 0; interval < intervals_; ++interval) {
        const std::ptrdiff_t first = degree * interval;
        float* out = table.data() + (degree + 1) * interval * w;
        for (std::ptrdiff_t k = 0; k < w; ++k) {
            double differences[degree + 1];
            for (std::ptrdiff_t node = 0; node <= degree; ++node)
                differences[node] = envelope_[static_cast<std::size_t>(2 * (first + node))] *
                                    (outputs[(first + node) * w + k] + output_twofold_.bias.data()[k]);
            for (int order = 1; order <= degree; ++order)
                for (int node = degree; node >= order; --node) differences[node] -= differences[node - 1];
            double scale = 1.0;
            for (int m = 0; m <= degree; ++m, scale *= degree) {
                double sum = 0.0;
                for (int order = m; order <= degree; ++order) sum += power_of_binomial[order][m] * differences[order];
                out[m * w + k] = static_cast<float>(scale * sum);
            }
        }
    }
    return table;
}

void RadialFunctions::add_missing(const std::vector<Pair>& missing, ThreadPool& pool) {
    const std::size_t n_layers = networks_.size();
    std::vector<std::shared_ptr<PairTable>> made;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        made.push_back(std::make_shared<PairTable>());
        made.back()->layers.resize(n_layers);
    }
    memory_.resize(std::max(memory_.size(), static_cast<std::size_t>(pool.size())));
    pool.run(static_cast<std::int64_t>(missing.size() * n_layers), [&](std::int64_t task, int thread) {
        const std::size_t pair = static_cast<std::size_t>(task) / n_layers, layer = static_cast<std::size_t>(task) % n_layers;
        made[pair]->layers[layer] = networks_[layer].tabulate(embeddings_[missing[pair].first],
                                                              embeddings_[missing[pair].second],
                                                              memory_[static_cast<std::size_t>(thread)]);
    });
    for (std::size_t i = 0; i < missing.size(); ++i) {
        known_[missing[i]] = made[i];
        age_.push_back(missing[i]);
        for (const auto& table : made[i]->layers) bytes_ += table.size() * sizeof(float);
    }
}

void RadialFunctions::require(const std::vector<int>& species, ThreadPool& pool, PairTables& tables) {
    const std::size_t n = embeddings_.size(), n_layers = networks_.size();
    if (tables.n_species_ != n) {
        tables.n_species_ = n;
        tables.pointers_.assign(n_layers * n * n, nullptr);
    }
    std::vector<Pair> unseen, missing;
    for (const int receiver : species)
        for (const int sender : species)
            if (tables.held_.count({receiver, sender}) == 0) unseen.push_back({receiver, sender});
    if (unseen.empty()) return;
    const std::lock_guard<std::mutex> lock(guard_);
    for (const Pair& pair : unseen)
        if (known_.count(pair) == 0) missing.push_back(pair);
    if (!missing.empty()) add_missing(missing, pool);
    for (const Pair& pair : unseen) {
        const auto& table = tables.held_[pair] = known_.at(pair);
        for (std::size_t layer = 0; layer < n_layers; ++layer) {
            tables.pointers_[(layer * n + pair.first) * n + pair.second] = table->layers[layer].data();
            tables.bytes_ += table->layers[layer].size() * sizeof(float);
        }
    }
    while (bytes_ > memory_limit && age_.size() > unseen.size()) {  // those in use live on with their users
        const Pair oldest = age_.front();
        age_.pop_front();
        for (const auto& table : known_.at(oldest)->layers) bytes_ -= table.size() * sizeof(float);
        known_.erase(oldest);
    }
}

}  // namespace bec
