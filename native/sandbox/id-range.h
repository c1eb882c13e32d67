// User and group numbers of the host for a sandbox's own users.
#pragma once

#include <sys/types.h>

namespace lamina::sandbox {

// A range that no other sandbox has while this lives, and that is not allocated in /etc/subuid and /etc/subgid. Such
// numbers never reach a disk: files that a sandbox writes have the owners as numbered within it.
class IdRange {
 public:
  static constexpr unsigned count = 1U << 16U;

  // Ends the process where no range is available.
  IdRange();
  IdRange(const IdRange&) = delete;
  IdRange& operator=(const IdRange&) = delete;
  ~IdRange();

  // The number that root of the sandbox has outside.
  uid_t first() const { return first_; }

 private:
  int lock_ = -1;
  uid_t first_ = 0;
};

}  // namespace lamina::sandbox
