#include "sys/directory.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <memory>

#include "sys/retry.h"

namespace lamina::sys {

namespace {

constexpr std::size_t buffer_size = std::size_t{64} * 1024;

// struct linux_dirent64 of getdents64(2): u64 ino, i64 offset, u16 record length, u8 type, name ended by NUL.
constexpr std::size_t length_offset = 16;
constexpr std::size_t type_offset = 18;
constexpr std::size_t name_offset = 19;

Status report(const char* record, const std::function<Status(const DirectoryRecord&)>& each) {
  DirectoryRecord found;
  found.name = record + name_offset;
  if (found.name == "." || found.name == "..") return {};
  std::memcpy(&found.ino, record, sizeof(found.ino));
  found.type = static_cast<std::uint32_t>(DTTOIF(static_cast<unsigned char>(record[type_offset])));
  return each(found);
}

}  // namespace

Status read_directory(int directory, const std::function<Status(const DirectoryRecord&)>& each) {
  if (::lseek(directory, 0, SEEK_SET) < 0) return last_error();
  const auto buffer = std::make_unique<char[]>(buffer_size);
  while (true) {
    const long length = retry([&] { return ::syscall(SYS_getdents64, directory, buffer.get(), buffer_size); });
    if (length < 0) return last_error();
    if (length == 0) return {};
    for (long at = 0; at < length;) {
      const char* record = buffer.get() + at;
      std::uint16_t size = 0;
      std::memcpy(&size, record + length_offset, sizeof(size));
      LAMINA_TRY(report(record, each));
      at += size;
    }
  }
}

Result<std::vector<std::string>> names_in(int directory) {
  std::vector<std::string> names;
  LAMINA_TRY(read_directory(directory, [&](const DirectoryRecord& each) -> Status {
    names.emplace_back(each.name);
    return {};
  }));
  return names;
}

}  // namespace lamina::sys
