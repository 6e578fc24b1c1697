// What a network is read out for: maps from the last state of an atom to a property, by name.
#pragma once

#include <string>
#include <vector>

#include "irreps.h"
#include "matrix.h"
#include "tensor_file.h"

namespace bec {

// Linear in the last state, irrep by irrep; a change of basis makes Cartesian components of the irreps.
struct Head {
    std::string name;
    int members = 1;
    int components = 0;         // Cartesian, of an atom's share
    bool per_frame = false;     // the shares are summed
    bool derivative = false;    // what is wanted are derivatives of the sum
    double exponential = 0;     // not 0: the scalar is the logarithm of a size in this unit, the rest its shares
    Weights mix[n_state];       // channels → members, of the irreps in use
    std::vector<double> shift;  // of the scalar (of a dipole: the charge that moves with the atom), by species
    Buffer<float> seed;         // [1 + members][channels] weights of the vectors: mean, then each member
    // non-zero coefficients of the change of basis
    struct Basis {
        int component;  // a·3 + b of a tensor
        int spherical;  // among the irreps in use
        double value;
    };
    std::vector<Basis> basis;

    int spherical() const;  // components of the irreps in use
};

struct ReadoutConfig {
    std::string name;
    int members;
};

// The read-outs that the header names. Throws std::runtime_error when it is not valid.
std::vector<ReadoutConfig> readouts_of(const Json& config);

// `elements`: row of each species in the tables of the file. Throws bec::Error.
std::vector<Head> load_heads(const TensorFile& file, int channels, long n_elements, const std::vector<long>& elements);

}  // namespace bec
