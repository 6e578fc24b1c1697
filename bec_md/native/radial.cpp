#include "radial.h"

#include <cmath>
#include <numeric>

#include "kernels.h"

namespace bec {
namespace {

constexpr double pi = 3.14159265358979323846;
// Interpolation errors are then below the rounding of float32 for trained networks, those of derivatives, too.
constexpr double knots_per_angstrom = 80.0, knots_for_derivatives = 140.0;
// The universal model has thousands of pairs; older tables are dropped and made again when needed.
constexpr std::size_t memory_limit = std::size_t{256} << 20;

// A function of r with its derivative.
struct Dual {
    double value;
    double slope;
};

Dual silu(Dual x) {
    const double s = 1.0 / (1.0 + std::exp(-x.value));
    return {x.value * s, x.slope * s * (1.0 + x.value * (1.0 - s))};
}

// u(x) = 1 − 28 x⁶ + 48 x⁷ − 21 x⁸ below x = 1, zero beyond.
Dual envelope(double r, double cutoff) {
    const double x = r / cutoff;
    if (x >= 1.0) return {0.0, 0.0};
    const double x5 = x * x * x * x * x;
    return {1.0 + x5 * x * (-28.0 + x * (48.0 - 21.0 * x)), x5 * (-168.0 + x * (336.0 - 168.0 * x)) / cutoff};
}

// √(2n) sin(nπx)/(nπx) with x = r/cutoff: the network's normalization.
std::vector<Dual> bessel(double r, double cutoff, int count) {
    std::vector<Dual> basis(static_cast<std::size_t>(count));
    const double x = r / cutoff;
    for (int n = 1; n <= count; ++n) {
        const double k = n * pi, scale = std::sqrt(2.0 / n) / pi, phase = k * x;
        if (phase < 1e-4) {
            basis[n - 1] = {scale * k * (1.0 - phase * phase / 6.0), -scale * k * k * phase / 3.0 / cutoff};
        } else {
            const double value = scale * std::sin(phase) / x;
            basis[n - 1] = {value, (scale * k * std::cos(phase) - value) / x / cutoff};
        }
    }
    return basis;
}

// torch's Linear stores [outputs × inputs]; here [inputs × padded outputs].
std::vector<double> transposed(const std::vector<double>& weight, int outputs, int inputs) {
    std::vector<double> result(static_cast<std::size_t>(inputs) * padded(outputs));
    for (int o = 0; o < outputs; ++o)
        for (int i = 0; i < inputs; ++i) result[i * padded(outputs) + o] = weight[o * inputs + i];
    return result;
}

// rows of SiLU(x + bias), values and slopes alternating; `x` has padded rows
void activate(double* x, int knots, int width, int stride, const double* bias) {
    for (int knot = 0; knot < knots; ++knot, x += 2 * stride) {
        for (int i = 0; i < width; ++i) {
            const Dual y = silu({x[i] + bias[i], x[stride + i]});
            x[i] = y.value;
            x[stride + i] = y.slope;
        }
    }
}

}  // namespace

RadialNetwork::RadialNetwork(const TensorFile& file, const std::string& prefix, const RadialShape& shape)
    : shape_(shape), width_(0), outputs_(std::accumulate(shape.parts.begin(), shape.parts.end(), 0)) {
    const int hidden = shape.hidden;
    for (const int part : shape.parts) width_ += padded(part);
    hidden_padded_ = padded(hidden);
    outputs_padded_ = padded(outputs_);
    const double density = shape.differentiated ? knots_for_derivatives : knots_per_angstrom;
    intervals_ = std::max(64, static_cast<int>(std::ceil(shape.cutoff * density)));
    const auto get = [&](const char* name, const std::vector<long>& dims) -> const std::vector<double>& {
        return file.tensor(prefix + name, dims).values;
    };
    const auto& from_distance = get("from_distance.weight", {hidden, shape.functions});
    const auto& distance_bias = get("from_distance.bias", {hidden});
    from_receiver_ = get("from_receiver.weight", {hidden, shape.embedding});
    from_sender_ = get("from_sender.weight", {hidden, shape.embedding});
    hidden_ = transposed(get("hidden.weight", {hidden, hidden}), hidden, hidden);
    hidden_bias_ = get("hidden.bias", {hidden});
    output_ = transposed(get("output.weight", {outputs_, hidden}), outputs_, hidden);
    output_bias_ = get("output.bias", {outputs_});
    distance_.resize(static_cast<std::size_t>(intervals_ + 1) * 2 * hidden_padded_);
    for (int knot = 0; knot <= intervals_; ++knot) {
        const auto basis = bessel(shape.cutoff * knot / intervals_, shape.cutoff, shape.functions);
        double* row = distance_.data() + static_cast<std::size_t>(knot) * 2 * hidden_padded_;
        for (int h = 0; h < hidden; ++h) {
            row[h] = distance_bias[h];
            for (int n = 0; n < shape.functions; ++n) {
                row[h] += from_distance[h * shape.functions + n] * basis[n].value;
                row[hidden_padded_ + h] += from_distance[h * shape.functions + n] * basis[n].slope;
            }
        }
    }
}

Buffer<float> RadialNetwork::tabulate(const std::vector<double>& receiver, const std::vector<double>& sender) const {
    const int hidden = shape_.hidden, knots = intervals_ + 1;
    std::vector<double> shift(static_cast<std::size_t>(hidden));
    for (int h = 0; h < hidden; ++h)
        for (int k = 0; k < shape_.embedding; ++k)
            shift[h] += from_receiver_[h * shape_.embedding + k] * receiver[k] +
                        from_sender_[h * shape_.embedding + k] * sender[k];
    std::vector<double> x = distance_;
    activate(x.data(), knots, hidden, hidden_padded_, shift.data());
    std::vector<double> y(x.size());
    kernels().multiply_double(x.data(), hidden_padded_, 2 * knots, hidden, hidden_.data(), hidden_padded_, y.data());
    activate(y.data(), knots, hidden, hidden_padded_, hidden_bias_.data());
    std::vector<double> z(static_cast<std::size_t>(2 * knots) * outputs_padded_);
    kernels().multiply_double(y.data(), hidden_padded_, 2 * knots, hidden, output_.data(), outputs_padded_, z.data());

    std::vector<double> spline(static_cast<std::size_t>(2 * knots * width_));  // [knot][value, slope × step][outputs]
    const double step = shape_.cutoff / intervals_;
    for (int knot = 0; knot < intervals_; ++knot) {  // the last one stays zero
        const Dual cut = envelope(knot * step, shape_.cutoff);
        const double* value = z.data() + static_cast<std::size_t>(2 * knot) * outputs_padded_;
        const double* slope = value + outputs_padded_;
        double* target = spline.data() + static_cast<std::size_t>(2 * knot) * width_;
        int from = 0;
        for (const int part : shape_.parts) {
            for (int k = 0; k < part; ++k, ++from) {
                const double f = value[from] + output_bias_[from];
                target[k] = shape_.norm * f * cut.value;
                target[width_ + k] = shape_.norm * step * (slope[from] * cut.value + f * cut.slope);
            }
            target += padded(part);
        }
    }
    Buffer<float> table(shape_.differentiated ? static_cast<std::size_t>(4 * intervals_ * width_) : spline.size());
    if (shape_.differentiated) to_polynomials(spline, table);
    else std::copy(spline.begin(), spline.end(), table.data());
    return table;
}

void RadialNetwork::to_polynomials(const std::vector<double>& spline, Buffer<float>& table) const {
    const std::ptrdiff_t w = width_;
    for (std::ptrdiff_t interval = 0; interval < intervals_; ++interval) {
        const double* knot = spline.data() + 2 * interval * w;
        float* out = table.data() + 4 * interval * w;
        for (std::ptrdiff_t k = 0; k < w; ++k) {
            const double f0 = knot[k], s0 = knot[w + k], f1 = knot[2 * w + k], s1 = knot[3 * w + k];
            const double coefficients[4] = {f0, s0, 3 * (f1 - f0) - 2 * s0 - s1, 2 * (f0 - f1) + s0 + s1};
            for (std::ptrdiff_t c = 0; c < 4; ++c) out[c * w + k] = static_cast<float>(coefficients[c]);
        }
    }
}

void RadialFunctions::add_missing(const std::vector<Pair>& missing, ThreadPool& pool) {
    const std::size_t n_layers = networks_.size();
    std::vector<std::shared_ptr<PairTable>> made;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        made.push_back(std::make_shared<PairTable>());
        made.back()->layers.resize(n_layers);
    }
    pool.run(static_cast<std::int64_t>(missing.size() * n_layers), [&](std::int64_t task, int) {
        const std::size_t pair = static_cast<std::size_t>(task) / n_layers, layer = static_cast<std::size_t>(task) % n_layers;
        made[pair]->layers[layer] = networks_[layer].tabulate(embeddings_[missing[pair].first],
                                                              embeddings_[missing[pair].second]);
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
