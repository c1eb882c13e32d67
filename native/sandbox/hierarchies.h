// The control groups below which this process may make groups (cgroups(7)).
#pragma once

#include <string>
#include <vector>

namespace lamina::sandbox {

enum class Controller { processes, memory, processors };

struct Hierarchy {
  // A directory in which a group with these controllers can be made.
  std::string directory;
  std::vector<Controller> controllers;
  // Of version 2: its files have other names.
  bool unified = false;
};

// One for each hierarchy with a usable controller.
// @param mounts, memberships the text of /proc/self/mountinfo and /proc/self/cgroup
std::vector<Hierarchy> hierarchies(const std::string& mounts, const std::string& memberships);

}  // namespace lamina::sandbox
