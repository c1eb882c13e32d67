// What a worker expects of its own names: a small file system in memory.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/path.h"

namespace conformance {

struct ModelFile {
  std::string content;
  mode_t mode = 0;
  unsigned links = 0;
};

// Exactly one of: a file, a symlink (target not empty), or else a directory.
struct ModelEntry {
  std::shared_ptr<ModelFile> file;
  std::string target;
  [[nodiscard]] bool is_directory() const { return file == nullptr && target.empty(); }
};

// Paths are relative to the common root.
using Model = std::map<std::string, ModelEntry>;

// All paths below the directory, itself not among them.
std::vector<std::string> below(const Model& model, const std::string& directory);
void model_remove(Model& model, const std::string& path);
void model_rename(Model& model, const std::string& from, const std::string& to);
void model_exchange(Model& model, const std::string& one, const std::string& other);

// One line a path: what `describe` prints of the same tree on disk.
std::string describe(const Model& model);
// The tree at `root` without the directory `except`: type, mode of files, links, content, target, and for a file of
// several names the first of them. Sorted.
std::string describe(const Path& root, const std::string& except);

}  // namespace conformance
