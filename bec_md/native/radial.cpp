#include "radial.h"

#include <cmath>
#include <numeric>

#include "parallel.h"

namespace bec {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double knots_per_angstrom = 80.0;

// A function of r with its derivative.
struct Dual {
    double value;
    double slope;
};

struct Dense {
    const double* weight;  // [outputs × inputs]
    const double* bias;
    int inputs, outputs;

    void apply(const std::vector<Dual>& x, std::vector<Dual>& y) const {
        y.resize(outputs);
        for (int o = 0; o < outputs; ++o) {
            const double* row = weight + static_cast<long>(o) * inputs;
            Dual sum{bias[o], 0.0};
            for (int i = 0; i < inputs; ++i) {
                sum.value += row[i] * x[i].value;
                sum.slope += row[i] * x[i].slope;
            }
            y[o] = sum;
        }
    }
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
    std::vector<Dual> basis(count);
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

}  // namespace

RadialTable tabulate_radial(const TensorFile& file, const std::string& prefix, const RadialShape& shape,
                            const std::vector<std::vector<double>>& embeddings, int n_threads) {
    const int hidden = shape.hidden;
    const int outputs = std::accumulate(shape.parts.begin(), shape.parts.end(), 0);
    const auto get = [&](const char* name, std::vector<long> dims) {
        return file.tensor(prefix + name, dims).values.data();
    };
    const Dense from_distance{get("from_distance.weight", {hidden, shape.functions}),
                              get("from_distance.bias", {hidden}), shape.functions, hidden};
    const double* from_receiver = get("from_receiver.weight", {hidden, shape.embedding});
    const double* from_sender = get("from_sender.weight", {hidden, shape.embedding});
    const Dense middle{get("hidden.weight", {hidden, hidden}), get("hidden.bias", {hidden}), hidden, hidden};
    const Dense output{get("output.weight", {outputs, hidden}), get("output.bias", {outputs}), hidden, outputs};

    RadialTable table;
    table.intervals = std::max(64, static_cast<int>(std::ceil(shape.cutoff * knots_per_angstrom)));
    const double step = shape.cutoff / table.intervals;
    table.inverse_step = static_cast<float>(1.0 / step);
    table.width = std::accumulate(shape.padded_parts.begin(), shape.padded_parts.end(), 0);
    const std::size_t n_species = embeddings.size();
    const std::size_t pair_size = static_cast<std::size_t>(table.intervals + 1) * 2 * table.width;
    float* values = table.values.require(n_species * n_species * pair_size);
    for (std::size_t pair = 0; pair < n_species * n_species; ++pair)
        table.pair_offset.push_back(static_cast<std::int64_t>(pair * pair_size));

    // one task per knot: the functions of the distance are the same for all pairs
    parallel_for(table.intervals + 1, n_threads, [&](std::int64_t knot, int) {
        const double r = knot == table.intervals ? shape.cutoff : knot * step;
        const Dual cut = knot == table.intervals ? Dual{0.0, 0.0} : envelope(r, shape.cutoff);
        std::vector<Dual> common, x(hidden), y, z;
        from_distance.apply(bessel(r, shape.cutoff, shape.functions), common);
        for (std::size_t pair = 0; pair < n_species * n_species; ++pair) {
            const auto& receiver = embeddings[pair / n_species];
            const auto& sender = embeddings[pair % n_species];
            for (int h = 0; h < hidden; ++h) {
                double shift = 0;
                for (int k = 0; k < shape.embedding; ++k)
                    shift += from_receiver[static_cast<long>(h) * shape.embedding + k] * receiver[k] +
                             from_sender[static_cast<long>(h) * shape.embedding + k] * sender[k];
                x[h] = silu({common[h].value + shift, common[h].slope});
            }
            middle.apply(x, y);
            for (Dual& entry : y) entry = silu(entry);
            output.apply(y, z);
            float* target = values + pair * pair_size + static_cast<std::size_t>(knot) * 2 * table.width;
            int from = 0, to = 0;
            for (std::size_t part = 0; part < shape.parts.size(); ++part) {
                for (int k = 0; k < shape.parts[part]; ++k) {
                    const Dual value = z[from + k];
                    target[to + k] = static_cast<float>(shape.norm * value.value * cut.value);
                    target[table.width + to + k] = static_cast<float>(
                        shape.norm * step * (value.slope * cut.value + value.value * cut.slope));
                }
                from += shape.parts[part];
                to += shape.padded_parts[part];
            }
        }
    });
    return table;
}

}  // namespace bec
