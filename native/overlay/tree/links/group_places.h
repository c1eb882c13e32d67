// Where the paths of a lower are in the merged tree. An index knows the names of a hard-link group by their paths in
// the layer; a directory that a layer above or the upper has redirected shows them elsewhere.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "overlay/layers/marks.h"
#include "overlay/layers/redirects.h"
#include "overlay/tree/lookup/lower_stack.h"

namespace lamina::overlay {

class GroupPlaces {
 public:
  // `upper`: its directory, or -1 where there is none that may have redirects.
  GroupPlaces(const LowerStack& lowers, const MarkNames& marks, int upper)
      : lowers_(lowers), marks_(marks), upper_(upper) {}

  // Where a path of a layer may be seen, judged by redirects alone: the upper may hide or replace it there.
  Result<std::vector<std::string>> of_path(std::size_t layer, const std::string& path);
  // The same for all names of an entry's hard-link group.
  Result<std::vector<std::string>> of_group(const LowerPlace& source);

  // Directories of the upper were moved, as `change` does to its redirects; where it fails they are searched again.
  template <typename Change>
  void upper_changed(Change change) {
    const std::lock_guard lock(mutex_);
    if (upper_redirects_ && !change(*upper_redirects_)) upper_redirects_.reset();
  }
  // It is unknown what was moved.
  void forget_upper() {
    const std::lock_guard lock(mutex_);
    upper_redirects_.reset();
  }

 private:
  Result<std::shared_ptr<const Redirects>> redirects_of(std::size_t layer);
  Result<std::vector<std::string>> paths_above(std::size_t layer, const std::vector<std::string>& paths);

  const LowerStack& lowers_;
  const MarkNames& marks_;
  const int upper_;
  std::mutex mutex_;
  // Guarded by mutex_, and searched when they are needed: of each lower, and of the upper.
  std::vector<std::shared_ptr<const Redirects>> redirects_;
  std::optional<Redirects> upper_redirects_;
};

}  // namespace lamina::overlay
