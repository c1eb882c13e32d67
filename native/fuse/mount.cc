#include "fuse/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

namespace lamina::fuse {

using sys::Errno;
using sys::Result;
using sys::Status;

namespace {

Errno refuse(std::string& explanation, const std::string& what, int error) {
  explanation = what + ": " + std::strerror(error);
  return Errno{error};
}

Result<Channel> mount_directly(const MountOptions& options, std::uint32_t root_mode, std::string& explanation) {
  sys::FileDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) return refuse(explanation, "cannot open /dev/fuse (is the fuse module loaded?)", errno);
  std::array<char, 32> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", root_mode & S_IFMT);
  std::string data = "fd=" + std::to_string(device.get()) + ",rootmode=" + mode.data() +
                     ",user_id=" + std::to_string(::geteuid()) + ",group_id=" + std::to_string(::getegid()) +
                     ",default_permissions";
  if (options.allow_other) data += ",allow_other";
  const std::string type = options.subtype.empty() ? "fuse" : "fuse." + options.subtype;
  if (::mount(options.source.c_str(), options.mountpoint.c_str(), type.c_str(), options.flags, data.c_str()) != 0) {
    return refuse(explanation, "cannot mount on " + options.mountpoint, errno);
  }
  return Channel(std::move(device));
}

// The descriptor that fusermount3 passes over the socket named by _FUSE_COMMFD.
Result<sys::FileDescriptor> receive_descriptor(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return sys::last_error();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (size == 0 || header == nullptr || header->cmsg_type != SCM_RIGHTS) return Errno{EPERM};
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return sys::FileDescriptor(descriptor);
}

std::string helper_options(const MountOptions& options) {
  std::string text = "default_permissions,fsname=" + options.source;
  if (!options.subtype.empty()) text += ",subtype=" + options.subtype;
  if ((options.flags & MS_RDONLY) != 0) text += ",ro";
  if (options.allow_other) text += ",allow_other";
  return text;
}

Result<Channel> mount_by_helper(const MountOptions& options, std::string& explanation) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) return sys::last_error();
  const sys::FileDescriptor ours(sockets[0]);
  sys::FileDescriptor theirs(sockets[1]);
  const std::string text = helper_options(options);
  const std::string number = std::to_string(theirs.get());
  const pid_t child = ::fork();
  if (child < 0) return sys::last_error();
  if (child == 0) {
    ::fcntl(theirs.get(), F_SETFD, 0);
    ::setenv("_FUSE_COMMFD", number.c_str(), 1);
    ::execlp("fusermount3", "fusermount3", "-o", text.c_str(), "--", options.mountpoint.c_str(), nullptr);
    ::_exit(127);
  }
  theirs.reset();
  auto descriptor = receive_descriptor(ours.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return refuse(explanation, "mounting without root needs fusermount3 (Debian: fuse3)", ENOENT);
  }
  if (!descriptor) {
    explanation = "fusermount3 did not mount on " + options.mountpoint;
    return descriptor.error();
  }
  return Channel(std::move(*descriptor));
}

}  // namespace

Result<Channel> mount(const MountOptions& options, std::string& explanation) {
  struct stat status {};
  if (::stat(options.mountpoint.c_str(), &status) != 0) return refuse(explanation, "mount point " + options.mountpoint, errno);
  if (!S_ISDIR(status.st_mode)) return refuse(explanation, "mount point " + options.mountpoint, ENOTDIR);
  if (::geteuid() == 0) return mount_directly(options, status.st_mode, explanation);
  return mount_by_helper(options, explanation);
}

Status unmount(const std::string& mountpoint) {
  if (::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  if (errno != EPERM || ::geteuid() == 0) return sys::last_error();
  const pid_t child = ::fork();
  if (child < 0) return sys::last_error();
  if (child == 0) {
    ::execlp("fusermount3", "fusermount3", "-u", "-z", "--", mountpoint.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Status() : Status(Errno{EPERM});
}

}  // namespace lamina::fuse
