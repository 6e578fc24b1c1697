"""Hand-made outputs in the layout of Quantum ESPRESSO's ph.x and of VASP: a distorted MgO cell."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

PW_INPUT = """&CONTROL
  calculation = 'scf'
/
&SYSTEM
  ibrav = 0, nat = 2, ntyp = 2, ecutwfc = 50.0, tot_charge = 0.0
/
&ELECTRONS
/
ATOMIC_SPECIES
Mg 24.305 Mg.upf
O 15.999 O.upf
CELL_PARAMETERS angstrom
0.0 2.1 2.1
2.1 0.0 2.1
2.1 2.1 0.0
ATOMIC_POSITIONS angstrom
Mg 0.0000000 0.0000000 0.0000000
O  2.1312345 2.1000000 2.1000000
K_POINTS automatic
4 4 4 1 1 1
"""

# a = 4.2 Å = 7.9368497 Bohr; the O atom sits at 2.1312345 Å = 0.50744 a
PH_OUTPUT = """
     Program PHONON v.6.7MaX starts on  1Jan2026 at 12: 0: 0

     bravais-lattice index     =            0
     lattice parameter (alat)  =       7.9368  a.u.
     unit-cell volume          =     124.9900 (a.u.)^3
     number of atoms/cell      =            2
     number of atomic types    =            2
     kinetic-energy cut-off    =      50.0000  Ry
     charge density cut-off    =     200.0000  Ry
     convergence threshold     =      1.0E-12
     Exchange-correlation= PBE
                           (   1   4   3   4   0   0   0)

     celldm(1)=    7.93685  celldm(2)=    0.00000  celldm(3)=    0.00000
     celldm(4)=    0.00000  celldm(5)=    0.00000  celldm(6)=    0.00000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (  0.0000  0.5000  0.5000 )
               a(2) = (  0.5000  0.0000  0.5000 )
               a(3) = (  0.5000  0.5000  0.0000 )

     reciprocal axes: (cart. coord. in units 2 pi/alat)
               b(1) = ( -1.0000  1.0000  1.0000 )
               b(2) = (  1.0000 -1.0000  1.0000 )
               b(3) = (  1.0000  1.0000 -1.0000 )

     Atoms inside the unit cell:

     Cartesian axes

     site n.  atom      mass           positions (alat units)
        1     Mg  24.3050   tau(    1) = (    0.00000    0.00000    0.00000  )
        2     O   15.9990   tau(    2) = (    0.50744    0.50000    0.50000  )

     Computing dynamical matrix for
                    q = (   0.0000000   0.0000000   0.0000000 )

     number of k points=    32

     Electric Fields Calculation

     iter #   1 total cpu time :     1.0 secs   av.it.:   5.0
     thresh= 1.000E-02 alpha_mix =  0.700 |ddv_scf|^2 =  1.0E-14

     End of electric fields calculation

          Dielectric constant in cartesian axis

          (       3.100000000       0.010000000       0.000000000 )
          (       0.010000000       3.200000000       0.000000000 )
          (       0.000000000       0.000000000       3.300000000 )

          Effective charges (d Force / dE) in cartesian axis without acoustic sum rule applied (asr)

           atom      1   Mg Mean Z*:        2.00000
      Ex  (        1.90000        0.10000        0.20000 )
      Ey  (       -0.10000        2.00000        0.30000 )
      Ez  (       -0.20000       -0.30000        2.10000 )
           atom      2   O  Mean Z*:       -1.94000
      Ex  (       -1.84000       -0.10000       -0.20000 )
      Ey  (        0.10000       -1.94000       -0.30000 )
      Ez  (        0.20000        0.30000       -2.04000 )


          Effective charges (d Force / dE) in cartesian axis with asr applied:
           atom      1   Mg Mean Z*:        1.97000
      E*x (        1.87000        0.10000        0.20000 )
      E*y (       -0.10000        1.97000        0.30000 )
      E*z (       -0.20000       -0.30000        2.07000 )
           atom      2   O  Mean Z*:       -1.97000
      E*x (       -1.87000       -0.10000       -0.20000 )
      E*y (        0.10000       -1.97000       -0.30000 )
      E*z (        0.20000        0.30000       -2.07000 )

     JOB DONE.
"""

# Electrons 8, valences 2 and 6: a neutral cell
PW_OUTPUT = """
     Program PWSCF v.6.7MaX starts on  1Jan2026 at 11: 0: 0

     bravais-lattice index     =            0
     lattice parameter (alat)  =       7.9368  a.u.
     number of atoms/cell      =            2
     number of electrons       =         8.00

     celldm(1)=   7.936849  celldm(2)=   0.000000  celldm(3)=   0.000000
     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (   0.000000   0.500000   0.500000 )
               a(2) = (   0.500000   0.000000   0.500000 )
               a(3) = (   0.500000   0.500000   0.000000 )

     atomic species   valence    mass     pseudopotential
        Mg             2.00    24.30500     Mg( 1.00)
        O              6.00    15.99900     O ( 1.00)

     site n.     atom                  positions (alat units)
         1           Mg  tau(   1) = (   0.0000000   0.0000000   0.0000000  )
         2           O   tau(   2) = (   0.5074368   0.5000000   0.5000000  )

!    total energy              =     -35.00000000 Ry
   JOB DONE.
"""

OUTCAR = """ vasp.6.4.1 05Apr23 complex
 POTCAR:    PAW_PBE Mg 13Apr2007
   VRHFIN =Mg: 2s2p3s
   LEXCH  = PE
   POMASS =   24.305; ZVAL   =   2.000    mass and valenz
 POTCAR:    PAW_PBE O 08Apr2002
   VRHFIN =O: s2p4
   LEXCH  = PE
   POMASS =   16.000; ZVAL   =   6.000    mass and valenz
   ions per type =               1   1
   k-points           NKPTS =     32   k-points in BZ     NKDIM =     32
   ENCUT  =  500.0 eV  36.75 Ry
   NELECT =       8.0000    total number of electrons
   GGA     =    PS    GGA type

      direct lattice vectors                 reciprocal lattice vectors
     0.000000000  2.100000000  2.100000000    -0.238095238  0.238095238  0.238095238
     2.100000000  0.000000000  2.100000000     0.238095238 -0.238095238  0.238095238
     2.100000000  2.100000000  0.000000000     0.238095238  0.238095238 -0.238095238

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      0.00000      0.00000      0.00000         0.100000      0.000000      0.000000
      2.13123      2.10000      2.10000        -0.100000      0.000000      0.000000
 -----------------------------------------------------------------------------------

 MACROSCOPIC STATIC DIELECTRIC TENSOR (including local field effects in DFT)
 ------------------------------------------------------
           3.100000     0.010000     0.000000
           0.010000     3.200000     0.000000
           0.000000     0.000000     3.300000
 ------------------------------------------------------

 BORN EFFECTIVE CHARGES (including local field effects) (in |e|, cummulative output)
 ---------------------------------------------------------------------------------
 ion    1
    1     1.90000     0.10000     0.20000
    2    -0.10000     2.00000     0.30000
    3    -0.20000    -0.30000     2.10000
 ion    2
    1    -1.84000    -0.10000    -0.20000
    2     0.10000    -1.94000    -0.30000
    3     0.20000     0.30000    -2.04000

 MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC CONTRIBUTION
 ------------------------------------------------------
           6.000000     0.000000     0.000000
           0.000000     6.000000     0.000000
           0.000000     0.000000     6.000000
 ------------------------------------------------------
"""

VASPRUN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator><i name="program" type="string">vasp </i><i name="version" type="string">6.4.1  </i></generator>
 <kpoints><varray name="kpointlist"><v>0.0 0.0 0.0</v><v>0.5 0.0 0.0</v></varray></kpoints>
 <parameters>
  <separator name="electronic"><i name="ENMAX">500.0</i><i name="NELECT">6.0</i></separator>
  <separator name="electronic exchange-correlation"><i type="string" name="GGA">PS</i></separator>
 </parameters>
 <atominfo>
  <array name="atoms"><set>
   <rc><c>Mg</c><c>   1</c></rc>
   <rc><c>O </c><c>   2</c></rc>
  </set></array>
  <array name="atomtypes"><set>
   <rc><c>   1</c><c>Mg</c><c>24.305</c><c>2.0</c><c>PAW_PBE Mg</c></rc>
   <rc><c>   1</c><c>O </c><c>16.000</c><c>6.0</c><c>PAW_PBE O</c></rc>
  </set></array>
 </atominfo>
 <calculation>
  <structure>
   <crystal><varray name="basis"><v>0 2.1 2.1</v><v>2.1 0 2.1</v><v>2.1 2.1 0</v></varray></crystal>
   <varray name="positions"><v>0 0 0</v><v>0.4925632143 0.5074367857 0.5074367857</v></varray>
  </structure>
  <varray name="epsilon"><v>3.1 0.01 0</v><v>0.01 3.2 0</v><v>0 0 3.3</v></varray>
  <array name="born_charges">
   <set><v>1.9 0.1 0.2</v><v>-0.1 2.0 0.3</v><v>-0.2 -0.3 2.1</v></set>
   <set><v>-1.84 -0.1 -0.2</v><v>0.1 -1.94 -0.3</v><v>0.2 0.3 -2.04</v></set>
  </array>
 </calculation>
 <structure name="finalpos">
  <crystal><varray name="basis"><v>0 2.1 2.1</v><v>2.1 0 2.1</v><v>2.1 2.1 0</v></varray></crystal>
  <varray name="positions"><v>0 0 0</v><v>0.4925632143 0.5074367857 0.5074367857</v></varray>
 </structure>
</modeling>
"""

POTCAR = """ PAW_PBE Mg 13Apr2007
   LEXCH  = PE
   POMASS =   24.305; ZVAL   =   2.000    mass and valenz
 End of Dataset
 PAW_PBE O 08Apr2002
   LEXCH  = PE
   POMASS =   16.000; ZVAL   =   6.000    mass and valenz
 End of Dataset
"""

#: What each program writes of the same crystal, by the usual name.
OUTPUTS = {"ph.out": PH_OUTPUT, "OUTCAR": OUTCAR, "vasprun.xml": VASPRUN}


def write_vaspout(path: Path, incar: str = "GGA = PS ! of solids\nNELECT = 6", newer: bool = False) -> None:
    """The calculation of the other outputs as VASP 6 writes it into HDF5, by the names of two versions."""
    with h5py.File(path, "w") as file:
        for name, number in {"major": 6, "minor": 4, "patch": 1}.items():
            file[f"version/{name}"] = number
        file["original/incar/content"] = incar
        file["input/potcar/content"] = POTCAR
        file["results/positions/ion_types"] = np.array([b"Mg", b"O "])
        file["results/positions/number_ion_types"] = [1, 1]
        file["results/positions/scale"] = 2.1
        file["results/positions/lattice_vectors"] = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
        file["results/positions/direct_coordinates"] = 1
        oxygen = [0.4925632143, 0.5074367857, 0.5074367857]
        file["results/positions/position_ions"] = [[0.0, 0.0, 0.0], oxygen]
        file["results/electron_eigenvalues/kpoint_coords"] = np.zeros((2, 3))
        charges = [[[1.9, 0.1, 0.2], [-0.1, 2.0, 0.3], [-0.2, -0.3, 2.1]]]
        charges.append([[-1.84, -0.1, -0.2], [0.1, -1.94, -0.3], [0.2, 0.3, -2.04]])
        older = "linear_response/born_charges", "linear_response/electron_dielectric_tensor"
        born, eps = ("born_charges/born_charges", "dielectric/dielectric_dft") if newer else older
        file[f"results/{born}"] = np.transpose(charges, (0, 2, 1))  # of vasprun.xml (phonopy 4.10, too)
        file[f"results/{eps}"] = [
            [3.1, 0.01, 0.0],
            [0.01, 3.2, 0.0],
            [0.0, 0.0, 3.3],
        ]
