#include "tensor_file.h"

#include <cstdint>
#include <cstring>
#include <fstream>

#include "error.h"

namespace bec {
namespace {

constexpr long schema_read = 2;

Tensor read_tensor(const Json& entry, const std::vector<char>& data) {
    Tensor tensor;
    std::size_t count = 1;
    for (const Json& length : entry.at("shape").as_list()) {
        tensor.shape.push_back(length.as_integer());
        if (tensor.shape.back() < 0) throw std::runtime_error("negative length");
        count *= static_cast<std::size_t>(tensor.shape.back());
    }
    const std::string& type = entry.at("dtype").as_text();
    const std::size_t size = type == "F64" ? 8 : 4;
    if (type != "F32" && type != "F64") throw std::runtime_error("tensors of type " + type + " are not supported");
    const auto& offsets = entry.at("data_offsets").as_list();
    if (offsets.size() != 2) throw std::runtime_error("two offsets were expected");
    const long first = offsets[0].as_integer(), last = offsets[1].as_integer();
    if (first < 0 || last < first || static_cast<std::size_t>(last) > data.size() ||
        static_cast<std::size_t>(last - first) != count * size)
        throw std::runtime_error("the file is shorter than its header says");
    tensor.values.resize(count);
    const char* source = data.data() + first;
    for (std::size_t i = 0; i < count; ++i) {
        if (size == 8) {
            std::memcpy(&tensor.values[i], source + 8 * i, 8);
        } else {
            float value;
            std::memcpy(&value, source + 4 * i, 4);
            tensor.values[i] = value;
        }
    }
    return tensor;
}

}  // namespace

TensorFile::TensorFile(const std::string& path) : path_(path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        throw Error("cannot open model file " + path, "it does not exist or may not be read", "check the path");
    try {
        unsigned char prefix[8];
        if (!stream.read(reinterpret_cast<char*>(prefix), 8)) throw std::runtime_error("not a safetensors file");
        std::uint64_t length = 0;
        for (int i = 7; i >= 0; --i) length = (length << 8) | prefix[i];
        if (length == 0 || length >= (1u << 26)) throw std::runtime_error("not a safetensors file");
        std::vector<char> text(length);
        if (!stream.read(text.data(), static_cast<std::streamsize>(length)))
            throw std::runtime_error("the file is shorter than its header says");
        const std::vector<char> data((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
        const Json directory = parse_json(text.data(), text.data() + text.size());
        const std::string& own = directory.at("__metadata__").at("bec_md").as_text();
        header_ = parse_json(own.data(), own.data() + own.size());
        if (header_.at("schema").as_integer() > schema_read)
            throw std::runtime_error("it was written by a newer bec-md, upgrade this one");
        if (header_.at("convention").as_text() != "dM/du") throw std::runtime_error("unknown convention of Z");
        for (const auto& [name, entry] : directory.object)
            if (name != "__metadata__") tensors_[name] = read_tensor(entry, data);
    } catch (const std::runtime_error& failure) {
        throw Error(path + " is not a bec-md model file (" + failure.what() + ")",
                    "model files are safetensors with a bec_md entry in their metadata",
                    "train one with `bec-md train`, or name a bundled model (`bec-md models`)");
    }
}

const Tensor& TensorFile::tensor(const std::string& name, const std::vector<long>& shape) const {
    const auto found = tensors_.find(name);
    bool fits = found != tensors_.end() && found->second.shape.size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i)
        fits = shape[i] < 0 || shape[i] == found->second.shape[i];
    if (!fits)
        throw Error("tensor " + name + (found == tensors_.end() ? " is missing in " : " has an unexpected shape in ") +
                        path_,
                    "the weights do not fit the hyperparameters in the file's header",
                    "write the file with the same bec-md version as this one");
    return found->second;
}

}  // namespace bec
