// What a driver notes at the work directory of its mount: by which number the kernel knows the mount, and what it is a mount of.
// It is right while the lock on work is held; before, and after a crash, it may be another's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/options.h"
#include "sys/result.h"

namespace lamina::daemon {

struct MountRecord {
  std::uint64_t device = 0;       // makedev(3)
  std::uint64_t fingerprint = 0;  // fingerprint_of
  friend bool operator==(const MountRecord&, const MountRecord&) = default;
};

std::string encode(const MountRecord& record);
// None where the text is of another form.
std::optional<MountRecord> decode_mount_record(std::string_view text);

// The same for two requests that the same driver can serve: same layers, same options but for those that each mount of a file
// system has for itself.
sys::Result<std::uint64_t> fingerprint_of(const DaemonOptions& options);

// Of a mount with a work directory.
sys::Status note_mount(const DaemonOptions& options, std::uint64_t device);
sys::Status forget_mount(const DaemonOptions& options);
sys::Result<std::optional<MountRecord>> noted_mount(const DaemonOptions& options);

}  // namespace lamina::daemon
