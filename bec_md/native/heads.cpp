#include "heads.h"

#include <cmath>
#include <stdexcept>

#include "error.h"
#include "kernels.h"

namespace bec {
namespace {

constexpr double polarizability_unit = 50.0;  // Å³ of an atom whose output is zero

class HeadLoader {
public:
    HeadLoader(const TensorFile& file, int channels, long n_elements, const std::vector<long>& elements)
        : file_(file), channels_(channels), n_elements_(n_elements), elements_(elements) {}

    Head load(const ReadoutConfig& readout) const {
        Head head;
        head.name = readout.name;
        head.members = readout.members;
        if (readout.name == "charges") pack_charges(head);
        else if (readout.name == "dipole") pack_dipole(head);
        else if (readout.name == "polarizability") pack_polarizability(head);
        else
            throw Error("the read-out " + readout.name + " of the model is unknown to this evaluator",
                        "it was trained by another version of bec-md", "upgrade bec-md");
        return head;
    }

private:
    const TensorFile& file_;
    int channels_;
    long n_elements_;
    const std::vector<long>& elements_;

    // Files of schema 1 have other names.
    const Tensor& tensor(const char* name, const char* name_in_1, const std::vector<long>& shape) const {
        return file_.tensor(file_.schema() == 1 ? name_in_1 : name, shape);
    }

    Weights pack_mix(const Matrix& matrix) const { return pack(pad_rows(matrix, {channels_})); }

    void pack_reference(Head& head, const char* name) const {
        const auto& charges = tensor(name, "reference_charge", {n_elements_}).values;
        for (const long element : elements_) head.shift.push_back(charges[static_cast<std::size_t>(element)]);
    }

    void pack_basis(Head& head) const {
        head.components = 9;
        int column = 0;
        for (const int ir : {i0e, i1e, i2e}) {
            if (!head.mix[ir].exists()) continue;
            const int l = degree_of[ir];
            const auto& table = file_.tensor("coupling.1.1." + std::to_string(l), {3, 3, dim_of[ir]}).values;
            for (int m = 0; m < dim_of[ir]; ++m, ++column)
                for (int ab = 0; ab < 9; ++ab) {
                    const double value = table[static_cast<std::size_t>(ab * dim_of[ir] + m)] * std::sqrt(3.0 / dim_of[ir]);
                    if (std::abs(value) > 1e-10) head.basis.push_back({ab, column, value});
                }
        }
    }

    void pack_charges(Head& head) const {
        for (const int ir : {i0e, i1e, i2e}) {
            const std::string name = "readouts.charges.mix.weights.", in_1 = "readout.weights.";
            head.mix[ir] = pack_mix({channels_, head.members,
                                     tensor((name + name_of[ir]).c_str(), (in_1 + name_of[ir]).c_str(),
                                            {channels_, head.members}).values});
        }
        pack_reference(head, "readouts.charges.reference_charge");
        pack_basis(head);
    }

    void pack_dipole(Head& head) const {
        const std::vector<long> shape = file_.schema() == 1 ? std::vector<long>{channels_}
                                                            : std::vector<long>{channels_, head.members};
        const Matrix weights{channels_, head.members, tensor("readouts.dipole.weight", "dipole", shape).values};
        head.mix[i1o] = pack_mix(weights);
        head.derivative = head.per_frame = true;
        head.components = 3;
        for (int c = 0; c < 3; ++c) head.basis.push_back({c, c, 1.0});
        std::vector<double> seeds(static_cast<std::size_t>(channels_));
        for (int k = 0; k < channels_; ++k)
            for (int m = 0; m < head.members; ++m) seeds[static_cast<std::size_t>(k)] += weights(k, m) / head.members;
        for (int m = 0; m < head.members; ++m)
            for (int k = 0; k < channels_; ++k) seeds.push_back(weights(k, m));
        head.seed = pad_vector(seeds, channels_);
        pack_reference(head, "readouts.dipole.reference_charge");
    }

    void pack_polarizability(Head& head) const {
        head.members = 1;  // whatever the file says: there are weights of one
        const auto& size = tensor("readouts.polarizability.size.weight", "polarizability.weight", {1, channels_});
        const auto& bias = tensor("readouts.polarizability.size.bias", "polarizability.bias", {1});
        const auto& anisotropy =
            tensor("readouts.polarizability.anisotropy.weights.2e", "anisotropy.weights.2e", {channels_, 1});
        head.mix[i0e] = pack_mix({channels_, 1, size.values});
        head.mix[i2e] = pack_mix({channels_, 1, anisotropy.values});
        head.per_frame = true;
        head.exponential = polarizability_unit;
        head.shift.assign(elements_.size(), bias.values[0]);
        pack_basis(head);
    }
};

int member_count(const Json& entry) {
    const long members = entry.has("members") ? entry.at("members").as_integer() : 1;
    if (members < 1 || members > 4096) throw std::runtime_error("members = " + std::to_string(members));
    return static_cast<int>(members);
}

}  // namespace

int Head::spherical() const {
    int count = 0;
    for (int ir = 0; ir < n_state; ++ir)
        if (mix[ir].exists()) count += dim_of[ir];
    return count;
}

std::vector<ReadoutConfig> readouts_of(const Json& config) {
    std::vector<ReadoutConfig> readouts;
    if (!config.has("readouts")) {  // schema 1
        const bool dipole = config.has("readout") && config.at("readout").as_text() == "polarization";
        readouts.push_back({dipole ? "dipole" : "charges", member_count(config)});
        readouts.push_back({"polarizability", 1});
        return readouts;
    }
    for (const Json& entry : config.at("readouts").as_list())
        readouts.push_back({entry.at("name").as_text(), member_count(entry)});
    if (readouts.empty()) throw std::runtime_error("no read-outs");
    return readouts;
}

std::vector<Head> load_heads(const TensorFile& file, int channels, long n_elements, const std::vector<long>& elements) {
    const HeadLoader loader(file, channels, n_elements, elements);
    std::vector<Head> heads;
    for (const ReadoutConfig& readout : readouts_of(file.config())) heads.push_back(loader.load(readout));
    return heads;
}

}  // namespace bec
