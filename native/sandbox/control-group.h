// Limits for all processes of a sandbox together.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/hierarchies.h"
#include "sandbox/spec.h"

namespace lamina::sandbox {

// A control group in each hierarchy with a controller for a requested limit.
class ControlGroup {
 public:
  // A limit without a hierarchy for it is left out; if it was requested, the process ends.
  explicit ControlGroup(const Bounds& bounds);
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  bool bounds_processes() const { return bounds_processes_; }
  bool bounds_memory() const { return bounds_memory_; }
  bool bounds_processors() const { return bounds_processors_; }

  // Adds a process with all its future children.
  void add(pid_t process) const;

  // Whether the kernel has ended a process because it was out of memory.
  bool ran_out_of_memory() const;

  // Once no process is left.
  void remove() const;

 private:
  struct Group {
    std::string directory;
    bool unified;
  };
  void make_in(const Hierarchy& hierarchy, const Bounds& bounds);

  std::vector<Group> groups_;
  bool bounds_processes_ = false;
  bool bounds_memory_ = false;
  bool bounds_processors_ = false;
};

}  // namespace lamina::sandbox
