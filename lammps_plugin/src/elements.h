// Atomic numbers of chemical symbols.

#ifndef BEC_LAMMPS_ELEMENTS_H
#define BEC_LAMMPS_ELEMENTS_H

#include <string>

namespace bec_lammps {

// Atomic number of a chemical symbol ("Si"); 0 if there is no such element.
int atomic_number(const std::string &symbol);

// Chemical symbol of an atomic number; "?" outside 1..118.
std::string chemical_symbol(int number);

// Standard atomic weight of an element, amu.
double standard_weight(int number);

// Whether a mass, amu, is near that of an element.
bool near_mass(int number, double mass);

// The other element whose mass, amu, an atom has that is given as `number`; 0 where there is none. Isotopes and masses
// that were moved to hydrogens (of the mass `hydrogen`) are those of no element.
int element_of_mass(int number, double mass, double hydrogen);

}    // namespace bec_lammps

#endif
