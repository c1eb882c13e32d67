#include "sandbox/hierarchies.h"
#include "sandbox/text-file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>

namespace lamina::sandbox {
namespace {

struct ControlMount {
  // The group that is the mount's root, and where it is mounted.
  std::string root;
  std::string directory;
  bool unified = false;
  // Version 1: its controllers.
  std::vector<std::string> options;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// No group has a name that mountinfo would have to escape.
std::vector<ControlMount> control_mounts(const std::string& mounts) {
  constexpr std::size_t root_field = 3;
  constexpr std::size_t directory_field = 4;
  std::vector<ControlMount> found;
  for (const std::string& line : split(mounts, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.end() - dash < 4 || fields.size() <= directory_field) continue;
    const bool unified = dash[1] == "cgroup2";
    if (!unified && dash[1] != "cgroup") continue;
    found.push_back({fields[root_field], fields[directory_field], unified, split(dash[3], ',')});
  }
  return found;
}

// The directory of a group in /proc/self/cgroup; the mount's own directory where the group is outside of the mount.
std::string directory_of(const ControlMount& mount, const std::string& group) {
  if (mount.root == "/") return group == "/" ? mount.directory : mount.directory + group;
  if (group.rfind(mount.root + "/", 0) == 0) return mount.directory + group.substr(mount.root.size());
  return mount.directory;
}

const std::map<std::string, Controller>& controllers() {
  static const std::map<std::string, Controller> all = {
      {"pids", Controller::processes}, {"memory", Controller::memory}, {"cpu", Controller::processors}};
  return all;
}

std::vector<Controller> known(const std::vector<std::string>& names) {
  std::vector<Controller> found;
  for (const auto& [name, controller] : controllers())
    if (has(names, name)) found.push_back(controller);
  return found;
}

// A group with processes cannot enable controllers for groups below it: finds the nearest one above that does.
Hierarchy unified_hierarchy(const ControlMount& mount, std::string directory) {
  for (;;) {
    std::string enabled = text_of(directory + "/cgroup.subtree_control");
    enabled.erase(std::remove(enabled.begin(), enabled.end(), '\n'), enabled.end());
    const auto found = known(split(enabled, ' '));
    if (!found.empty() && access(directory.c_str(), W_OK) == 0) return {directory, found, true};
    if (directory.size() <= mount.directory.size()) return {};
    directory.erase(directory.rfind('/'));
  }
}

}  // namespace

std::vector<Hierarchy> hierarchies(const std::string& mounts, const std::string& memberships) {
  std::vector<Hierarchy> found;
  const auto all = control_mounts(mounts);
  for (const std::string& line : split(memberships, '\n')) {
    // NUMBER:CONTROLLERS:PATH; no controllers: version 2.
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    const auto own = known(split(names, ','));
    for (const ControlMount& mount : all) {
      const bool fits = names.empty() ? mount.unified
                                      : !own.empty() && !mount.unified && has(mount.options, split(names, ',').front());
      if (!fits) continue;
      const std::string directory = directory_of(mount, group);
      const Hierarchy hierarchy =
          mount.unified ? unified_hierarchy(mount, directory) : Hierarchy{directory, own, false};
      if (!hierarchy.controllers.empty() && access(hierarchy.directory.c_str(), W_OK) == 0) found.push_back(hierarchy);
      break;
    }
  }
  return found;
}

}  // namespace lamina::sandbox
