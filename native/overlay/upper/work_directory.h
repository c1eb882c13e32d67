// The work directory beside the upper: objects are built here before one rename shows them in the upper, and what
// leaves the upper is renamed to here before it is removed, so that the upper never shows half of anything.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "overlay/upper/upper_files.h"
#include "sys/file_descriptor.h"
#include "sys/status.h"

namespace lamina::overlay {

// rename(2) replaces one file by another; a directory, on either side, is exchanged and then removed.
enum class Replacing { file, anything };

class WorkDirectory {
 public:
  // `parent` is a readable descriptor of the directory that holds it, which is locked while the overlay lives. Both are
  // invalid in a read-only overlay, which calls nothing here.
  WorkDirectory(UpperFiles& files, sys::FileDescriptor directory, sys::FileDescriptor parent)
      : files_(files), directory_(std::move(directory)), parent_(std::move(parent)) {}

  [[nodiscard]] int descriptor() const { return directory_.get(); }
  [[nodiscard]] int parent() const { return parent_.get(); }
  // A name that nothing here has.
  std::string new_name() { return "#" + std::to_string(next_name_.fetch_add(1)); }
  [[nodiscard]] UpperPlace place(std::string_view name) const { return {descriptor(), name}; }

  // Runs `build(name)`, which makes an object under that name and moves it to its place. What a failed build leaves is
  // removed.
  template <typename Build>
  Status build(Build build) {
    const std::string name = new_name();
    const Status built = build(std::string_view(name));
    if (built) return {};
    const Status discarded = discard(name);
    return discarded || discarded.failed_with(ENOENT) ? built : discarded;
  }
  // Replaces what is at `target` in the upper by what was built under `name`, in one step.
  Status replace(std::string_view name, const UpperPlace& target, Replacing what);
  // Removes an entry of the upper in one step, leaving a whiteout where one is needed.
  Status remove(const UpperPlace& entry, bool leave_whiteout);
  // Removes what lies under a name here, and all below it.
  Status discard(std::string_view name) { return files_.remove_tree(place(name)); }
  // Removes all that a driver that died was building.
  Status clear();

 private:
  UpperFiles& files_;
  const sys::FileDescriptor directory_, parent_;
  std::atomic<std::uint64_t> next_name_{0};
};

}  // namespace lamina::overlay
