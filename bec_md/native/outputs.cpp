#include "outputs.h"

#include <string>

#include "error.h"

namespace bec {
namespace {

void need_head(const Model& model, const std::string& output, const char* head, const char* alternative = nullptr) {
    if (model.head(head) != nullptr || (alternative != nullptr && model.head(alternative) != nullptr)) return;
    std::string known;
    for (const Head& one : model.heads) known += (known.empty() ? "" : ", ") + one.name;
    throw Error("the model does not give " + output, "it has the read-outs " + known + ", and " + output + " needs " + head,
                "ask for something else, or train a network with this read-out");
}

}  // namespace

Outputs::Outputs(const Model& model, const bec_frames& frames, const bec_output* outputs, int count) {
    struct Known {
        const char* name;
        const char* head;
        const char* alternative;
        bec_output Outputs::*place;
    };
    static constexpr Known known[] = {{"charges", "charges", "dipole", &Outputs::charges},
                                      {"eps_inf", "polarizability", nullptr, &Outputs::eps_inf},
                                      {"polarization", "dipole", nullptr, &Outputs::polarization},
                                      {"dipole", "dipole", nullptr, &Outputs::dipole},
                                      {"current", "dipole", nullptr, &Outputs::current}};
    for (int i = 0; i < count; ++i) {
        const std::string name = outputs[i].name != nullptr ? outputs[i].name : "";
        bool found = false;
        for (const Known& one : known) {
            if (name != one.name) continue;
            need_head(model, name, one.head, one.alternative);
            this->*one.place = outputs[i];
            found = true;
        }
        if (!found)
            throw Error("output \"" + name + "\" is unknown", "outputs are found by name",
                        "ask for charges, eps_inf, polarization, dipole or current");
    }
    if (wanted(current) && (frames.velocities == nullptr || frames.n_groups < 1))
        throw Error("a current was asked for without velocities", "it is the rate of change of the polarization",
                    "give velocities and the number of groups");
    if (wanted(current) && frames.group != nullptr)
        for (std::int64_t i = 0; i < frames.first_atom[frames.n_frames]; ++i)
            if (frames.group[i] < -1 || frames.group[i] >= frames.n_groups)
                throw Error("group " + std::to_string(frames.group[i]) + " of atom " + std::to_string(i) + " is not valid",
                            "there are " + std::to_string(frames.n_groups) + " groups", "number them from 0, −1 for none");
}

}  // namespace bec
