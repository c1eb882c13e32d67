// User and group numbers of the host for a sandbox's own users.
#pragma once

#include <sys/types.h>

namespace lamina::sandbox {

// A range that no other sandbox has while this lives, and that /etc/subuid and /etc/subgid give to nobody. Such numbers never
// come to a disk: what a sandbox writes has the owners that its users have within it.
class IdRange {
 public:
  static constexpr unsigned count = 1U << 16U;

  // Ends the process where no range can be had.
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
