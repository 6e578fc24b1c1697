// Irreps of the features, and where their components are.
#pragma once

namespace bec {

// The order of e3nn's (l, parity) sort; the first four are the state of an atom.
enum Irrep { i0e, i1o, i1e, i2e, i3o, n_irreps };
constexpr int n_state = 4;
constexpr int degree_of[n_irreps] = {0, 1, 1, 2, 3};
constexpr int parity_of[n_irreps] = {1, -1, 1, 1, -1};
constexpr int dim_of[n_irreps] = {1, 3, 3, 5, 7};
constexpr const char* name_of[n_irreps] = {"0e", "1o", "1e", "2e", "3o"};
constexpr int state_row[n_state] = {0, 1, 4, 7};  // first component in a state
constexpr int state_rows = 12;
constexpr int irrep_of_row[state_rows] = {i0e, i1o, i1o, i1o, i1e, i1e, i1e, i2e, i2e, i2e, i2e, i2e};
constexpr Irrep natural[4] = {i0e, i1o, i2e, i3o};       // irreps of the spherical harmonics
constexpr int natural_row[n_irreps] = {0, 1, -1, 4, 9};  // first component among the harmonics
constexpr Irrep sent[3] = {i1o, i1e, i2e};               // tensors that neighbors send
constexpr int sent_row[n_irreps] = {-1, 0, 3, 6, -1};
constexpr int sent_rows = 11;

}  // namespace bec
