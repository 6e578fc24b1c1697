#include "tensor_file.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>

#include "error.h"

namespace bec {
namespace {

constexpr long schema_read = 2;
constexpr std::uint64_t header_limit = std::uint64_t{1} << 26;

// A file whose length is known, read in blocks.
class BlockReader {
public:
    explicit BlockReader(std::ifstream& stream) : stream_(stream) {
        stream_.seekg(0, std::ios::end);
        const std::streamoff length = stream_.tellg();
        if (length < 0) throw std::runtime_error("its length cannot be determined");
        length_ = static_cast<std::uint64_t>(length);
    }

    std::uint64_t length() const { return length_; }

    template <typename T>
    std::vector<T> read(std::uint64_t first, std::uint64_t count) {
        if (first > length_ || count > (length_ - first) / sizeof(T))
            throw std::runtime_error("the file is shorter than its header says");
        std::vector<T> block(static_cast<std::size_t>(count));
        stream_.seekg(static_cast<std::streamoff>(first));
        if (count > 0 && !stream_.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(count * sizeof(T))))
            throw std::runtime_error("it could not be read to its end");
        return block;
    }

private:
    std::ifstream& stream_;
    std::uint64_t length_ = 0;
};

// Number of elements and shape; refuses products that do not fit an integer.
std::uint64_t read_shape(const Json& entry, Tensor& tensor) {
    std::uint64_t count = 1;
    for (const Json& item : entry.at("shape").as_list()) {
        const long length = item.as_integer();
        if (length < 0) throw std::runtime_error("negative length");
        const auto factor = static_cast<std::uint64_t>(length);
        if (factor != 0 && count > std::numeric_limits<std::uint64_t>::max() / (8 * factor))
            throw std::runtime_error("a tensor with more elements than memory can hold");
        count *= factor;
        tensor.shape.push_back(length);
    }
    return count;
}

Tensor read_tensor(const Json& entry, BlockReader& file, std::uint64_t data_start) {
    Tensor tensor;
    const std::uint64_t count = read_shape(entry, tensor);
    const std::string& type = entry.at("dtype").as_text();
    if (type != "F32" && type != "F64") throw std::runtime_error("tensors of type " + type + " are not supported");
    const std::uint64_t size = type == "F64" ? 8 : 4;
    const auto& offsets = entry.at("data_offsets").as_list();
    if (offsets.size() != 2) throw std::runtime_error("two offsets were expected");
    const long first = offsets[0].as_integer(), last = offsets[1].as_integer();
    if (first < 0 || last < first || static_cast<std::uint64_t>(last - first) != count * size)
        throw std::runtime_error("the shape of a tensor does not fit its place in the file");
    const std::uint64_t place = data_start + static_cast<std::uint64_t>(first);
    if (size == 8) {
        tensor.values = file.read<double>(place, count);
    } else {
        const std::vector<float> values = file.read<float>(place, count);
        tensor.values.assign(values.begin(), values.end());
    }
    return tensor;
}

void refuse_what_is_no_number(const std::string& path, const std::string& name, const Tensor& tensor) {
    for (const double value : tensor.values)
        if (!(std::abs(value) <= std::numeric_limits<float>::max()))
            throw Error("tensor " + name + " of " + path + " contains " + (std::isnan(value) ? "NaN" : "an infinite number"),
                        "every prediction would be meaningless",
                        "train the model again, or take an earlier state: the training had diverged");
}

}  // namespace

TensorFile::TensorFile(const std::string& path) : path_(path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        throw Error("cannot open model file " + path, "it does not exist or may not be read", "check the path");
    try {
        BlockReader file(stream);
        if (file.length() < 8) throw std::runtime_error("not a safetensors file");
        std::uint64_t length = 0;
        const auto prefix = file.read<unsigned char>(0, 8);
        for (std::size_t i = 8; i-- > 0;) length = (length << 8) | prefix[i];
        if (length == 0 || length >= header_limit) throw std::runtime_error("not a safetensors file");
        const auto text = file.read<char>(8, length);
        const Json directory = parse_json(text.data(), text.data() + text.size());
        const std::string& own = directory.at("__metadata__").at("bec_md").as_text();
        header_ = parse_json(own.data(), own.data() + own.size());
        if (schema() > schema_read) throw std::runtime_error("it was written by a newer bec-md, upgrade this one");
        if (header_.at("convention").as_text() != "dM/du") throw std::runtime_error("unknown convention of Z");
        std::uint64_t left = (file.length() - 8 - length) / sizeof(float);  // numbers; tensors do not overlap
        for (const auto& [name, entry] : directory.object) {
            if (name == "__metadata__") continue;
            const Tensor& tensor = tensors_[name] = read_tensor(entry, file, 8 + length);
            if (tensor.values.size() > left) throw std::runtime_error("its tensors overlap");
            left -= tensor.values.size();
        }
    } catch (const std::runtime_error& failure) {
        throw Error(path + " is not a bec-md model file (" + failure.what() + ")",
                    "model files are safetensors with a bec_md entry in their metadata",
                    "train one with `bec-md train`, or name a bundled model (`bec-md models`)");
    }
    if (header_.has("mean_of"))
        throw Error(path + " is the mean of several networks", "one network is evaluated here",
                    "evaluate each by itself and add the currents with their shares (`bec-md info` names both)");
    for (const auto& [name, tensor] : tensors_) refuse_what_is_no_number(path, name, tensor);
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
