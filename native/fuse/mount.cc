#include "fuse/mount.h"
#include "sys/data.h"
#include "sys/open.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace lamina::fuse {

using sys::Errno;
using sys::Result;
using sys::Status;

namespace {

constexpr const char* helper = "fusermount3";

Errno refuse(std::string& explanation, const std::string& what, int error) {
  explanation = what + ": " + std::strerror(error);
  return Errno{error};
}

Errno refuse_device(std::string& explanation, int error) {
  const char* const what =
      error == EACCES  ? "cannot open /dev/fuse (every user may where its mode is 0666, as Debian has it)"
      : error == EPERM ? "cannot open /dev/fuse (the container that this runs in must be given the device)"
                       : "cannot open /dev/fuse (is the fuse module loaded, and the device in this container?)";
  return refuse(explanation, what, error);
}

Result<Channel> mount_directly(const MountOptions& options, std::uint32_t root_mode, std::string& explanation) {
  sys::FileDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) return refuse_device(explanation, errno);
  std::array<char, 32> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", root_mode & S_IFMT);
  std::string data = "fd=" + std::to_string(device.get()) + ",rootmode=" + mode.data() +
                     ",user_id=" + std::to_string(::geteuid()) + ",group_id=" + std::to_string(::getegid()) +
                     ",default_permissions";
  if (options.allow_other) data += ",allow_other";
  if (options.max_read != 0) data += ",max_read=" + std::to_string(options.max_read);
  data += options.security;
  const std::string type = options.subtype.empty() ? "fuse" : "fuse." + options.subtype;
  // The path of an open directory leads to that directory, not to a replacement.
  const std::string target =
      options.directory < 0 ? options.mountpoint : "/proc/self/fd/" + std::to_string(options.directory);
  if (::mount(options.source.c_str(), target.c_str(), type.c_str(), options.flags, data.c_str()) != 0) {
    const int error = errno;
    const bool unknown = error == EINVAL && !options.security.empty();
    const std::string why = unknown ? " (SELinux may not know the context)" : "";
    return refuse(explanation, "cannot mount on " + options.mountpoint + why, error);
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

// Runs fusermount3, whose end `wait_for` waits for. A descriptor of 0 or more is passed on to it as _FUSE_COMMFD.
Result<pid_t> start_helper(const std::vector<std::string>& arguments, int descriptor) {
  std::vector<char*> argv;
  for (const std::string& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
  argv.push_back(nullptr);
  std::string variable = "_FUSE_COMMFD=" + std::to_string(descriptor);
  std::vector<char*> environment;
  for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
  environment.push_back(variable.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Onto itself: the descriptor then stays open in the helper (posix_spawn_file_actions_adddup2(3)).
  if (descriptor >= 0) posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Errno{error};
  return child;
}

bool ended_well(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Result<Channel> mount_by_helper(const MountOptions& options, std::string& explanation) {
  // The helper opens the device as the user, and says less about it.
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return refuse_device(explanation, errno);
  if (!options.security.empty())
    return refuse(explanation, "only root may give the mount a security context (context= and the like)", EPERM);
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) return sys::last_error();
  const sys::FileDescriptor ours(sockets[0]);
  sys::FileDescriptor theirs(sockets[1]);
  const auto child = start_helper({helper, "-o", helper_options(options), "--", options.mountpoint}, theirs.get());
  if (!child)
    return refuse(explanation, "mounting without root needs fusermount3 (Debian: fuse3)", child.error().value);
  theirs.reset();
  auto descriptor = receive_descriptor(ours.get());
  const bool mounted = ended_well(*child);
  if (!mounted || !descriptor) {
    explanation = "fusermount3 did not mount on " + options.mountpoint +
                  (options.allow_other ? "; allow_other needs user_allow_other in /etc/fuse.conf" : "");
    return mounted ? descriptor.error() : Errno{EPERM};
  }
  return Channel(std::move(*descriptor));
}

}  // namespace

std::string helper_options(const MountOptions& options) {
  const auto escaped = [](const std::string& value) {
    std::string text;
    for (const char each : value) {
      if (each == ',' || each == '\\') text += '\\';
      text += each;
    }
    return text;
  };
  std::string text = "default_permissions,fsname=" + escaped(options.source);
  if (!options.subtype.empty()) text += ",subtype=" + escaped(options.subtype);
  if (options.allow_other) text += ",allow_other";
  if (options.max_read != 0) text += ",max_read=" + std::to_string(options.max_read);
  // nosuid and nodev are set by the helper.
  static constexpr std::array<std::pair<unsigned long, const char*>, 5> flags{{{MS_RDONLY, ",ro"},
                                                                               {MS_NOEXEC, ",noexec"},
                                                                               {MS_NOATIME, ",noatime"},
                                                                               {MS_SYNCHRONOUS, ",sync"},
                                                                               {MS_DIRSYNC, ",dirsync"}}};
  for (const auto& [flag, name] : flags) {
    if ((options.flags & flag) != 0) text += name;
  }
  return text;
}

Result<Channel> mount(const MountOptions& options, std::string& explanation) {
  struct stat status {};
  const int looked =
      options.directory < 0 ? ::stat(options.mountpoint.c_str(), &status) : ::fstat(options.directory, &status);
  if (looked != 0) return refuse(explanation, "mount point " + options.mountpoint, errno);
  if (!S_ISDIR(status.st_mode)) return refuse(explanation, "mount point " + options.mountpoint, ENOTDIR);
  if (::geteuid() == 0) return mount_directly(options, status.st_mode, explanation);
  return mount_by_helper(options, explanation);
}

Status unmount(const std::string& mountpoint) {
  if (::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  if (errno != EPERM || ::geteuid() == 0) return sys::last_error();
  LAMINA_ASSIGN(const pid_t child, start_helper({helper, "-u", "-z", "--", mountpoint}, -1));
  return ended_well(child) ? Status() : Status(Errno{EPERM});
}

Status raise_read_ahead(std::uint64_t device, std::size_t kibibytes) {
  const std::string path = "/sys/class/bdi/" + std::to_string(gnu_dev_major(device)) + ':' +
                           std::to_string(gnu_dev_minor(device)) + "/read_ahead_kb";
  LAMINA_ASSIGN(const sys::FileDescriptor file, sys::open_path(path, O_RDWR));
  LAMINA_ASSIGN(const std::string present, sys::read_whole(file.get(), 32));
  // An administrator may have raised it for all mounts by a rule of udev(7).
  if (std::strtoull(present.c_str(), nullptr, 10) >= kibibytes) return {};
  return sys::write_all(file.get(), std::to_string(kibibytes));
}

bool ring_enabled() {
  const auto file = sys::open_path("/sys/module/fuse/parameters/enable_uring", O_RDONLY);
  if (!file.ok()) return false;
  const auto text = sys::read_whole(file->get(), 16);
  return text.ok() && text->starts_with('Y');
}

}  // namespace lamina::fuse
