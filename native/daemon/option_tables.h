// Options with a fixed meaning: flags of the mount, and options of other overlay drivers.
#pragma once

#include <optional>
#include <string_view>

namespace lamina::daemon {

struct FlagChange {
  unsigned long set = 0, clear = 0;  // MS_* of mount(2)
};
// What an option such as `ro` or `exec` does to the mount's flags; none for other options.
std::optional<FlagChange> mount_flag(std::string_view name);

// An option of fuse-overlayfs, the kernel's overlayfs, libfuse or mount(8) that changes nothing here, with this value.
bool changes_nothing(std::string_view name, std::string_view value);

// An option for the kernel's security module (SELinux), which labels what is in the mount.
[[nodiscard]] inline bool is_security_context(std::string_view name) {
  return name == "context" || name == "fscontext" || name == "defcontext" || name == "rootcontext";
}

// Why an option of theirs is refused: ignoring it would change the meaning of the mount's content. Null for other
// options.
const char* reason_to_refuse(std::string_view name);

// Why a known option that changes nothing here is reported; null where it is not one of these.
const char* reason_without_effect(std::string_view name);

}  // namespace lamina::daemon
