#include "addon/syscalls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vector>

#include <csignal>
#include <cstdio>

namespace lamina::addon {

using sys::last_error;
using sys::Result;
using sys::Status;

namespace {

// Calls again while a signal interrupts.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

template <typename Call>
Status status_of(Call call) {
  if (retry(call) == -1) return last_error();
  return {};
}

// `by_path` or `by_descriptor`, depending on the target.
template <typename ByPath, typename ByDescriptor>
auto on(const Target& target, ByPath by_path, ByDescriptor by_descriptor) {
  if (const auto* path = std::get_if<std::string>(&target)) return by_path(path->c_str());
  return by_descriptor(std::get<int>(target));
}

// Reads the result of `call(buffer, size)` of any size: the size may change between the query and the read.
template <typename Call>
Result<std::string> read_whole(Call call) {
  std::string buffer(256, '\0');
  while (true) {
    const ssize_t length = call(buffer.data(), buffer.size());
    if (length >= 0) {
      buffer.resize(static_cast<std::size_t>(length));
      return buffer;
    }
    if (errno != ERANGE) return last_error();
    const ssize_t wanted = call(nullptr, 0);
    if (wanted < 0) return last_error();
    buffer.resize(static_cast<std::size_t>(wanted) + 256);
  }
}

timespec time_of(const std::optional<FileTime>& time) {
  if (!time) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  return {.tv_sec = time->seconds, .tv_nsec = static_cast<long>(time->nanoseconds)};
}

}  // namespace

Result<std::string> get_xattr(const Target& target, const std::string& name) {
  return read_whole([&](char* buffer, std::size_t size) {
    return on(
        target, [&](const char* path) { return ::lgetxattr(path, name.c_str(), buffer, size); },
        [&](int descriptor) { return ::fgetxattr(descriptor, name.c_str(), buffer, size); });
  });
}

Result<std::string> list_xattrs(const Target& target) {
  return read_whole([&](char* buffer, std::size_t size) {
    return on(
        target, [&](const char* path) { return ::llistxattr(path, buffer, size); },
        [&](int descriptor) { return ::flistxattr(descriptor, buffer, size); });
  });
}

Status set_xattr(const Target& target, const std::string& name, std::string_view value, int flags) {
  return status_of([&] {
    return on(
        target, [&](const char* path) { return ::lsetxattr(path, name.c_str(), value.data(), value.size(), flags); },
        [&](int descriptor) { return ::fsetxattr(descriptor, name.c_str(), value.data(), value.size(), flags); });
  });
}

Status remove_xattr(const Target& target, const std::string& name) {
  return status_of([&] {
    return on(
        target, [&](const char* path) { return ::lremovexattr(path, name.c_str()); },
        [&](int descriptor) { return ::fremovexattr(descriptor, name.c_str()); });
  });
}

Status make_node(const std::string& path, mode_t mode, std::uint32_t major, std::uint32_t minor) {
  return status_of([&] { return ::mknod(path.c_str(), mode, gnu_dev_makedev(major, minor)); });
}

Status rename_with_flags(const std::string& from, const std::string& to, unsigned flags) {
  return status_of([&] { return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags); });
}

Status set_times(const Target& target, const Times& times) {
  const timespec pair[2] = {time_of(times.access), time_of(times.modification)};
  return status_of([&] {
    return on(
        target, [&](const char* path) { return ::utimensat(AT_FDCWD, path, pair, AT_SYMLINK_NOFOLLOW); },
        [&](int descriptor) { return ::futimens(descriptor, pair); });
  });
}

Status lock_file(int descriptor, int operation) {
  return status_of([&] { return ::flock(descriptor, operation); });
}

Status sync_file_system(int descriptor) {
  return status_of([&] { return ::syncfs(descriptor); });
}

Status close_on_exec(int first) {
  return status_of([&] { return ::close_range(static_cast<unsigned>(first), ~0U, CLOSE_RANGE_CLOEXEC); });
}

Status execute(const std::string& program, std::string_view words) {
  std::string text(words);
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) arguments.push_back(text.data() + at);
  arguments.push_back(nullptr);
  // Node closes them at exec.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)::fcntl(stream, F_SETFD, 0);
  ::execve(program.c_str(), arguments.data(), environ);
  return sys::last_error();
}

Result<std::int64_t> is_foreground(int terminal) {
  const pid_t group = ::tcgetpgrp(terminal);
  // Not our controlling terminal: its foreground group cannot be read.
  if (group < 0 && errno == ENOTTY) return 0;
  if (group < 0) return sys::Errno{errno};
  return group == ::getpgrp() ? 1 : 0;
}

Result<std::int64_t> peer_user(int socket) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  const auto status = status_of([&] { return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length); });
  if (!status.ok()) return status.error();
  return credentials.uid;
}

Status mount_file_system(const MountRequest& request) {
  const auto or_null = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  return status_of([&] {
    return ::mount(or_null(request.source), request.target.c_str(), or_null(request.type), request.flags,
                   or_null(request.data));
  });
}

Status unmount(const std::string& target, int flags) {
  return status_of([&] { return ::umount2(target.c_str(), flags); });
}

}  // namespace lamina::addon
