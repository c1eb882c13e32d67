#include "parallel/model.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "support/files.h"

namespace conformance {
namespace {

// The line of a path; content and targets with newlines made visible.
std::string line_of(const std::string& path, const std::string& rest) {
  std::string escaped;
  for (const char byte : rest) escaped += byte == '\n' ? std::string("\\n") : std::string(1, byte);
  return path + " " + escaped + "\n";
}

std::string file_text(mode_t mode, unsigned links, const std::string& first, const std::string& content) {
  std::ostringstream text;
  text << "file mode=" << std::oct << mode << std::dec << " links=" << links;
  if (links > 1) text << " first=" << first;
  text << " content=" << content;
  return text.str();
}

}  // namespace

std::vector<std::string> below(const Model& model, const std::string& directory) {
  std::vector<std::string> result;
  const std::string prefix = directory + "/";
  for (auto at = model.lower_bound(prefix); at != model.end() && at->first.starts_with(prefix); ++at) {
    result.push_back(at->first);
  }
  return result;
}

void model_remove(Model& model, const std::string& path) {
  const auto at = model.find(path);
  if (at->second.file != nullptr) --at->second.file->links;
  model.erase(at);
}

void model_rename(Model& model, const std::string& from, const std::string& to) {
  for (const std::string& path : below(model, from)) {
    auto node = model.extract(path);
    node.key() = to + path.substr(from.size());
    model.insert(std::move(node));
  }
  auto node = model.extract(from);
  node.key() = to;
  model.insert(std::move(node));
}

void model_exchange(Model& model, const std::string& one, const std::string& other) {
  const std::string aside = "\x01";
  model_rename(model, one, aside);
  model_rename(model, other, one);
  model_rename(model, aside, other);
}

std::string describe(const Model& model) {
  std::map<const ModelFile*, std::string> first;
  std::string text;
  for (const auto& [path, entry] : model) {
    if (entry.file != nullptr) {
      const std::string& name = first.emplace(entry.file.get(), path).first->second;
      text += line_of(path, file_text(entry.file->mode, entry.file->links, name, entry.file->content));
    } else {
      text += line_of(path, entry.target.empty() ? "directory" : "symlink " + entry.target);
    }
  }
  return text;
}

std::string describe(const Path& root, const std::string& except) {
  std::map<std::string, std::pair<Path, struct stat>> all;
  const auto collect = [&](const Path& path, const struct stat& found) {
    const std::string relative = path.text().substr(root.text().size());
    if (relative.empty() || relative == "/" + except || relative.starts_with("/" + except + "/")) return;
    all.emplace(relative.substr(1), std::pair{path, found});
  };
  for_each_in_tree(root, collect);
  std::map<ino_t, std::string> first;
  std::string text;
  for (const auto& [relative, seen] : all) {
    const auto& [path, found] = seen;
    if (S_ISREG(found.st_mode)) {
      const std::string& name = first.emplace(found.st_ino, relative).first->second;
      text += line_of(relative,
                      file_text(found.st_mode & 07777, static_cast<unsigned>(found.st_nlink), name, contents(path)));
    } else {
      text += line_of(relative, S_ISDIR(found.st_mode) ? "directory" : "symlink " + link_target(path));
    }
  }
  return text;
}

}  // namespace conformance
