// Where a model named in an input script lies.

#ifndef BEC_LAMMPS_MODEL_PATH_H
#define BEC_LAMMPS_MODEL_PATH_H

#include <string>

namespace bec_lammps {

// Path of a model: a file is taken as it is; a bare name is looked up as NAME.safetensors in the folders of
// the environment variable BEC_MD_MODELS, in the folder compiled in, and beside the installed bec_md
// package. Throws std::runtime_error that lists where it looked.
std::string find_model(const std::string &name_or_path);

}    // namespace bec_lammps

#endif
