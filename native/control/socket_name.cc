#include "control/socket_name.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "sys/names.h"
#include "sys/open.h"
#include "sys/unix_socket.h"

namespace lamina::control {

Result<SocketName> SocketName::listen(const std::string& path, std::string& explanation) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto opened = sys::open_path(directory, O_RDONLY | O_DIRECTORY);
  std::string problem;
  Status status = opened.ok() ? Status() : Status(opened.error());
  if (status.ok()) {
    SocketName socket(std::move(*opened), slash == std::string::npos ? path : path.substr(slash + 1));
    status = socket.make_room(problem);
    if (status.ok()) status = socket.publish(problem);
    if (status.ok()) return socket;
  }
  explanation = "control socket " + path + ": " + (problem.empty() ? std::strerror(status.error().value) : problem);
  return status.error();
}

// Removes what a dead server left.
Status SocketName::make_room(std::string& problem) const {
  const auto present = sys::status_at(directory_.get(), name_);
  if (present.failed_with(ENOENT)) return {};
  if (!present.ok()) return present.error();
  if (present->type() != S_IFSOCK) {
    problem = "already exists and is not a socket; name another";
    return sys::Errno{EEXIST};
  }
  const auto answered = sys::connect_at(directory_.get(), name_);
  if (answered.ok()) {
    problem = "a running driver listens there; unmount its mount first, or name another socket";
    return sys::Errno{EADDRINUSE};
  }
  if (!answered.failed_with(ECONNREFUSED) && !answered.failed_with(ENOENT)) return answered.error();
  const Status removed = sys::unlink(directory_.get(), name_);
  return removed.failed_with(ENOENT) ? Status() : removed;
}

// Bound under a short name first: a socket's own path has 107 bytes only.
Status SocketName::publish(std::string& problem) {
  const std::string temporary = ".control-" + std::to_string(::getpid()) + "-" + std::to_string(directory_.get());
  LAMINA_ASSIGN(auto listener, sys::listen_at(directory_.get(), temporary));
  const auto made = sys::status_at(directory_.get(), temporary);
  Status status = made.ok() ? Status() : Status(made.error());
  if (status.ok()) status = sys::rename(directory_.get(), temporary, directory_.get(), name_, RENAME_NOREPLACE);
  if (status.failed_with(EEXIST)) {
    problem = "another driver has just taken it";
    status = sys::Errno{EADDRINUSE};
  }
  if (!status.ok()) {
    (void)sys::unlink(directory_.get(), temporary);  // the first error is the one to report
    return status;
  }
  ino_ = made->ino;
  listener_ = std::move(listener);
  return {};
}

SocketName::~SocketName() {
  if (!listener_.valid()) return;
  const auto present = sys::status_at(directory_.get(), name_);
  if (present.ok() && present->ino == ino_)
    (void)sys::unlink(directory_.get(), name_);  // a dead one is replaced anyway
}

}  // namespace lamina::control
