// Loads thousands of damaged copies of model files, and evaluates a frame with those that load.
//
//   mutated_models FOLDER COUNT SEED MODEL…
//
// Compiled with sanitizers by tests/sanitized.py. Ends with status 1 at the first refusal without what, why and fix;
// the damaged copy then lies in FOLDER. Memory errors end it by themselves.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "bec_native.h"

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t n) { return n > 0 ? random() % n : 0; }

std::uint64_t header_length(const std::string& file) {
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = (length << 8) | static_cast<unsigned char>(file[i]);
    return length;
}

void set_header_length(std::string& file, std::uint64_t length) {
    for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(length >> (8 * i) & 255);
}

std::string read(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// One number of the header becomes another one, of any length.
void change_number(std::string& file, Random& random) {
    static const std::vector<std::string> others{"0", "-1", "1", "2", "3", "65", "4096", "1e9", "1e300", "-0.0", "1e-300",
                                                 "999999999999999", "99999999999999999999999999", "0.5", "NaN", "Infinity",
                                                 "null", "[]", "{}", "\\\"x\\\"", "true", "-"};
    const std::size_t end = 8 + header_length(file);
    std::vector<std::size_t> starts;
    for (std::size_t i = 9; i < end; ++i)
        if (std::isdigit(static_cast<unsigned char>(file[i])) && std::strchr(":[, ", file[i - 1]) != nullptr) starts.push_back(i);
    if (starts.empty()) return;
    const std::size_t start = starts[below(random, starts.size())];
    std::size_t stop = start;
    while (stop < end && std::strchr("0123456789.eE+-", file[stop]) != nullptr) ++stop;
    const std::string& other = others[below(random, others.size())];
    file.replace(start, stop - start, other);
    set_header_length(file, end - 8 + other.size() - (stop - start));
}

void mutate(std::string& file, Random& random) {
    const std::size_t header = 8 + header_length(file);
    switch (below(random, 9)) {
        case 0:  // bytes anywhere
            for (std::size_t i = below(random, 8) + 1; i-- > 0;) file[below(random, file.size())] = static_cast<char>(random());
            break;
        case 1:  // bits of the header
            for (std::size_t i = below(random, 4) + 1; i-- > 0;) file[8 + below(random, header - 8)] ^= static_cast<char>(1 << below(random, 8));
            break;
        case 2: file.resize(below(random, file.size())); break;
        case 3: file.resize(below(random, std::min<std::size_t>(file.size(), header + 64))); break;
        case 4: set_header_length(file, random() >> below(random, 64)); break;
        case 5: {  // a piece of the header is missing or twice
            const std::size_t start = 8 + below(random, header - 8), length = below(random, std::min<std::size_t>(200, header - start));
            const bool twice = random() % 2 == 0;
            const std::string piece = file.substr(start, length);
            if (twice) file.insert(start, piece);
            else file.erase(start, length);
            set_header_length(file, twice ? header - 8 + length : header - 8 - length);
            break;
        }
        case 6: {  // other weights
            static const std::uint32_t patterns[] = {0x7fc00000, 0x7f800000, 0xff800000, 0x7f7fffff, 0x00000001, 0x80000000};
            const std::size_t place = header + 4 * below(random, (file.size() - header) / 4);
            if (place + 4 <= file.size()) std::memcpy(&file[place], &patterns[below(random, 6)], 4);
            break;
        }
        default: change_number(file, random);
    }
}

bool has_three_parts(const char* error) {
    const char* why = std::strstr(error, "\n  why: ");
    return why != nullptr && why != error && std::strstr(why, "\n  fix: ") != nullptr;
}

// Two atoms in a small cell; false where a failure has no explanation.
bool evaluate(const bec_model* model) {
    const std::int64_t first[] = {0, 2};
    const double positions[] = {0, 0, 0, 1.6, 1.4, 1.5}, velocities[] = {1, 0, 0, 0, -1, 0};
    const double cell[] = {3.3, 0, 0, 0, 3.2, 0, 0.1, 0, 3.1};
    const std::int32_t species[] = {0, 1};
    const std::uint8_t periodic[] = {1, 1, 1};
    const bec_frames frames{1, first, positions, species, cell, periodic, nullptr, velocities, nullptr, 1};
    const bool charges = bec_model_members(model, "charges") > 0, dipole = bec_model_members(model, "dipole") > 0;
    std::vector<double> tensors(18), members(18 * static_cast<std::size_t>(bec_model_members(model, charges ? "charges" : "dipole")));
    double eps[9], current[3];
    std::vector<bec_output> outputs;
    if (charges || dipole) outputs.push_back({"charges", tensors.data(), members.data()});
    if (bec_model_members(model, "polarizability") > 0) outputs.push_back({"eps_inf", eps, nullptr});
    if (dipole) outputs.push_back({"current", current, nullptr});
    char error[4096] = "";
    const int status = bec_evaluate_frames(model, &frames, 1, 1, outputs.data(), static_cast<int>(outputs.size()), nullptr, error, sizeof error);
    return status == 0 || has_three_parts(error);
}

}  // namespace

int main(int count, char** words) {
    if (count < 5) return 2;
    const std::string copy = std::string(words[1]) + "/mutated.safetensors";
    const long files = std::atol(words[2]);
    Random random(static_cast<std::uint64_t>(std::atoll(words[3])));
    long accepted = 0;
    std::vector<std::string> models;
    for (int i = 4; i < count; ++i) models.push_back(read(words[i]));
    for (long i = 0; i < files; ++i) {
        std::string file = models[below(random, models.size())];
        for (std::size_t j = below(random, 2) + 1; j-- > 0;)
            if (file.size() > 8 && header_length(file) > 0 && header_length(file) < file.size() - 8) mutate(file, random);
        std::ofstream(copy, std::ios::binary) << file;
        const std::int32_t numbers[] = {8, 14};
        char error[4096] = "";
        bec_model* model = bec_model_load(copy.c_str(), "", numbers, 2, error, sizeof error);
        if (model == nullptr ? !has_three_parts(error) : !evaluate(model)) {
            std::printf("file %ld: no what, why and fix: %s\n", i, error);
            return 1;
        }
        accepted += model != nullptr;
        bec_model_free(model);
    }
    std::printf("%ld damaged files: %ld refused, %ld evaluated\n", files, files - accepted, accepted);
    return 0;
}
