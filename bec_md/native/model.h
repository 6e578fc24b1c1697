// A network ready for evaluation: weights packed for the kernels, radial functions, coupling lists.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "buffer.h"
#include "coupling.h"
#include "heads.h"
#include "irreps.h"
#include "matrix.h"
#include "radial.h"

namespace bec {

// Inputs of an irrep come from up to three places: gathered scalars × harmonics, own state, gathered tensors.
enum InputPart { gathered_part, own_part, sent_part, n_parts };

// A product of two sets of irreps transposed, for one irrep of the result.
struct ProductAdjoint {
    std::vector<Weights> paths;  // of its mixing, path by path
    CouplingList left, right;
};

// The linear maps of a layer transposed, for models of whose read-outs derivatives are wanted.
struct LayerAdjoint {
    Weights inputs[n_irreps][n_parts];  // left, middle and right, one below the other
    Weights direct[n_irreps][n_parts];
    ProductAdjoint square[n_state], cube[n_state];
    Weights update_square[n_state], hidden, gate, send_scalars, send_tensors[n_state];
};

struct Layer {
    int index = 0;
    bool first = false;
    bool last = false;
    int sent_channels = 0;  // padded; tensors that reach this layer
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
    LayerAdjoint adjoint;
};

struct Model {
    double cutoff = 0;
    int l_max = 2;
    int width = 0;  // padded channels
    int n_species = 0;
    std::vector<Layer> layers;
    std::vector<Head> heads;
    std::unique_ptr<RadialFunctions> radial;
    Buffer<float> embedding;  // [species × width]

    int message_width(int layer) const;  // of one lane
    // nullptr when the model has no such read-out.
    const Head* head(const std::string& name) const;
    // The read-out whose derivatives are Born effective charges, or nullptr.
    const Head* dipole() const { return head("dipole"); }
};

// Throws bec::Error.
Model load_model(const std::string& path, const std::string& level, const std::vector<int>& numbers);

}  // namespace bec
