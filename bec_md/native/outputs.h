// What is wanted of whole frames, by name.
#pragma once

#include <vector>

#include "bec_native.h"
#include "heads.h"
#include "model.h"

namespace bec {

struct Outputs {
    bec_output charges{}, eps_inf{}, polarization{}, dipole{}, current{};

    // Throws bec::Error for names that are unknown, or that this model or these frames do not give.
    Outputs(const Model& model, const bec_frames& frames, const bec_output* outputs, int count);

    static bool wanted(const bec_output& output) { return output.values != nullptr || output.members != nullptr; }
    bool wants_dipole() const { return wanted(polarization) || wanted(dipole); }
    // Whether charges are read out, rather than derivatives of a dipole.
    bool direct_charges(const Model& model) const { return wanted(charges) && model.head("charges") != nullptr; }
    bool derived_charges(const Model& model) const { return wanted(charges) && model.head("charges") == nullptr; }
};

}  // namespace bec
