// Making and looking at files. What is not the point of a test throws std::system_error, which fails the test.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/path.h"
#include "sys/file_descriptor.h"

namespace conformance {

using lamina::sys::FileDescriptor;

// Throws std::system_error of errno unless `succeeded`.
void require(bool succeeded, const std::string& what);

FileDescriptor opened(const Path& path, int flags, mode_t mode = 0644);
long can_open(const Path& path, int flags);  // opens and closes; the outcome of the open

void make_file(const Path& path, std::string_view content = "", mode_t mode = 0644);
void make_directory(const Path& path, mode_t mode = 0755);
void make_symlink(const Path& path, const std::string& target);
void make_link(const Path& existing, const Path& path);
void set_xattr(const Path& path, const std::string& name, std::string_view value);  // of the link itself

std::string contents(const Path& path);
std::string contents(int descriptor);  // from offset 0, without moving the position
std::string link_target(const Path& path);
std::string xattr(const Path& path, const std::string& name);  // of the link itself
std::vector<std::string> xattr_names(const Path& path);        // sorted; of the link itself
std::vector<std::string> names(const Path& directory);         // sorted, without "." and ".."
void append(int descriptor, std::string_view content);         // write(2) of all of it
void overwrite(const Path& path, std::string_view content);    // at offset 0, without truncation

using Stream = std::unique_ptr<DIR, int (*)(DIR*)>;
Stream open_stream(const Path& directory);

struct stat status(const Path& path);  // lstat
struct stat status(int descriptor);
mode_t mode_bits(const Path& path);  // with setuid, setgid and sticky
ino_t inode(const Path& path);
bool exists(const Path& path);  // by lstat; anything but ENOENT throws

// A value of security.capability: cap_net_raw=ep, as setcap(8) writes it.
std::string a_capability();

// Deterministic bytes that differ between seeds.
std::string pattern(std::size_t size, unsigned seed = 1);

bool same_time(const timespec& a, const timespec& b);
bool before(const timespec& a, const timespec& b);
// Waits until a new timestamp of the file system differs from any that was given before (the kernel's tick).
void let_time_pass();

// Asks the kernel to forget unused dentries and inodes.
void drop_caches();

void remove_tree(const Path& path);
void for_each_in_tree(const Path& root, const std::function<void(const Path&, const struct stat&)>& visit);

}  // namespace conformance
