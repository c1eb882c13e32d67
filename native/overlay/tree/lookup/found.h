// What the layers hold under a name of a merged directory.
#pragma once

#include <sys/stat.h>

#include <variant>
#include <vector>

#include "overlay/inodes/inode.h"
#include "overlay/layers/protection.h"
#include "overlay/types.h"
#include "sys/status.h"

namespace lamina::overlay {

// The name is not visible: no layer has it, or one hides it from those below.
struct FoundNothing {};

// The same, hidden by an entry of the upper.
struct FoundWhiteout {
  sys::FileStatus status;
};

struct FoundInUpper {
  enum class Form {
    whole,
    fresh,       // made just now: it has no attributes but owner, mode and times
    metacopy,    // a regular file without data: a lower has them
    redirected,  // a directory that merges with lowers that are found by another path
  };
  sys::FileStatus status;
  Form form = Form::whole;
  Protection protection;
  bool unmarked = false;  // known to have none of our marks
};

// In Found::lowers[0], and not in the upper.
struct FoundInLower {
  Attributes attributes;
  Protection protection;
};

struct Found {
  std::variant<FoundNothing, FoundWhiteout, FoundInUpper, FoundInLower> what;
  std::vector<LowerPlace> lowers;  // as Inode::lowers

  [[nodiscard]] bool visible() const { return in_upper() != nullptr || in_lower() != nullptr; }
  [[nodiscard]] const FoundInUpper* in_upper() const { return std::get_if<FoundInUpper>(&what); }
  [[nodiscard]] const FoundInLower* in_lower() const { return std::get_if<FoundInLower>(&what); }
  // Of the upper's entry under the name, visible or a whiteout; null where it has none.
  [[nodiscard]] const sys::FileStatus* upper_status() const {
    if (const auto* whiteout = std::get_if<FoundWhiteout>(&what)) return &whiteout->status;
    const FoundInUpper* entry = in_upper();
    return entry != nullptr ? &entry->status : nullptr;
  }
  [[nodiscard]] bool has(FoundInUpper::Form form) const { return in_upper() != nullptr && in_upper()->form == form; }

  // Of what is visible; else none.
  [[nodiscard]] std::uint32_t type() const {
    if (const FoundInUpper* upper = in_upper()) return upper->status.type();
    return in_lower() != nullptr ? in_lower()->attributes.mode & S_IFMT : 0;
  }
  [[nodiscard]] std::uint32_t links() const {
    if (const FoundInUpper* upper = in_upper()) return upper->status.nlink;
    return in_lower() != nullptr ? in_lower()->attributes.nlink : 0;
  }
  [[nodiscard]] Protection protection() const {
    if (const FoundInUpper* upper = in_upper()) return upper->protection;
    return in_lower() != nullptr ? in_lower()->protection : Protection();
  }
};

// True where a result means absence. No other failure does.
template <typename T>
[[nodiscard]] bool is_absent(const Result<T>& result) {
  return result.failed_with(ENOENT) || result.failed_with(ENOTDIR);
}

}  // namespace lamina::overlay
