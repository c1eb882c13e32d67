#include "sys/names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "sys/c_string.h"
#include "sys/open.h"
#include "sys/retry.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

namespace lamina::sys {

namespace {

constexpr int no_follow(std::string_view name) { return AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0); }

struct DescriptorLink {
  std::array<char, 32> path = {};
  explicit DescriptorLink(int descriptor) {
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", descriptor);
  }
};

// Before kernel 6.6: chmod(2) of the descriptor's link, which is EOPNOTSUPP for a symlink too.
Status change_mode_by_link(int directory, std::string_view name, mode_t mode) {
  FileDescriptor child;
  if (!name.empty()) {
    LAMINA_ASSIGN(child, open_child(directory, name, O_PATH));
  }
  const DescriptorLink link(child.valid() ? child.get() : directory);
  return status_from([&] { return ::chmod(link.path.data(), mode); });
}

timespec timespec_of(const TimeChange& change) {
  switch (change.kind) {
    case TimeChange::Kind::omit:
      return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
    case TimeChange::Kind::now:
      return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
    case TimeChange::Kind::value:
      break;
  }
  return {.tv_sec = change.value.seconds, .tv_nsec = static_cast<long>(change.value.nanoseconds)};
}

}  // namespace

Status make_node(int directory, std::string_view name, mode_t mode, std::uint32_t major, std::uint32_t minor) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return status_from([&] { return ::mknodat(directory, child.get(), mode, gnu_dev_makedev(major, minor)); });
}

Status make_directory(int directory, std::string_view name, mode_t mode) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return status_from([&] { return ::mkdirat(directory, child.get(), mode); });
}

Status make_symlink(int directory, std::string_view name, std::string_view target) {
  const Name child(name);
  const CString text(target);
  LAMINA_TRY(child.check());
  LAMINA_TRY(text.check());
  return status_from([&] { return ::symlinkat(text.get(), directory, child.get()); });
}

Status link(int directory, std::string_view name, int new_directory, std::string_view new_name) {
  const Name from(name);
  const Name to(new_name);
  LAMINA_TRY(from.check());
  LAMINA_TRY(to.check());
  return status_from([&] { return ::linkat(directory, from.get(), new_directory, to.get(), 0); });
}

Status link_descriptor(int descriptor, int new_directory, std::string_view new_name) {
  const Name to(new_name);
  LAMINA_TRY(to.check());
  const Status linked = status_from([&] { return ::linkat(descriptor, "", new_directory, to.get(), AT_EMPTY_PATH); });
  // ENOENT: without CAP_DAC_READ_SEARCH only the way through /proc is open (linkat(2)).
  if (!linked.failed_with(ENOENT)) return linked;
  const DescriptorLink from(descriptor);
  return status_from([&] { return ::linkat(AT_FDCWD, from.path.data(), new_directory, to.get(), AT_SYMLINK_FOLLOW); });
}

Status unlink(int directory, std::string_view name) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return status_from([&] { return ::unlinkat(directory, child.get(), 0); });
}

Status remove_directory(int directory, std::string_view name) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return status_from([&] { return ::unlinkat(directory, child.get(), AT_REMOVEDIR); });
}

Status rename(int directory, std::string_view name, int new_directory, std::string_view new_name, unsigned flags) {
  const Name from(name);
  const Name to(new_name);
  LAMINA_TRY(from.check());
  LAMINA_TRY(to.check());
  return status_from([&] { return ::renameat2(directory, from.get(), new_directory, to.get(), flags); });
}

Result<std::string> read_link(int directory, std::string_view name) {
  const Name child(name);
  LAMINA_TRY(child.check());
  std::string target(256, '\0');
  while (true) {
    const ssize_t length = retry([&] { return ::readlinkat(directory, child.get(), target.data(), target.size()); });
    if (length < 0) return last_error();
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    target.resize(target.size() * 4);  // it may be truncated
  }
}

Status change_owner(int directory, std::string_view name, std::uint32_t uid, std::uint32_t gid) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return status_from([&] { return ::fchownat(directory, child.get(), uid, gid, no_follow(name)); });
}

Status change_mode(int directory, std::string_view name, mode_t mode) {
  const Name child(name);
  LAMINA_TRY(child.check());
  const Status changed =
      status_from([&] { return ::syscall(SYS_fchmodat2, directory, child.get(), mode, no_follow(name)); });
  return changed.failed_with(ENOSYS) ? change_mode_by_link(directory, name, mode) : changed;
}

Status change_times(int directory, std::string_view name, const TimeChange& atime, const TimeChange& mtime) {
  const Name child(name);
  LAMINA_TRY(child.check());
  const timespec times[2] = {timespec_of(atime), timespec_of(mtime)};
  return status_from([&] { return ::utimensat(directory, child.get(), times, no_follow(name)); });
}

void clear_umask() { (void)::umask(0); }

}  // namespace lamina::sys
