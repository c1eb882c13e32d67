#include "support/files.h"

#include <linux/capability.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>

namespace conformance {

void require(bool succeeded, const std::string& what) {
  if (!succeeded) throw std::system_error(errno, std::generic_category(), what);
}

FileDescriptor opened(const Path& path, int flags, mode_t mode) {
  const int number = ::open(path, flags | O_CLOEXEC, mode);
  require(number >= 0, "open " + path.text());
  return FileDescriptor(number);
}

long can_open(const Path& path, int flags) {
  const int number = ::open(path, flags);
  if (number >= 0) ::close(number);
  return number < 0 ? -1 : 0;
}

void make_file(const Path& path, std::string_view content, mode_t mode) {
  const FileDescriptor file = opened(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  append(file.get(), content);
  require(::fchmod(file.get(), mode) == 0, "fchmod " + path.text());
}

void make_directory(const Path& path, mode_t mode) {
  require(::mkdir(path, 0700) == 0, "mkdir " + path.text());
  require(::chmod(path, mode) == 0, "chmod " + path.text());
}

void make_symlink(const Path& path, const std::string& target) {
  require(::symlink(target.c_str(), path) == 0, "symlink " + path.text());
}

void make_link(const Path& existing, const Path& path) { require(::link(existing, path) == 0, "link " + path.text()); }

void set_xattr(const Path& path, const std::string& name, std::string_view value) {
  require(::lsetxattr(path, name.c_str(), value.data(), value.size(), 0) == 0,
          "setxattr " + name + " of " + path.text());
}

std::string contents(const Path& path) { return contents(opened(path, O_RDONLY).get()); }

std::string contents(int descriptor) {
  std::string all;
  std::string chunk(1 << 16, '\0');
  for (;;) {
    const ssize_t got = ::pread(descriptor, chunk.data(), chunk.size(), static_cast<off_t>(all.size()));
    require(got >= 0, "pread");
    if (got == 0) return all;
    all.append(chunk, 0, static_cast<std::size_t>(got));
  }
}

std::string link_target(const Path& path) {
  std::string target(8192, '\0');
  const ssize_t length = ::readlink(path, target.data(), target.size());
  require(length >= 0, "readlink " + path.text());
  target.resize(static_cast<std::size_t>(length));
  return target;
}

std::string xattr(const Path& path, const std::string& name) {
  std::string value(65536, '\0');
  const ssize_t length = ::lgetxattr(path, name.c_str(), value.data(), value.size());
  require(length >= 0, "getxattr " + name + " of " + path.text());
  value.resize(static_cast<std::size_t>(length));
  return value;
}

std::vector<std::string> xattr_names(const Path& path) {
  std::string list(65536, '\0');
  const ssize_t length = ::llistxattr(path, list.data(), list.size());
  require(length >= 0, "listxattr of " + path.text());
  std::vector<std::string> result;
  for (const char* at = list.data(); at < list.data() + length; at += result.back().size() + 1) result.emplace_back(at);
  std::sort(result.begin(), result.end());
  return result;
}

Stream open_stream(const Path& directory) {
  Stream stream(::opendir(directory), ::closedir);
  require(stream != nullptr, "opendir " + directory.text());
  return stream;
}

std::vector<std::string> names(const Path& directory) {
  const Stream stream = open_stream(directory);
  std::vector<std::string> result;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") result.push_back(name);
  }
  require(errno == 0, "readdir " + directory.text());
  std::sort(result.begin(), result.end());
  return result;
}

void append(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t put = ::write(descriptor, content.data(), content.size());
    require(put > 0, "write");
    content.remove_prefix(static_cast<std::size_t>(put));
  }
}

void overwrite(const Path& path, std::string_view content) { append(opened(path, O_WRONLY).get(), content); }

struct stat status(const Path& path) {
  struct stat result {};
  require(::lstat(path, &result) == 0, "lstat " + path.text());
  return result;
}

struct stat status(int descriptor) {
  struct stat result {};
  require(::fstat(descriptor, &result) == 0, "fstat");
  return result;
}

mode_t mode_bits(const Path& path) { return status(path).st_mode & 07777; }

ino_t inode(const Path& path) { return status(path).st_ino; }

bool exists(const Path& path) {
  struct stat ignored {};
  if (::lstat(path, &ignored) == 0) return true;
  require(errno == ENOENT, "lstat " + path.text());
  return false;
}

std::string a_capability() {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1U << CAP_NET_RAW;
  std::string bytes(XATTR_CAPS_SZ_2, '\0');
  std::memcpy(bytes.data(), &data, bytes.size());
  return bytes;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  std::size_t at = 0;
  for (; at + 4 <= size; at += 4) {
    const auto word = static_cast<std::uint32_t>(random());
    for (std::size_t byte = 0; byte < 4; ++byte) bytes[at + byte] = static_cast<char>((word >> (8 * byte)) & 0xff);
  }
  for (; at < size; ++at) bytes[at] = static_cast<char>(random() & 0xff);
  return bytes;
}

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool before(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

void let_time_pass() {
  // CLOCK_REALTIME_COARSE, which stamps files, moves at least every 10 ms (CONFIG_HZ=100).
  ::usleep(12'000);
}

void drop_caches() {
  const FileDescriptor control = opened(Path("/proc/sys/vm/drop_caches"), O_WRONLY);
  append(control.get(), "2");
}

void for_each_in_tree(const Path& root, const std::function<void(const Path&, const struct stat&)>& visit) {
  const struct stat found = status(root);
  visit(root, found);
  if (!S_ISDIR(found.st_mode)) return;
  for (const std::string& name : names(root)) for_each_in_tree(root / name, visit);
}

void remove_tree(const Path& path) {
  if (S_ISDIR(status(path).st_mode)) {
    for (const std::string& name : names(path)) remove_tree(path / name);
    require(::rmdir(path) == 0, "rmdir " + path.text());
  } else {
    require(::unlink(path) == 0, "unlink " + path.text());
  }
}

}  // namespace conformance
