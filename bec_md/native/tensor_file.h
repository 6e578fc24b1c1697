// Model files: safetensors with the network's hyperparameters in a JSON header.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "json.h"

namespace bec {

struct Tensor {
    std::vector<long> shape;
    std::vector<double> values;  // row-major
};

class TensorFile {
public:
    // Throws bec::Error when the file cannot be read or is not a bec-md model.
    explicit TensorFile(const std::string& path);

    const Json& config() const { return header_.at("config"); }
    long schema() const { return header_.at("schema").as_integer(); }
    // What the model says about itself; nothing if it has no card.
    const Json& card() const {
        static const Json none;
        return header_.has("card") ? header_.at("card") : none;
    }
    // Level of theory that the model's card names as its default, else the first.
    const std::string& default_level() const {
        return card().has("default_level") ? card().at("default_level").as_text()
                                           : config().at("levels").as_list().at(0).as_text();
    }
    // Throws bec::Error when the tensor is missing or has another shape; −1 accepts any length.
    const Tensor& tensor(const std::string& name, const std::vector<long>& shape) const;

private:
    std::string path_;
    Json header_;
    std::map<std::string, Tensor> tensors_;
};

}  // namespace bec
