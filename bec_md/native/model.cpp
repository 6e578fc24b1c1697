#include "model.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "kernels.h"

namespace bec {
namespace {

constexpr double longest_cutoff = 100.0;  // Å; tables grow with it

class Loader {
public:
    Loader(const std::string& path, const std::string& level, const std::vector<int>& numbers)
        : path_(path), file_(path) {
        read_config(level);
        read_elements(numbers);
    }

    Model load() {
        model_.heads = load_heads(file_, channels_, n_elements_, rows_);
        for (const Head& head : model_.heads) {
            transpose_ = transpose_ || head.derivative;
            for (int ir = 0; ir < n_state; ++ir) last_irreps_[ir] = last_irreps_[ir] || head.mix[ir].exists();
        }
        last_irreps_[i0e] = true;  // the gate needs it
        for (int t = 0; t < n_layers_; ++t) model_.layers.push_back(pack_layer(t));
        return std::move(model_);
    }

private:
    std::string path_;
    TensorFile file_;
    Model model_;
    int channels_ = 0, sent_ = 0, n_layers_ = 0, functions_ = 0, radial_width_ = 0, scalar_width_ = 0;
    int level_ = -1;
    long n_levels_ = 0, n_elements_ = 0;
    double norm_ = 1;
    bool transpose_ = false;          // a derivative is wanted
    bool last_irreps_[n_state] = {};  // of the last state that some read-out needs
    std::vector<long> rows_;          // of the species in the tables of elements
    std::vector<std::vector<double>> embeddings_;  // of the species in use

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
            readouts_of(config);
            const double neighbors = config.at("mean_neighbors").as_number();
            if (!(model_.cutoff > 0 && model_.cutoff <= longest_cutoff))
                throw std::runtime_error("cutoff_ang = " + std::to_string(model_.cutoff));
            if (!(neighbors > 0 && std::isfinite(neighbors)))
                throw std::runtime_error("mean_neighbors = " + std::to_string(neighbors));
            norm_ = 1 / std::sqrt(neighbors);
            const auto& levels = config.at("levels").as_list();
            n_levels_ = static_cast<long>(levels.size());
            if (levels.empty()) throw std::runtime_error("no levels of theory");
            std::string known;
            const std::string wish = level.empty() ? file_.default_level() : level;
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
        std::vector<double> all;
        for (const int number : numbers) {
            const auto found = std::find(known.begin(), known.end(), number);
            if (found == known.end())
                throw Error("element with atomic number " + std::to_string(number) + " is unknown to " + path_,
                            "the model was trained on atomic numbers " + listing,
                            "use a model trained on this element, or train one with `bec-md train`");
            rows_.push_back(found - known.begin());
            std::vector<double> embedding;
            for (int k = 0; k < channels_; ++k)
                embedding.push_back(element[static_cast<std::size_t>(rows_.back() * channels_ + k)] +
                                    levels[static_cast<std::size_t>(level_ * channels_ + k)]);
            all.insert(all.end(), embedding.begin(), embedding.end());
            embeddings_.push_back(std::move(embedding));
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

    Layer pack_layer(int t) {
        Layer layer;
        layer.index = t;
        layer.first = t == 0;
        layer.last = t + 1 == n_layers_;
        const std::string prefix = "layers." + std::to_string(t) + ".";
        pack_radial(layer, prefix);
        pack_inputs(layer, prefix);
        pack_products(layer, prefix);
        pack_gate(layer, prefix);
        if (!layer.last) pack_messages(layer, "layers." + std::to_string(t + 1) + ".");
        return layer;
    }

    bool updates(const Layer& layer, int irrep) const { return !layer.last || last_irreps_[irrep]; }

    void pack_radial(Layer& layer, const std::string& prefix) {
        layer.sent_channels = layer.first ? 0 : padded(sent_);
        RadialShape shape{model_.cutoff, functions_, channels_, radial_width_, norm_, {}, transpose_};
        shape.parts.assign(static_cast<std::size_t>(model_.l_max) + 1, channels_);
        if (!layer.first && sent_ > 0) shape.parts.insert(shape.parts.end(), 3, sent_);
        model_.radial->add_layer(RadialNetwork(file_, prefix + "radial.", shape));
    }

    // Channels of an irrep's inputs from each place, 0 where nothing comes from.
    std::vector<int> input_parts(const Layer& layer, int irrep) const {
        std::vector<int> parts(n_parts);
        if (natural_row[irrep] >= 0 && degree_of[irrep] <= model_.l_max) parts[gathered_part] = channels_;
        if (!layer.first && irrep < n_state) parts[own_part] = channels_;
        if (!layer.first && sent_row[irrep] >= 0) parts[sent_part] = sent_;
        return parts;
    }

    void pack_inputs(Layer& layer, const std::string& prefix) {
        for (int ir = 0; ir < n_irreps; ++ir) {
            const std::vector<int> parts = input_parts(layer, ir);
            for (const int part : parts) layer.input_count[ir] += dim_of[ir] * part;
            if (layer.input_count[ir] == 0) continue;
            layer.inputs.contains[ir] = true;
            const Matrix left = mixing(prefix + "left.weights.", ir, parts, channels_);
            const Matrix middle = mixing(prefix + "middle.weights.", ir, parts, channels_);
            const Matrix right = mixing(prefix + "right.weights.", ir, parts, channels_);
            layer.left[ir] = pack(left);
            layer.middle[ir] = pack(middle);
            layer.right[ir] = pack(right);
            Matrix direct;
            if (ir < n_state && updates(layer, ir)) {
                direct = mixing(prefix + "direct.weights.", ir, parts, channels_);
                layer.direct[ir] = pack(direct);
            }
            if (!transpose_) continue;
            long first = 0;
            for (int p = 0; p < n_parts; ++p) {
                const long width = padded(parts[static_cast<std::size_t>(p)]);
                if (width == 0) continue;
                const auto part = [&](const Matrix& all) { return transposed(row_range(all, first, width)); };
                layer.adjoint.inputs[ir][p] = pack(stacked({part(left), part(middle), part(right)}));
                if (layer.direct[ir].exists()) layer.adjoint.direct[ir][p] = pack(part(direct));
                first += width;
            }
        }
    }

    void pack_products(Layer& layer, const std::string& prefix) {
        IrrepSet state;
        for (int ir = 0; ir < n_state; ++ir) state.contains[ir] = true;
        const auto path_parts = [&](int paths) { return std::vector<int>(static_cast<std::size_t>(paths), channels_); };
        for (int ir = 0; ir < n_state; ++ir) {
            CouplingList& square = layer.square[ir];
            square = coupling_list(file_, layer.inputs, layer.inputs, ir);
            const Matrix mix = mixing(prefix + "square.mix.weights.", ir, path_parts(square.paths), channels_);
            layer.mix_square[ir] = pack(mix);
            pack_adjoint(layer.adjoint.square[ir], square, mix, layer.inputs.rows(), layer.inputs.rows());
            if (!updates(layer, ir)) continue;
            CouplingList& cube = layer.cube[ir];
            cube = coupling_list(file_, state, layer.inputs, ir);
            const Matrix to_state = mixing(prefix + "to_state.weights.", ir, {channels_, channels_}, channels_);
            const Matrix update_square = row_range(to_state, 0, model_.width);
            const Matrix update_cube = product(mixing(prefix + "cube.mix.weights.", ir, path_parts(cube.paths), channels_),
                                               row_range(to_state, model_.width, model_.width));
            layer.update_square[ir] = pack(update_square);
            layer.update_cube[ir] = pack(update_cube);
            if (transpose_) layer.adjoint.update_square[ir] = pack(transposed(update_square));
            pack_adjoint(layer.adjoint.cube[ir], cube, update_cube, state_rows, layer.inputs.rows());
        }
    }

    void pack_adjoint(ProductAdjoint& adjoint, const CouplingList& list, const Matrix& mix, int left, int right) const {
        if (!transpose_) return;
        for (int path = 0; path < list.paths; ++path)
            adjoint.paths.push_back(pack(transposed(row_range(mix, path * model_.width, model_.width))));
        adjoint.left = left_adjoint(list, left);
        adjoint.right = right_adjoint(list, right);
    }

    void pack_gate(Layer& layer, const std::string& prefix) {
        const Matrix full = transposed(matrix(prefix + "hidden.weight", scalar_width_, 2 * channels_));
        const auto& bias = file_.tensor(prefix + "hidden.bias", {scalar_width_}).values;
        const Matrix hidden = pad_columns(pad_rows(row_range(full, 0, channels_), {channels_}), scalar_width_);
        layer.hidden = pack(hidden);
        std::vector<double> all;
        for (const auto& embedding : embeddings_)
            for (int h = 0; h < scalar_width_; ++h) {
                double sum = bias[static_cast<std::size_t>(h)];
                for (int k = 0; k < channels_; ++k) sum += embedding[static_cast<std::size_t>(k)] * full(channels_ + k, h);
                all.push_back(sum);
            }
        layer.hidden_bias = pad_vector(all, scalar_width_);
        const Matrix gate = linear(prefix + "update.weight", scalar_width_, n_state * channels_, scalar_width_, channels_);
        layer.gate = pack(gate);
        layer.gate_bias = pad_vector(file_.tensor(prefix + "update.bias", {n_state * channels_}).values, channels_);
        if (!transpose_) return;
        layer.adjoint.hidden = pack(transposed(hidden));
        layer.adjoint.gate = pack(transposed(gate));
    }

    void pack_messages(Layer& layer, const std::string& next) {
        const Matrix scalars = linear(next + "send_scalars.weight", channels_, channels_, channels_, channels_);
        layer.send_scalars = pack(scalars);
        layer.send_bias = pad_vector(file_.tensor(next + "send_scalars.bias", {channels_}).values, channels_);
        layer.next_sent_channels = padded(sent_);
        if (transpose_) layer.adjoint.send_scalars = pack(transposed(scalars));
        if (sent_ == 0) return;
        for (const int ir : sent) {
            const Matrix tensors = mixing(next + "send_tensors.weights.", ir, {channels_}, sent_);
            layer.send_tensors[ir] = pack(tensors);
            if (transpose_) layer.adjoint.send_tensors[ir] = pack(transposed(tensors));
        }
    }
};

}  // namespace

int Model::message_width(int layer) const {
    if (layer < 1 || layer >= static_cast<int>(layers.size())) return 0;
    return width + sent_rows * layers[static_cast<std::size_t>(layer)].sent_channels;
}

const Head* Model::head(const std::string& name) const {
    for (const Head& head : heads)
        if (head.name == name) return &head;
    return nullptr;
}

Model load_model(const std::string& path, const std::string& level, const std::vector<int>& numbers) {
    return Loader(path, level, numbers).load();
}

}  // namespace bec
