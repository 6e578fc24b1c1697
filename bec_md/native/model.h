// A network ready for evaluation: weights packed for the kernels, radial functions, coupling lists.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "buffer.h"
#include "coupling.h"
#include "irreps.h"
#include "radial.h"

namespace bec {

// A matrix cut into panels of columns (kernels.h); no outputs: the map does not exist.
struct Weights {
    int inputs = 0;
    int outputs = 0;  // padded
    Buffer<float> packed;
    bool exists() const { return outputs > 0; }
};

struct Layer {
    int index = 0;
    bool first = false;
    bool last = false;
    int sent_channels = 0;  // padded; tensors that reach this layer
    double sent_count = 0;  // the same without padding
    IrrepSet inputs;
    double input_count[n_irreps] = {};  // components × channels, without padding
    Weights left[n_irreps], middle[n_irreps], right[n_irreps], direct[n_irreps];
    CouplingList square[n_state], cube[n_state];
    Weights mix_square[n_state];
    Weights update_square[n_state], update_cube[n_state];  // straight to the state's update
    Weights hidden, gate;
    Buffer<float> hidden_bias;  // [species × hidden outputs]
    Buffer<float> gate_bias;
    // what neighbors of the next layer will need
    Weights send_scalars, send_tensors[n_state];
    Buffer<float> send_bias;
    int next_sent_channels = 0;
};

struct Model {
    double cutoff = 0;
    int l_max = 2;
    int width = 0;  // padded channels
    int members = 0;
    int n_species = 0;
    std::vector<Layer> layers;
    std::unique_ptr<RadialFunctions> radial;
    Buffer<float> embedding;  // [species × width]
    std::vector<double> reference_charge;
    Weights readout[n_state];  // members of 0e, 1e, 2e
    Buffer<float> polarizability, anisotropy;
    double polarizability_bias = 0;
    // Non-zero coefficients of the change of basis from 0e + 1e + 2e to a 3×3 tensor.
    struct Cartesian {
        int component;  // a·3 + b
        int spherical;
        double value;
    };
    std::vector<Cartesian> cartesian;

    int message_width(int layer) const;
};

// Throws bec::Error.
Model load_model(const std::string& path, const std::string& level, const std::vector<int>& numbers);

}  // namespace bec
