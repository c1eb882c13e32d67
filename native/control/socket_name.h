// The name of a control socket in its directory, from when it is made to when it is removed.
#pragma once

#include <cstdint>
#include <string>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::control {

using sys::Result;
using sys::Status;

class SocketName {
 public:
  // Listens at `path`; see ControlServer::open for the errors.
  static Result<SocketName> listen(const std::string& path, std::string& explanation);
  SocketName(SocketName&&) = default;
  SocketName& operator=(SocketName&&) = delete;
  SocketName(const SocketName&) = delete;
  SocketName& operator=(const SocketName&) = delete;
  // Removes the name, unless another's socket has taken it.
  ~SocketName();

  [[nodiscard]] int listener() const { return listener_.get(); }

 private:
  SocketName(sys::FileDescriptor directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}
  Status make_room(std::string& problem) const;
  Status publish(std::string& problem);

  sys::FileDescriptor directory_;
  std::string name_;
  sys::FileDescriptor listener_;
  std::uint64_t ino_ = 0;
};

}  // namespace lamina::control
