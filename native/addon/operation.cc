#include "addon/operation.h"

#include <array>

#include "addon/globs.h"
#include "addon/mounts.h"

namespace lamina::addon {

using sys::Result;
using sys::Status;

namespace {

Result<Value> value_of(const Status& status) {
  if (!status.ok()) return status.error();
  return Value{};
}

template <typename T>
Result<Value> value_of(Result<T> result) {
  if (!result.ok()) return result.error();
  return Value{std::move(*result)};
}

int number(const Arguments& arguments, std::size_t index) { return static_cast<int>(arguments.numbers[index]); }

Result<Value> run_set_xattr(const Arguments& a) {
  return value_of(set_xattr(a.targets[0], a.strings[0], a.strings[1], number(a, 0)));
}

Result<Value> run_make_node(const Arguments& a) {
  return value_of(make_node(a.strings[0], static_cast<mode_t>(a.numbers[0]), static_cast<std::uint32_t>(a.numbers[1]),
                            static_cast<std::uint32_t>(a.numbers[2])));
}

Result<Value> run_rename(const Arguments& a) {
  return value_of(rename_with_flags(a.strings[0], a.strings[1], static_cast<unsigned>(a.numbers[0])));
}

// Numbers: which times to set (1 access, 2 modification), then seconds and nanoseconds of both.
Result<Value> run_set_times(const Arguments& a) {
  constexpr std::int64_t second = 1'000'000'000;  // UTIME_NOW and UTIME_OMIT are above it
  if (a.numbers[2] < 0 || a.numbers[2] >= second || a.numbers[4] < 0 || a.numbers[4] >= second)
    return sys::Errno{EINVAL};
  const auto time = [&](std::size_t index) {
    return FileTime{.seconds = a.numbers[index], .nanoseconds = static_cast<std::uint32_t>(a.numbers[index + 1])};
  };
  Times times;
  if ((a.numbers[0] & 1) != 0) times.access = time(1);
  if ((a.numbers[0] & 2) != 0) times.modification = time(3);
  return value_of(set_times(a.targets[0], times));
}

// The number: 1 BLAKE3, 2 xxh64, or both.
Result<Value> run_hash_files(const Arguments& a) {
  return Value{hash_files(a.strings[0], {.blake3 = (a.numbers[0] & 1) != 0, .xxh64 = (a.numbers[0] & 2) != 0})};
}

Result<Value> run_mount(const Arguments& a) {
  return value_of(mount_file_system({.source = a.strings[0],
                                     .target = a.strings[1],
                                     .type = a.strings[2],
                                     .data = a.strings[3],
                                     .flags = static_cast<unsigned long>(a.numbers[0])}));
}

Result<Value> run_configure_descriptor(const Arguments& a) {
  return value_of(configure_descriptor(number(a, 0), a.strings[0], number(a, 1)));
}

Result<Value> run_make_mount(const Arguments& a) {
  return value_of(make_mount(number(a, 0), static_cast<unsigned>(a.numbers[1])));
}

constexpr std::array table{
    Operation{"getXattr", "ts", [](const Arguments& a) { return value_of(get_xattr(a.targets[0], a.strings[0])); }},
    Operation{"listXattrs", "t", [](const Arguments& a) { return value_of(list_xattrs(a.targets[0])); }},
    Operation{"readXattrs", "t", [](const Arguments& a) { return value_of(read_xattrs(a.targets[0])); }},
    Operation{"setXattr", "tsbi", run_set_xattr},
    Operation{"removeXattr", "ts",
              [](const Arguments& a) { return value_of(remove_xattr(a.targets[0], a.strings[0])); }},
    Operation{"mknod", "siii", run_make_node},
    Operation{"rename", "ssi", run_rename},
    Operation{"unlinkFiles", "s", [](const Arguments& a) { return value_of(unlink_files(a.strings[0])); }},
    Operation{"removeBelow", "s", [](const Arguments& a) { return value_of(remove_below(a.strings[0])); }},
    Operation{"setTimes", "tiiiii", run_set_times},
    Operation{"cloneFile", "ii", [](const Arguments& a) { return value_of(clone_file(number(a, 0), number(a, 1))); }},
    Operation{"copyFileData", "ii",
              [](const Arguments& a) { return value_of(copy_file_data(number(a, 0), number(a, 1))); }},
    Operation{"hashFiles", "bi", run_hash_files},
    Operation{"hashBytes", "v", [](const Arguments& a) -> Result<Value> { return Value{hash_bytes(a.views)}; }},
    Operation{"readAhead", "bi",
              [](const Arguments& a) -> Result<Value> { return Value{read_ahead(a.strings[0], a.numbers[0])}; }},
    Operation{"readInodes", "b", [](const Arguments& a) -> Result<Value> { return Value{read_inodes(a.strings[0])}; }},
    Operation{"readEntries", "sbi",
              [](const Arguments& a) -> Result<Value> {
                return Value{read_entries(a.strings[0], a.strings[1], number(a, 0) != 0)};
              }},
    Operation{"writeFiles", "bv", [](const Arguments& a) { return value_of(write_files(a.strings[0], a.views[0])); }},
    Operation{"globFault", "b", [](const Arguments& a) -> Result<Value> { return Value{glob_fault(a.strings[0])}; }},
    Operation{"matchGlobs", "bb", [](const Arguments& a) { return value_of(match_globs(a.strings[0], a.strings[1])); }},
    Operation{"flock", "ii", [](const Arguments& a) { return value_of(lock_file(number(a, 0), number(a, 1))); }},
    Operation{"syncFileSystem", "i", [](const Arguments& a) { return value_of(sync_file_system(number(a, 0))); }},
    Operation{"closeOnExec", "i", [](const Arguments& a) { return value_of(close_on_exec(number(a, 0))); }},
    Operation{"isForeground", "i", [](const Arguments& a) { return value_of(is_foreground(number(a, 0))); }},
    Operation{"peerUser", "i", [](const Arguments& a) { return value_of(peer_user(number(a, 0))); }},
    Operation{"execute", "sb", [](const Arguments& a) { return value_of(execute(a.strings[0], a.strings[1])); }},
    Operation{"mount", "ssssi", run_mount},
    Operation{"openFileSystem", "s", [](const Arguments& a) { return value_of(open_file_system(a.strings[0])); }},
    Operation{"pickFileSystem", "i", [](const Arguments& a) { return value_of(pick_file_system(number(a, 0))); }},
    Operation{"configureFlag", "is",
              [](const Arguments& a) { return value_of(configure_flag(number(a, 0), a.strings[0])); }},
    Operation{"configureText", "iss",
              [](const Arguments& a) { return value_of(configure_text(number(a, 0), a.strings[0], a.strings[1])); }},
    Operation{"configureDescriptor", "isi", run_configure_descriptor},
    Operation{"createFileSystem", "i", [](const Arguments& a) { return value_of(create_file_system(number(a, 0))); }},
    Operation{"reconfigureFileSystem", "i",
              [](const Arguments& a) { return value_of(reconfigure_file_system(number(a, 0))); }},
    Operation{"makeMount", "ii", run_make_mount},
    Operation{"attachMount", "ii",
              [](const Arguments& a) { return value_of(attach_mount(number(a, 0), number(a, 1))); }},
    Operation{"unmount", "si", [](const Arguments& a) { return value_of(unmount(a.strings[0], number(a, 0))); }},
};

}  // namespace

std::span<const Operation> operations() { return table; }

}  // namespace lamina::addon
