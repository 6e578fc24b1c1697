#include "model.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "error.h"
#include "kernels.h"

namespace bec {
namespace {

// Row-major matrix in double precision.
struct Matrix {
    long rows = 0;
    long columns = 0;
    std::vector<double> values;

    double& operator()(long r, long c) { return values[r * columns + c]; }
    double operator()(long r, long c) const { return values[r * columns + c]; }
};

Matrix zeros(long rows, long columns) {
    return {rows, columns, std::vector<double>(static_cast<std::size_t>(rows * columns))};
}

// Consecutive rows, in parts of given lengths, each moved to a padded place.
Matrix pad_rows(const Matrix& in, const std::vector<int>& parts) {
    long total = 0;
    for (const int part : parts) total += padded(part);
    Matrix out = zeros(total, in.columns);
    long from = 0, to = 0;
    for (const int part : parts) {
        std::copy_n(in.values.begin() + from * in.columns, part * in.columns,
                    out.values.begin() + to * in.columns);
        from += part;
        to += padded(part);
    }
    return out;
}

Matrix product(const Matrix& a, const Matrix& b) {
    Matrix c = zeros(a.rows, b.columns);
    for (long i = 0; i < a.rows; ++i)
        for (long k = 0; k < a.columns; ++k)
            for (long j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    return c;
}

Matrix transposed(const Matrix& a) {
    Matrix b = zeros(a.columns, a.rows);
    for (long i = 0; i < a.rows; ++i)
        for (long j = 0; j < a.columns; ++j) b(j, i) = a(i, j);
    return b;
}

Matrix row_range(const Matrix& a, long first, long count) {
    Matrix b = zeros(count, a.columns);
    std::copy_n(a.values.begin() + first * a.columns, count * a.columns, b.values.begin());
    return b;
}

// Every consecutive group of `part` columns is moved to a padded place.
Matrix pad_columns(const Matrix& in, int part) {
    return transposed(pad_rows(transposed(in), std::vector<int>(static_cast<std::size_t>(in.columns / part), part)));
}

Weights pack(const Matrix& matrix) {
    Weights weights;
    weights.inputs = static_cast<int>(matrix.rows);
    weights.outputs = padded(static_cast<int>(matrix.columns));
    float* out = weights.packed.require(static_cast<std::size_t>(weights.inputs) * weights.outputs);
    for (int column = 0; column < weights.outputs;) {
        const int panel = panel_width(weights.outputs - column);
        for (long k = 0; k < matrix.rows; ++k)
            for (int c = column; c < column + panel; ++c)
                *out++ = c < matrix.columns ? static_cast<float>(matrix(k, c)) : 0.0f;
        column += panel;
    }
    return weights;
}

Buffer<float> pad_vector(const std::vector<double>& values, int part) {
    const std::size_t parts = values.size() / static_cast<std::size_t>(part);
    Buffer<float> out(parts * padded(part));
    for (std::size_t i = 0; i < values.size(); ++i)
        out.data()[i / part * padded(part) + i % part] = static_cast<float>(values[i]);
    return out;
}

class Loader {
public:
    Loader(const std::string& path, const std::string& level, const std::vector<int>& numbers)
        : path_(path), file_(path) {
        read_config(level);
        read_elements(numbers);
    }

    Model load() {
        for (int t = 0; t < n_layers_; ++t) model_.layers.push_back(layer(t));
        for (const int ir : {i0e, i1e, i2e})
            model_.readout[ir] = pack(mixing(name("charges.mix.weights."), ir, {channels_}, model_.members));
        model_.polarizability = pad_vector(file_.tensor(name("polarizability.size.weight"), {1, channels_}).values, channels_);
        model_.polarizability_bias = file_.tensor(name("polarizability.size.bias"), {1}).values[0];
        model_.anisotropy =
            pad_vector(file_.tensor(name("polarizability.anisotropy.weights.2e"), {channels_, 1}).values, channels_);
        cartesian_basis();
        return std::move(model_);
    }

private:
    std::string path_;
    TensorFile file_;
    Model model_;
    int channels_ = 0, sent_ = 0, n_layers_ = 0, functions_ = 0, radial_width_ = 0, scalar_width_ = 0;
    int level_ = 0;
    long n_levels_ = 0, n_elements_ = 0;
    double norm_ = 1;
    std::vector<std::vector<double>> embeddings_;  // of the species in use

    // Name of a read-out's tensor; schema 1 had other names.
    std::string name(const std::string& tensor) const {
        if (file_.config().has("readouts")) return "readouts." + tensor;
        static const std::map<std::string, std::string> before = {
            {"charges.mix.weights.", "readout.weights."},
            {"charges.reference_charge", "reference_charge"},
            {"polarizability.size.weight", "polarizability.weight"},
            {"polarizability.size.bias", "polarizability.bias"},
            {"polarizability.anisotropy.weights.2e", "anisotropy.weights.2e"}};
        return before.at(tensor);
    }

    // Members of the read-out of charges.
    int members(const Json& config) const {
        const bool first_schema = !config.has("readouts");
        const Json* found = first_schema && (!config.has("readout") || config.at("readout").as_text() == "tensor")
                                ? &config.at("members")
                                : nullptr;
        if (!first_schema)
            for (const Json& readout : config.at("readouts").as_list())
                if (readout.at("name").as_text() == "charges") found = &readout.at("members");
        if (found == nullptr)
            throw Error("the model in " + path_ + " predicts a polarization, not the tensors themselves",
                        "its derivative is taken by PyTorch only", "use the torch engine");
        const long count = found->as_integer();
        if (count < 1 || count > 4096) throw std::runtime_error("members = " + std::to_string(count));
        return static_cast<int>(count);
    }

    void read_config(const std::string& level) {
        try {
            const Json& config = file_.config();
            const auto size = [&](const char* key, long low, long high) {
                const long value = config.at(key).as_integer();
                if (value < low || value > high)
                    throw std::runtime_error(std::string(key) + " = " + std::to_string(value));
                return static_cast<int>(value);
            };
            model_.cutoff = config.at("cutoff_ang").as_number();
            model_.l_max = size("l_max", 2, max_l);
            channels_ = size("channels", 1, 4096);
            sent_ = size("sent_tensor_channels", 0, 4096);
            n_layers_ = size("layers", 1, 64);
            functions_ = size("radial_functions", 1, 4096);
            radial_width_ = size("radial_width", 1, 4096);
            scalar_width_ = size("scalar_width", 1, 4096);
            model_.members = members(config);
            const double neighbors = config.at("mean_neighbors").as_number();
            if (!(model_.cutoff > 0) || !(neighbors > 0)) throw std::runtime_error("a length is not positive");
            norm_ = 1 / std::sqrt(neighbors);
            const auto& levels = config.at("levels").as_list();
            n_levels_ = static_cast<long>(levels.size());
            std::string known;
            const std::string wish = level.empty() ? file_.default_level() : level;
            level_ = wish.empty() ? 0 : -1;
            for (std::size_t i = 0; i < levels.size(); ++i) {
                known += (i > 0 ? ", " : "") + levels[i].as_text();
                if (levels[i].as_text() == wish) level_ = static_cast<int>(i);
            }
            if (level_ < 0)
                throw Error("level of theory \"" + wish + "\" is unknown to " + path_,
                            "the model was trained on: " + known, "name one of these");
        } catch (const Error&) {
            throw;
        } catch (const std::runtime_error& failure) {
            throw Error("hyperparameters of " + path_ + " cannot be used (" + failure.what() + ")",
                        "they fix the shapes of all weights", "write the file with this version of bec-md");
        }
        model_.width = padded(channels_);
    }

    void read_elements(const std::vector<int>& numbers) {
        std::vector<long> known;
        std::string listing;
        try {
            for (const Json& z : file_.config().at("elements").as_list()) {
                known.push_back(z.as_integer());
                listing += (listing.empty() ? "" : ", ") + std::to_string(known.back());
            }
        } catch (const std::runtime_error& failure) {
            throw Error("list of elements of " + path_ + " cannot be used (" + failure.what() + ")",
                        "it fixes the shape of the weights", "write the file with this version of bec-md");
        }
        n_elements_ = static_cast<long>(known.size());
        const auto& element = file_.tensor("element", {n_elements_, channels_}).values;
        const auto& levels = file_.tensor("level", {n_levels_, channels_}).values;
        const auto& reference = file_.tensor(name("charges.reference_charge"), {n_elements_}).values;
        std::vector<double> all;
        for (const int number : numbers) {
            const auto found = std::find(known.begin(), known.end(), number);
            if (found == known.end())
                throw Error("element with atomic number " + std::to_string(number) + " is unknown to " + path_,
                            "the model was trained on atomic numbers " + listing,
                            "use a model trained on this element, or train one with `bec-md train`");
            const long index = found - known.begin();
            std::vector<double> embedding(channels_);
            for (int k = 0; k < channels_; ++k)
                embedding[k] = element[index * channels_ + k] + levels[level_ * channels_ + k];
            all.insert(all.end(), embedding.begin(), embedding.end());
            embeddings_.push_back(std::move(embedding));
            model_.reference_charge.push_back(reference[index]);
        }
        model_.n_species = static_cast<int>(numbers.size());
        model_.embedding = pad_vector(all, channels_);
        model_.radial = std::make_unique<RadialFunctions>(embeddings_);
    }

    Matrix matrix(const std::string& name, long rows, long columns) const {
        return {rows, columns, file_.tensor(name, {rows, columns}).values};
    }

    // Weights of one irrep with inputs and outputs padded.
    Matrix mixing(const std::string& prefix, int irrep, const std::vector<int>& parts, int outputs) const {
        long rows = 0;
        for (const int part : parts) rows += part;
        return pad_columns(pad_rows(matrix(prefix + name_of[irrep], rows, outputs), parts), outputs);
    }

    // torch's Linear: stored [outputs × inputs].
    Matrix linear(const std::string& name, int inputs, int outputs, int input_part, int output_part) const {
        const Matrix stored = transposed(matrix(name, outputs, inputs));
        return pad_columns(pad_rows(stored, std::vector<int>(static_cast<std::size_t>(inputs / input_part), input_part)),
                           output_part);
    }

    Layer layer(int t) {
        Layer layer;
        layer.index = t;
        layer.first = t == 0;
        layer.last = t + 1 == n_layers_;
        const std::string prefix = "layers." + std::to_string(t) + ".";
        radial(layer, prefix);
        inputs(layer, prefix);
        products(layer, prefix);
        gate(layer, prefix);
        if (!layer.last) messages(layer, "layers." + std::to_string(t + 1) + ".");
        return layer;
    }

    void radial(Layer& layer, const std::string& prefix) {
        layer.sent_channels = layer.first ? 0 : padded(sent_);
        layer.sent_count = layer.first ? 0 : sent_;
        RadialShape shape{model_.cutoff, functions_, channels_, radial_width_, norm_, {}};
        shape.parts.assign(static_cast<std::size_t>(model_.l_max) + 1, channels_);
        if (!layer.first && sent_ > 0) shape.parts.insert(shape.parts.end(), 3, sent_);
        model_.radial->add_layer(RadialNetwork(file_, prefix + "radial.", shape));
    }

    void inputs(Layer& layer, const std::string& prefix) {
        for (int ir = 0; ir < n_irreps; ++ir) {
            std::vector<int> parts;
            if (natural_row[ir] >= 0 && degree_of[ir] <= model_.l_max) parts.push_back(channels_);
            if (!layer.first && ir < n_state) parts.push_back(channels_);
            if (!layer.first && sent_row[ir] >= 0 && sent_ > 0) parts.push_back(sent_);
            if (parts.empty()) continue;
            layer.inputs.contains[ir] = true;
            for (const int part : parts) layer.input_count[ir] += dim_of[ir] * part;
            layer.left[ir] = pack(mixing(prefix + "left.weights.", ir, parts, channels_));
            layer.middle[ir] = pack(mixing(prefix + "middle.weights.", ir, parts, channels_));
            layer.right[ir] = pack(mixing(prefix + "right.weights.", ir, parts, channels_));
            if (ir < n_state && !(layer.last && ir == i1o))
                layer.direct[ir] = pack(mixing(prefix + "direct.weights.", ir, parts, channels_));
        }
    }

    void products(Layer& layer, const std::string& prefix) {
        IrrepSet state;
        for (int ir = 0; ir < n_state; ++ir) state.contains[ir] = true;
        for (int ir = 0; ir < n_state; ++ir) {
            layer.square[ir] = coupling_list(file_, layer.inputs, layer.inputs, ir);
            const auto path_parts = [&](int paths) { return std::vector<int>(static_cast<std::size_t>(paths), channels_); };
            layer.mix_square[ir] =
                pack(mixing(prefix + "square.mix.weights.", ir, path_parts(layer.square[ir].paths), channels_));
            if (layer.last && ir == i1o) continue;  // no part of the result
            layer.cube[ir] = coupling_list(file_, state, layer.inputs, ir);
            const Matrix to_state = mixing(prefix + "to_state.weights.", ir, {channels_, channels_}, channels_);
            const Matrix cube =
                mixing(prefix + "cube.mix.weights.", ir, path_parts(layer.cube[ir].paths), channels_);
            layer.update_square[ir] = pack(row_range(to_state, 0, model_.width));
            layer.update_cube[ir] = pack(product(cube, row_range(to_state, model_.width, model_.width)));
        }
    }

    void gate(Layer& layer, const std::string& prefix) {
        const Matrix full = transposed(matrix(prefix + "hidden.weight", scalar_width_, 2 * channels_));
        const auto& bias = file_.tensor(prefix + "hidden.bias", {scalar_width_}).values;
        layer.hidden = pack(pad_columns(pad_rows(row_range(full, 0, channels_), {channels_}), scalar_width_));
        std::vector<double> all;
        for (const auto& embedding : embeddings_)
            for (int h = 0; h < scalar_width_; ++h) {
                double sum = bias[h];
                for (int k = 0; k < channels_; ++k) sum += embedding[k] * full(channels_ + k, h);
                all.push_back(sum);
            }
        layer.hidden_bias = pad_vector(all, scalar_width_);
        layer.gate = pack(linear(prefix + "update.weight", scalar_width_, n_state * channels_, scalar_width_, channels_));
        layer.gate_bias = pad_vector(file_.tensor(prefix + "update.bias", {n_state * channels_}).values, channels_);
    }

    void messages(Layer& layer, const std::string& next) {
        layer.send_scalars = pack(linear(next + "send_scalars.weight", channels_, channels_, channels_, channels_));
        layer.send_bias = pad_vector(file_.tensor(next + "send_scalars.bias", {channels_}).values, channels_);
        layer.next_sent_channels = padded(sent_);
        if (sent_ > 0)
            for (const int ir : sent)
                layer.send_tensors[ir] = pack(mixing(next + "send_tensors.weights.", ir, {channels_}, sent_));
    }

    void cartesian_basis() {
        int column = 0;
        for (int l = 0; l <= 2; ++l) {
            const auto& table = file_.tensor("coupling.1.1." + std::to_string(l), {3, 3, 2 * l + 1}).values;
            for (int m = 0; m < 2 * l + 1; ++m, ++column)
                for (int ab = 0; ab < 9; ++ab) {
                    const double value = table[ab * (2 * l + 1) + m] * std::sqrt(3.0 / (2 * l + 1));
                    if (std::abs(value) > 1e-10) model_.cartesian.push_back({ab, column, value});
                }
        }
    }
};

}  // namespace

int Model::message_width(int layer) const {
    if (layer < 1 || layer >= static_cast<int>(layers.size())) return 0;
    return width + sent_rows * layers[layer].sent_channels;
}

Model load_model(const std::string& path, const std::string& level, const std::vector<int>& numbers) {
    return Loader(path, level, numbers).load();
}

}  // namespace bec
