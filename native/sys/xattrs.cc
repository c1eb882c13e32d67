#include "sys/xattrs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "sys/c_string.h"
#include "sys/open.h"
#include "sys/retry.h"

// Kernel 6.13 and newer.
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif

namespace lamina::sys {

namespace {

// struct xattr_args of the kernel's linux/xattr.h
struct XattrArguments {
  std::uint64_t value = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(XattrArguments) == 16);

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// False once the kernel has answered ENOSYS to a *xattrat call.
std::atomic<bool> have_xattrat{true};

// A call by one of three ways: `by_name` (*xattrat, of a directory's child), `by_descriptor` (f*xattr) and `by_path`,
// which follows the last symlink and gets a /proc/self/fd link: for an O_PATH descriptor that is the file itself, even
// a symlink.
template <typename ByName, typename ByDescriptor, typename ByPath>
auto reach(int directory, const Name& name, ByName by_name, ByDescriptor by_descriptor, ByPath by_path)
    -> decltype(by_name("")) {
  const auto through_link = [&](int descriptor) {
    std::array<char, 32> path = {};
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", descriptor);
    return retry([&] { return by_path(path.data()); });
  };
  if (*name.get() == '\0') {
    const auto result = retry([&] { return by_descriptor(directory); });
    return result < 0 && errno == EBADF ? through_link(directory) : result;  // EBADF: O_PATH
  }
  if (have_xattrat.load(std::memory_order_relaxed)) {
    const auto result = retry([&] { return by_name(name.get()); });
    if (result >= 0 || errno != ENOSYS) return result;
    have_xattrat.store(false, std::memory_order_relaxed);
  }
  const auto child = open_child(directory, name.get(), O_PATH);
  if (child.ok()) return through_link(child->get());
  errno = child.error().value;
  return -1;
}

ssize_t get_once(int directory, const Name& name, const char* attribute, void* buffer, std::size_t size) {
  return reach(
      directory, name,
      [&](const char* child) -> ssize_t {
        const XattrArguments arguments{address(buffer), static_cast<std::uint32_t>(size), 0};
        return ::syscall(SYS_getxattrat, directory, child, AT_SYMLINK_NOFOLLOW, attribute, &arguments,
                         sizeof(arguments));
      },
      [&](int descriptor) { return ::fgetxattr(descriptor, attribute, buffer, size); },
      [&](const char* path) { return ::getxattr(path, attribute, buffer, size); });
}

ssize_t list_once(int directory, const Name& name, char* buffer, std::size_t size) {
  return reach(
      directory, name,
      [&](const char* child) -> ssize_t {
        return ::syscall(SYS_listxattrat, directory, child, AT_SYMLINK_NOFOLLOW, buffer, size);
      },
      [&](int descriptor) { return ::flistxattr(descriptor, buffer, size); },
      [&](const char* path) { return ::listxattr(path, buffer, size); });
}

// Reads the result of `call(buffer, size)`, into a buffer on the stack first: most attributes are small.
template <typename Container, typename Call>
Result<Container> read_growing(Call call) {
  using Element = typename Container::value_type;
  std::array<Element, 256> small;  // NOLINT(cppcoreguidelines-pro-type-member-init): read up to `length` only
  ssize_t length = call(small.data(), small.size());
  if (length >= 0) return Container(small.begin(), small.begin() + length);
  Container large;
  while (errno == ERANGE) {
    const ssize_t wanted = call(nullptr, 0);
    if (wanted < 0) return last_error();
    large.resize(static_cast<std::size_t>(wanted) + 1);  // it may grow between the two calls
    length = call(large.data(), large.size());
    if (length < 0) continue;
    large.resize(static_cast<std::size_t>(length));
    return large;
  }
  return last_error();
}

}  // namespace

Result<std::vector<std::byte>> get_xattr(int directory, std::string_view name, std::string_view attribute) {
  const Name child(name);
  const CString key(attribute);
  LAMINA_TRY(child.check());
  LAMINA_TRY(key.check());
  return read_growing<std::vector<std::byte>>(
      [&](std::byte* buffer, std::size_t size) { return get_once(directory, child, key.get(), buffer, size); });
}

Result<std::string> list_xattrs(int directory, std::string_view name) {
  const Name child(name);
  LAMINA_TRY(child.check());
  auto names = read_growing<std::string>(
      [&](char* buffer, std::size_t size) { return list_once(directory, child, buffer, size); });
  if (names.failed_with(EOPNOTSUPP)) return std::string();
  return names;
}

Status set_xattr(int directory, std::string_view name, std::string_view attribute, std::span<const std::byte> value,
                 int flags) {
  const Name child(name);
  const CString key(attribute);
  LAMINA_TRY(child.check());
  LAMINA_TRY(key.check());
  if (value.size() > XATTR_SIZE_MAX) return Errno{E2BIG};
  const auto result = reach(
      directory, child,
      [&](const char* path) -> long {
        const XattrArguments arguments{address(value.data()), static_cast<std::uint32_t>(value.size()),
                                       static_cast<std::uint32_t>(flags)};
        return ::syscall(SYS_setxattrat, directory, path, AT_SYMLINK_NOFOLLOW, key.get(), &arguments,
                         sizeof(arguments));
      },
      [&](int descriptor) -> long { return ::fsetxattr(descriptor, key.get(), value.data(), value.size(), flags); },
      [&](const char* path) -> long { return ::setxattr(path, key.get(), value.data(), value.size(), flags); });
  if (result < 0) return last_error();
  return {};
}

Status remove_xattr(int directory, std::string_view name, std::string_view attribute) {
  const Name child(name);
  const CString key(attribute);
  LAMINA_TRY(child.check());
  LAMINA_TRY(key.check());
  const auto result = reach(
      directory, child,
      [&](const char* path) -> long {
        return ::syscall(SYS_removexattrat, directory, path, AT_SYMLINK_NOFOLLOW, key.get());
      },
      [&](int descriptor) -> long { return ::fremovexattr(descriptor, key.get()); },
      [&](const char* path) -> long { return ::removexattr(path, key.get()); });
  if (result < 0) return last_error();
  return {};
}

Status copy_xattrs(int from, int to, const XattrFilter& wanted) {
  LAMINA_ASSIGN(const std::string names, list_xattrs(from, {}));
  Status status;
  for_each_name(names, [&](std::string_view attribute) {
    if (!status.ok() || !wanted(attribute)) return;
    const auto value = get_xattr(from, {}, attribute);
    if (value.failed_with(ENODATA)) return;  // removed since it was listed
    status = value.ok() ? set_xattr(to, {}, attribute, *value) : Status(value.error());
  });
  return status;
}

bool may_set_trusted_xattrs() {
  const FileDescriptor file(::memfd_create("trusted", MFD_CLOEXEC));
  if (!file.valid()) return ::geteuid() == 0;
  return ::fsetxattr(file.get(), "trusted.lamina", "", 0, 0) == 0 || errno != EPERM;
}

}  // namespace lamina::sys
