// Arguments of `fix bec`, parsed and checked.

#ifndef BEC_LAMMPS_FIX_BEC_OPTIONS_H
#define BEC_LAMMPS_FIX_BEC_OPTIONS_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bec_lammps {

// A wrong argument: `index` is its position in the command, for the pointer that LAMMPS draws under it.
class ArgumentError : public std::runtime_error {
 public:
  ArgumentError(int place, const std::string &message) : std::runtime_error(message), index(place) {}
  int index;
};

// One Cartesian component of the electric field, V/Å.
struct FieldComponent {
  double value = 0.0;
  std::string variable;    // name of an equal-style variable, empty for a constant
  int argument = 0;
};

struct FixBecOptions {
  std::string model;                             // name or path, as given
  std::vector<std::int32_t> numbers;             // distinct atomic numbers, in order of first appearance
  std::vector<std::int32_t> species_of_type;     // (n_types + 1): index into `numbers`; −1 for NULL; [0] unused
  int every = 1;
  bool has_field = false;
  FieldComponent field[3];
  bool sum_rule = true;
  int threads = 1;
  std::string level;            // empty: the first level of theory of the model
  double total_charge = 0.0;    // e, net charge of the cell that Σ_i Z_i is set to
  int tensors = 0;              // of a model with a dipole: steps between tensors of the atoms; 0: no tensors
  int tensors_argument = 0;
  std::vector<std::string> groups;    // whose currents are wanted beside that of the fix
  int groups_argument = 0;

  // fix ID group bec MODEL TYPE1 … TYPEn [keyword value …]
  static FixBecOptions parse(int n_args, const char *const *args, int n_types);
};

}    // namespace bec_lammps

#endif
