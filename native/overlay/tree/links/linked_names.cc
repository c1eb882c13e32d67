#include "overlay/tree/links/linked_names.h"

#include <sys/stat.h>

#include "overlay/layers/walk.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Result;
using sys::Status;

Result<std::vector<std::string>> LinkedNames::of(int upper, std::uint64_t ino) {
  const std::lock_guard lock(mutex_);
  if (!names_) {
    std::unordered_map<std::uint64_t, std::vector<std::string>> names;
    LAMINA_TRY(walk_tree(upper, [&](const WalkedEntry& each) -> Status {
      if (each.type == S_IFDIR) return {};
      const auto status = sys::status_at(each.directory, each.name);
      if (status.failed_with(ENOENT) || status.failed_with(ENOTDIR)) return {};
      if (!status) return status.error();
      if (status->nlink > 1 && !status->is_whiteout()) names[status->ino].push_back(each.path);
      return {};
    }));
    names_ = std::move(names);
  }
  const auto found = names_->find(ino);
  return found == names_->end() ? std::vector<std::string>() : found->second;
}

}  // namespace lamina::overlay
