// A path or name in the kernel's form: ended by NUL, without allocating.
#pragma once

#include <climits>
#include <cstring>
#include <string_view>

#include "sys/result.h"

namespace lamina::sys {

// The argument of a system call for a path or name. `check` says why it cannot be passed: ENAMETOOLONG at PATH_MAX
// bytes, EINVAL where it holds a NUL (the kernel would use only the part before it).
class CString {
 public:
  explicit CString(std::string_view text) {
    if (text.size() >= sizeof(buffer_)) {
      error_ = ENAMETOOLONG;
    } else if (text.find('\0') != std::string_view::npos) {
      error_ = EINVAL;
    } else {
      text.copy(buffer_, text.size());
    }
    buffer_[error_ == 0 ? text.size() : 0] = '\0';
  }
  [[nodiscard]] Status check() const { return error_ == 0 ? Status() : Status(Errno{error_}); }
  [[nodiscard]] const char* get() const { return buffer_; }

 protected:
  void fail(int error) {
    error_ = error;
    buffer_[0] = '\0';
  }
  [[nodiscard]] bool failed() const { return error_ != 0; }

 private:
  int error_ = 0;
  char buffer_[PATH_MAX];  // NOLINT(cppcoreguidelines-pro-type-member-init): written up to the NUL only
};

// One component of a path; "" where the call may act on the descriptor itself. A slash, "." and ".." are EINVAL: a name
// never leads out of its directory. Longer than 255 bytes: ENAMETOOLONG.
class Name : public CString {
 public:
  explicit Name(std::string_view name) : CString(name) {
    if (failed()) return;
    if (name.size() > NAME_MAX)
      fail(ENAMETOOLONG);
    else if (name.find('/') != std::string_view::npos || name == "." || name == "..")
      fail(EINVAL);
  }
};

}  // namespace lamina::sys
