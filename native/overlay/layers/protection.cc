#include "overlay/layers/protection.h"

namespace lamina::overlay {

Protection decode_protection(std::string_view value) {
  return {value.find('i') != std::string_view::npos, value.find('a') != std::string_view::npos};
}

std::string encode(const Protection& protection) {
  std::string value;
  if (protection.append_only) value += 'a';
  if (protection.immutable) value += 'i';
  return value;
}

bool allows(const Protection& protection, const SetAttributes& change) {
  if (!protection.any()) return true;
  const auto given = [](const std::optional<SetAttributes::Time>& time) { return time && !time->now; };
  if (change.mode || change.uid || change.gid || change.size || given(change.atime) || given(change.mtime))
    return false;
  return !protection.immutable || (!change.atime && !change.mtime);
}

}  // namespace lamina::overlay
