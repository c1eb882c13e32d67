// What a driver notes at the work directory of its mount: the kernel's device number of the mount, and what it is a
// mount of. It is valid while the lock on work is held; otherwise, and after a crash, it may belong to another mount.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/options.h"
#include "sys/file_descriptor.h"
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

// The same for two requests that the same driver can serve: same layers, same options except those that each mount of a
// file system has for itself.
sys::Result<std::uint64_t> fingerprint_of(const DaemonOptions& options);

// Where it is noted: the work directory of a mount that has one, which stays the same when the process goes to another
// directory.
class MountNote {
 public:
  static sys::Result<MountNote> open(const DaemonOptions& options);

  [[nodiscard]] sys::Status write(const MountRecord& record) const;
  [[nodiscard]] sys::Status remove() const;
  [[nodiscard]] sys::Result<std::optional<MountRecord>> read() const;

 private:
  MountNote(sys::FileDescriptor work, std::string mark) : work_(std::move(work)), mark_(std::move(mark)) {}

  sys::FileDescriptor work_;
  std::string mark_;
};

}  // namespace lamina::daemon
