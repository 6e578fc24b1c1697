#include "model_path.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <set>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace bec_lammps {

namespace fs = std::filesystem;

namespace {

const char SUFFIX[] = ".safetensors";

// Folders with bundled models, in the order in which they are searched.
std::vector<fs::path> model_folders()
{
  std::vector<fs::path> folders;
  if (const char *variable = std::getenv("BEC_MD_MODELS")) {
    std::stringstream list(variable);
    for (std::string folder; std::getline(list, folder, ':');)
      if (!folder.empty()) folders.emplace_back(folder);
  }
#ifdef BEC_MD_BUNDLED_MODELS
  folders.emplace_back(BEC_MD_BUNDLED_MODELS);
#endif
  // the plugin built at installation lies in bec_md/lammps/lib, the models in bec_md/network/bundled
  Dl_info here;
  if (dladdr(reinterpret_cast<const void *>(&SUFFIX), &here) && here.dli_fname) {
    std::error_code ignored;
    const fs::path folder = fs::absolute(here.dli_fname, ignored).parent_path();
    folders.push_back(folder / "models");
    folders.push_back((folder / ".." / ".." / "network" / "bundled").lexically_normal());
  }
  return folders;
}

bool is_file(const fs::path &path)
{
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}    // namespace

std::string find_model(const std::string &name_or_path)
{
  const fs::path given(name_or_path);
  if (given.extension() == ".pt2")
    throw std::runtime_error(name_or_path + " is a package of compiled code for PyTorch, which fix bec does not "
                             "use: give the name of a bundled model or the .safetensors file that it was made from");
  if (is_file(name_or_path)) return name_or_path;
  if (given.has_parent_path() || given.extension() == SUFFIX)
    throw std::runtime_error("model file " + name_or_path + " does not exist; check the path (relative paths "
                             "start at the folder in which LAMMPS was started)");
  std::string searched, known;
  std::set<std::string> names;
  for (const fs::path &folder : model_folders()) {
    if (is_file(folder / (name_or_path + SUFFIX))) return (folder / (name_or_path + SUFFIX)).string();
    searched += (searched.empty() ? "" : ", ") + folder.string();
    std::error_code ignored;
    for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored))
      if (entry->path().extension() == SUFFIX) names.insert(entry->path().stem().string());
  }
  for (const std::string &name : names) known += (known.empty() ? "" : ", ") + name;
  throw std::runtime_error("there is no model named " + name_or_path + " (bundled models: " +
                           (known.empty() ? "none found" : known) + "; looked in " + searched +
                           "); give the path of a .safetensors file, or set BEC_MD_MODELS to the folder");
}

}    // namespace bec_lammps
