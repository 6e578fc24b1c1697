#include "elements.h"

#include <algorithm>
#include <cmath>

namespace bec_lammps {

namespace {

const char *const SYMBOLS[] = {
    "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",  "Cl",
    "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se",
    "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb",
    "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er",
    "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At",
    "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No",
    "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};

// Standard atomic weights, amu.
const double WEIGHTS[] = {
    1.008, 4.003, 6.94, 9.012, 10.81, 12.011, 14.007, 15.999, 18.998, 20.18, 22.99, 24.305, 26.982, 28.085,
    30.974, 32.06, 35.45, 39.948, 39.098, 40.078, 44.956, 47.867, 50.941, 51.996, 54.938, 55.845, 58.933,
    58.693, 63.546, 65.38, 69.723, 72.63, 74.922, 78.971, 79.904, 83.798, 85.468, 87.62, 88.906, 91.224, 92.906,
    95.95, 97.907, 101.07, 102.906, 106.42, 107.868, 112.414, 114.818, 118.71, 121.76, 127.6, 126.904, 131.293,
    132.905, 137.327, 138.905, 140.116, 140.908, 144.242, 144.913, 150.36, 151.964, 157.25, 158.925, 162.5,
    164.93, 167.259, 168.934, 173.054, 174.967, 178.49, 180.948, 183.84, 186.207, 190.23, 192.217, 195.084,
    196.967, 200.592, 204.38, 207.2, 208.98, 208.982, 209.987, 222.018, 223.02, 226.025, 227.028, 232.038,
    231.036, 238.029, 237.048, 244.064, 243.061, 247.07, 247.07, 251.08, 252.083, 257.095, 258.098, 259.101,
    262.11, 267.122, 268.126, 271.134, 270.133, 269.134, 278.156, 281.165, 281.166, 285.177, 286.182, 289.19,
    289.194, 293.204, 293.208, 294.214};

constexpr int COUNT = sizeof(SYMBOLS) / sizeof(SYMBOLS[0]);
constexpr double EXACT = 0.012;    // amu; as on the Python side (species.py)

}    // namespace

int atomic_number(const std::string &symbol)
{
  for (int i = 0; i < COUNT; ++i)
    if (symbol == SYMBOLS[i]) return i + 1;
  return symbol == "D" || symbol == "T" ? 1 : 0;    // isotopes differ by their mass, which LAMMPS knows
}

std::string chemical_symbol(int number)
{
  return (number < 1 || number > COUNT) ? "?" : SYMBOLS[number - 1];
}

double standard_weight(int number)
{
  return WEIGHTS[number - 1];
}

bool near_mass(int number, double mass)
{
  const double expected = standard_weight(number);
  return std::abs(mass - expected) <= std::max(0.1 * expected, 0.5);
}

int element_of_mass(int number, double mass, double hydrogen)
{
  const double expected = standard_weight(number);
  if (near_mass(number, mass)) return 0;
  const double moved = hydrogen > 1.1 && hydrogen < 4.1 ? hydrogen - standard_weight(1) : 0.0;
  if (moved > 0.0 && (number == 1 || (mass < expected && expected - mass < 4.5 * moved))) return 0;
  for (int i = 0; i < COUNT; ++i)
    if (std::abs(mass - WEIGHTS[i]) <= EXACT) return i + 1;
  return 0;
}

}    // namespace bec_lammps
