#include "sys/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "sys/data.h"
#include "sys/open.h"
#include "sys/process.h"
#include "sys/retry.h"
#include "sys/status.h"

namespace lamina::sys {

namespace {

constexpr std::size_t longest_table = std::size_t{64} << 20U;

// Space, tab, newline and backslash are written as three octal digits.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool escaped = text[i] == '\\' && i + 3 < text.size() &&
                         std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4;
    plain += escaped ? static_cast<char>(code) : text[i];
    if (escaped) i += 3;
  }
  return plain;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return words;
}

std::optional<MountEntry> parse_line(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (words.size() < 6 || words.end() - dash < 3) return std::nullopt;
  MountEntry entry;
  unsigned major = 0;
  unsigned minor = 0;
  const std::string_view device = words[2];
  const auto colon = std::from_chars(device.data(), device.data() + device.size(), major);
  if (colon.ptr == device.data() + device.size() || *colon.ptr != ':') return std::nullopt;
  if (std::from_chars(colon.ptr + 1, device.data() + device.size(), minor).ec != std::errc()) return std::nullopt;
  entry.device = gnu_dev_makedev(major, minor);
  entry.root = unescaped(words[3]);
  entry.mountpoint = unescaped(words[4]);
  entry.type = unescaped(dash[1]);
  entry.source = unescaped(dash[2]);
  return entry;
}

std::string in_proc(std::string_view process, const char* name) { return "/proc/" + std::string(process) + "/" + name; }

// The inode of a namespace's file identifies the namespace.
Result<std::uint64_t> mount_namespace_of(std::string_view process) {
  struct stat status = {};
  LAMINA_TRY(status_from([&] { return ::stat(in_proc(process, "ns/mnt").c_str(), &status); }));
  return std::uint64_t{status.st_ino};
}

Result<std::uint64_t> device_of(int directory, const char* path, int flags) {
  struct statx status = {};
  LAMINA_TRY(
      status_from([&] { return ::statx(directory, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &status); }));
  return std::uint64_t{gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor)};
}

// In a process of its own, which enters the other namespace: the clone replaces `slot`, a descriptor that both share.
Status clone_into(int slot, int mount_namespace, int root, const std::string& mountpoint, std::uint64_t device) {
  LAMINA_TRY(status_from([&] { return ::setns(mount_namespace, CLONE_NEWNS); }));
  LAMINA_ASSIGN(const FileDescriptor at, open_in_root(root, mountpoint, O_PATH));
  LAMINA_ASSIGN(const std::uint64_t found, device_of(at.get(), "", AT_EMPTY_PATH));
  if (found != device) return Errno{ENOENT};
  const int tree = ::open_tree(at.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return last_error();
  const FileDescriptor clone(tree);
  return status_from([&] { return ::dup3(clone.get(), slot, O_CLOEXEC); });
}

}  // namespace

bool lists_idmapped(std::string_view text, std::uint64_t mount_id) {
  const std::string wanted = std::to_string(mount_id);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (words.size() < 6 || words[0] != wanted) continue;
    return (',' + std::string(words[5]) + ',').find(",idmapped,") != std::string::npos;
  }
  return false;
}

Result<bool> is_idmapped(const std::string& directory) {
  LAMINA_ASSIGN(const FileDescriptor opened, open_path(directory, O_PATH | O_DIRECTORY));
  LAMINA_ASSIGN(const FileStatus status, status_of(opened.get()));
  LAMINA_ASSIGN(const FileDescriptor table, open_path("/proc/self/mountinfo", O_RDONLY));
  LAMINA_ASSIGN(const std::string text, read_whole(table.get(), longest_table));
  return lists_idmapped(text, status.mount_id);
}

std::vector<MountEntry> parse_mounts(std::string_view text) {
  std::vector<MountEntry> mounts;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto entry = parse_line(text.substr(0, end))) mounts.push_back(std::move(*entry));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return mounts;
}

Result<std::vector<MountEntry>> mounts_of(std::string_view process) {
  LAMINA_ASSIGN(const FileDescriptor file, open_path(in_proc(process, "mountinfo"), O_RDONLY));
  LAMINA_ASSIGN(const std::string text, read_whole(file.get(), longest_table));
  return parse_mounts(text);
}

Result<std::vector<std::int32_t>> other_mount_namespaces() {
  LAMINA_ASSIGN(const std::uint64_t own, mount_namespace_of("self"));
  std::vector<std::uint64_t> known{own};
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return last_error();
  std::vector<std::int32_t> found;
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    std::int32_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    const auto its = mount_namespace_of(name);
    // It has ended, or is not readable for us.
    if (!its || std::find(known.begin(), known.end(), *its) != known.end()) continue;
    known.push_back(*its);
    found.push_back(pid);
  }
  return found;
}

Result<FileDescriptor> clone_mount_of(std::int32_t pid, const std::string& mountpoint, std::uint64_t device) {
  const std::string process = std::to_string(pid);
  LAMINA_ASSIGN(const FileDescriptor mount_namespace, open_path(in_proc(process, "ns/mnt"), O_RDONLY));
  LAMINA_ASSIGN(const FileDescriptor root, open_path(in_proc(process, "root"), O_PATH | O_DIRECTORY));
  LAMINA_ASSIGN(FileDescriptor slot, open_path("/dev/null", O_RDONLY));
  LAMINA_ASSIGN(const pid_t child, fork_sharing_descriptors());
  if (child == 0) {
    const Status cloned = clone_into(slot.get(), mount_namespace.get(), root.get(), mountpoint, device);
    ::_exit(cloned.ok() ? 0 : std::clamp(cloned.error().value, 1, 255));
  }
  int status = 0;
  LAMINA_TRY(status_from([&] { return ::waitpid(child, &status, 0); }));
  if (!WIFEXITED(status)) return Errno{EIO};
  if (WEXITSTATUS(status) != 0) return Errno{WEXITSTATUS(status)};
  return slot;
}

Status attach_mount(int clone, const std::string& mountpoint, unsigned long flags) {
  mount_attr attributes = {};
  attributes.propagation = MS_PRIVATE;
  attributes.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                        MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
  if ((flags & MS_RDONLY) != 0) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if ((flags & MS_NOSUID) != 0) attributes.attr_set |= MOUNT_ATTR_NOSUID;
  if ((flags & MS_NODEV) != 0) attributes.attr_set |= MOUNT_ATTR_NODEV;
  if ((flags & MS_NOEXEC) != 0) attributes.attr_set |= MOUNT_ATTR_NOEXEC;
  if ((flags & MS_NODIRATIME) != 0) attributes.attr_set |= MOUNT_ATTR_NODIRATIME;
  if ((flags & MS_NOATIME) != 0) {
    attributes.attr_set |= MOUNT_ATTR_NOATIME;
  } else if ((flags & MS_STRICTATIME) != 0) {
    attributes.attr_set |= MOUNT_ATTR_STRICTATIME;
  }
  LAMINA_TRY(status_from([&] { return ::mount_setattr(clone, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)); }));
  return status_from([&] { return ::move_mount(clone, "", AT_FDCWD, mountpoint.c_str(), MOVE_MOUNT_F_EMPTY_PATH); });
}

Result<std::uint64_t> device_at(const std::string& path) {
  return device_of(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace lamina::sys
