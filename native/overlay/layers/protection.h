// "Immutable" and "append only" (chattr(1), +i and +a). Of a file of the upper they are a mark,
// trusted.overlay.protattr, not flags of the real file, because those would block the driver itself; of a lower's file
// they are the real file's (fs/overlayfs/util.c, ovl_check_protattr).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "overlay/types.h"
#include "sys/status.h"

namespace lamina::overlay {

// As aligned as it is large: only then does every compiler load and store it as one word (C++20
// [atomics.types.generic]).
struct alignas(2) Protection {
  bool immutable = false;
  bool append_only = false;

  [[nodiscard]] bool any() const { return immutable || append_only; }
  friend bool operator==(const Protection&, const Protection&) = default;
};

// Parses the mark's value: letters. Unknown ones are ignored.
Protection decode_protection(std::string_view value);
std::string encode(const Protection& protection);
inline Protection protection_of(const sys::FileStatus& status) { return {status.immutable, status.append_only}; }

// Which of chmod, chown, utimensat and truncate it permits (notify_change of the kernel).
[[nodiscard]] bool allows(const Protection& protection, const SetAttributes& change);

}  // namespace lamina::overlay
