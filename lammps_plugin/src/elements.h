// Atomic numbers of chemical symbols.

#ifndef BEC_LAMMPS_ELEMENTS_H
#define BEC_LAMMPS_ELEMENTS_H

#include <string>

namespace bec_lammps {

// Atomic number of a chemical symbol ("Si"); 0 if there is no such element.
int atomic_number(const std::string &symbol);

// Chemical symbol of an atomic number; "?" outside 1..118.
std::string chemical_symbol(int number);

}    // namespace bec_lammps

#endif
