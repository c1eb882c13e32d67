// Many files made in one call: a call from JavaScript costs more than making a small one.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "addon/content_hash.h"
#include "addon/syscalls.h"
#include "sys/file_descriptor.h"

namespace lamina::addon {

using sys::Errno;
using sys::last_error;
using sys::Result;

namespace {

static_assert(std::endian::native == std::endian::little, "requests and answers are as they lie in memory");

// A file to be made; its path and then its attributes follow, each attribute as read_xattrs gives it.
struct Request {
  std::uint32_t path_length, attributes_length, content_length, mode;
  std::uint32_t set_owner, uid, gid, modification_ns;
  std::int64_t modification;
};
static_assert(sizeof(Request) == 40);

// What failed: src/platform/native/write-files.ts names the system call.
enum class Step : std::uint64_t { open = 1, write, owner, attribute, mode, times };

struct Failure {
  Step step;
  int error;
};

// Gives nothing where the bytes end before they should: who made them counts differently.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool at_end() const { return bytes_.empty(); }

  std::optional<std::string_view> take(std::size_t size) {
    if (size > bytes_.size()) return std::nullopt;
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  template <typename T>
  bool read(T& into) {
    const auto bytes = take(sizeof into);
    if (bytes) std::memcpy(&into, bytes->data(), sizeof into);
    return bytes.has_value();
  }

 private:
  std::string_view bytes_;
};

struct File {
  Request request{};
  std::string path;
  std::string_view attributes;
  std::string_view content;
};

std::optional<File> next_file(Reader& requests, Reader& contents) {
  File file;
  if (!requests.read(file.request)) return std::nullopt;
  const auto path = requests.take(file.request.path_length);
  const auto attributes = requests.take(file.request.attributes_length);
  const auto content = contents.take(file.request.content_length);
  if (!path || !attributes || !content) return std::nullopt;
  file.path = *path;
  file.attributes = *attributes;
  file.content = *content;
  return file;
}

bool write_fully(int to, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(to, data.data(), data.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) data.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// The kernel applies an access list's bits to the mode, and chmod(2) changes the list: so it is set last.
constexpr std::string_view access_list = "system.posix_acl_access";

// Sets the attributes that are the access list, or those that are not.
bool set_attributes(int descriptor, std::string_view packed, bool list) {
  Reader reader(packed);
  while (!reader.at_end()) {
    std::uint32_t name_length = 0;
    std::uint32_t value_length = 0;
    if (!reader.read(name_length) || !reader.read(value_length)) return errno = EINVAL, false;
    const auto name = reader.take(name_length);
    const auto value = reader.take(value_length);
    if (!name || !value) return errno = EINVAL, false;
    if ((*name == access_list) != list) continue;
    if (::fsetxattr(descriptor, std::string(*name).c_str(), value->data(), value->size(), 0) != 0) return false;
  }
  return true;
}

// The order is the kernel's: writing and a change of owner clear set-user-ID and capabilities, some attributes need a
// mode that permits writing, and all of these change times.
std::optional<Failure> set_all(int descriptor, const File& file) {
  const auto& request = file.request;
  const auto failed = [](Step step) { return Failure{step, errno}; };
  if (request.set_owner != 0 && ::fchown(descriptor, request.uid, request.gid) != 0) return failed(Step::owner);
  if (!set_attributes(descriptor, file.attributes, false)) return failed(Step::attribute);
  if (::fchmod(descriptor, request.mode & 07777U) != 0) return failed(Step::mode);
  if (!set_attributes(descriptor, file.attributes, true)) return failed(Step::attribute);
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                             {.tv_sec = request.modification, .tv_nsec = static_cast<long>(request.modification_ns)}};
  if (::futimens(descriptor, times) != 0) return failed(Step::times);
  return std::nullopt;
}

std::optional<Failure> write_file(const File& file, FileHash& hash) {
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const sys::FileDescriptor descriptor(::open(file.path.c_str(), flags, 0600));
  if (descriptor.get() < 0) return Failure{Step::open, errno};
  ContentHash content({.blake3 = true, .xxh64 = false});
  if (!write_fully(descriptor.get(), file.content)) return Failure{Step::write, errno};
  content.add(file.content.data(), file.content.size());
  hash = content.result();
  return set_all(descriptor.get(), file);
}

}  // namespace

Result<std::string> write_files(std::string_view requests, std::string_view contents) {
  std::string answer;
  Reader content(contents);
  for (Reader reader(requests); !reader.at_end();) {
    const auto file = next_file(reader, content);
    if (!file) return Errno{EINVAL};
    FileHash hash;
    const auto failure = write_file(*file, hash);
    if (failure) hash = {.error = static_cast<std::uint64_t>(failure->error), .xxh64 = std::uint64_t(failure->step)};
    char bytes[sizeof hash];
    std::memcpy(bytes, &hash, sizeof hash);
    answer.append(bytes, sizeof bytes);
    if (failure) return answer;
  }
  return answer;
}

}  // namespace lamina::addon
