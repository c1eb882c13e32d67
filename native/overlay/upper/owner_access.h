// What a driver without CAP_DAC_OVERRIDE may do to its own files: a mode that denies the owner something must not block
// what the kernel has allowed the caller, as a write through a descriptor that made the file (open(2) with O_CREAT and
// 0444).
#pragma once

#include <initializer_list>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "overlay/upper/upper_owners.h"
#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::overlay {

// While it lives the owner may read, write and search those places; then they have their modes again. No other thread
// changes or shows modes meanwhile: `modes` is held exclusively, and they take it shared.
class OwnerAccess {
 public:
  OwnerAccess(std::shared_mutex& modes, std::initializer_list<UpperPlace> places);
  OwnerAccess(const OwnerAccess&) = delete;
  OwnerAccess& operator=(const OwnerAccess&) = delete;
  ~OwnerAccess();
  // Why it could not be granted.
  [[nodiscard]] const sys::Status& status() const { return status_; }
  sys::Status give_back();

 private:
  struct Changed {
    sys::FileDescriptor file;  // follows it if it is renamed
    std::uint32_t mode = 0;    // that it had
  };
  sys::Status open_up(const UpperPlace& place);

  std::unique_lock<std::shared_mutex> lock_;
  std::vector<Changed> changed_;
  sys::Status status_;
};

// Runs an operation, and again with the owner's access where a mode denies it.
template <typename Operation>
auto as_owner(std::shared_mutex& modes, std::initializer_list<UpperPlace> places, Operation operation)
    -> decltype(operation()) {
  auto first = operation();
  if (!first.failed_with(EACCES)) return first;
  OwnerAccess access(modes, places);
  if (!access.status()) return access.status().error();
  auto again = operation();
  const sys::Status given_back = access.give_back();
  if (!given_back) return given_back.error();
  return again;
}

}  // namespace lamina::overlay
