#include "sandbox/devices.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox/message.h"
#include "sandbox/mounts.h"

namespace lamina::sandbox {
namespace {

constexpr mode_t everybody = 0666;
constexpr mode_t readable = 0444;
constexpr std::size_t page_bytes = 4096;
// Every file in a device directory counts as an inode, and as memory.
constexpr char device_bytes[] = "1m";
constexpr char device_inodes[] = "4096";
// The mount point of short-lived mounts of a sandbox's maker: any directory will do, in its own mount namespace.
constexpr char workplace[] = "/proc";

int make_file_system(const MountOptions& options, std::uint64_t attributes) {
  const int mount = new_mount("tmpfs", options, attributes);
  const int place = open(workplace, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) fail(std::string("cannot open ") + workplace);
  attach(mount, place, "a file system for device nodes");
  close(place);
  return mount;
}

// Cloned mounts keep the file system alive, whose root is not mounted any more.
void leave_file_system(int mount) {
  if (umount2(workplace, MNT_DETACH) != 0) fail("cannot unmount the file system for device nodes");
  close(mount);
}

std::vector<int> make_nodes() {
  const int directory = make_file_system({{"size", "64k"}, {"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  std::vector<int> nodes;
  for (const Node& node : device_nodes()) {
    const std::string what = std::string("cannot make the device node ") + node.name;
    if (mknodat(directory, node.name, S_IFCHR | everybody, makedev(node.major, node.minor)) != 0) fail(what);
    if (fchmodat(directory, node.name, everybody, 0) != 0) fail(what);
    nodes.push_back(clone_of(directory, node.name, false));
  }
  leave_file_system(directory);
  return nodes;
}

void make_link(int directory, const char* target, const char* name) {
  if (symlinkat(target, directory, name) != 0) fail(std::string("cannot make the link ") + name + " of /dev");
}

void mount_within(int directory, const char* name, int mount) {
  if (mkdirat(directory, name, 0755) != 0) fail(std::string("cannot make /dev/") + name);
  const int place = open_beneath(directory, name, O_PATH | O_DIRECTORY);
  if (place < 0) fail(std::string("cannot open /dev/") + name);
  attach(mount, place, name);
  close(place);
}

void show_node(int directory, const char* name, int mount) {
  const int made = openat(directory, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, readable);
  if (made < 0) fail(std::string("cannot make /dev/") + name);
  attach(mount, made, name);
  close(made);
}

int new_terminals() {
  constexpr std::uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  MountOptions options = {{"ptmxmode", "0666"}, {"mode", "0620"}};
  // The group `tty` has this number everywhere. With a single user there is no such group.
  if (setegid(5) == 0) {
    if (setegid(0) != 0) fail("cannot set the group back");
    options.emplace_back("gid", "5");
  }
  return new_mount("devpts", options, attributes);
}

}  // namespace

const std::vector<Node>& device_nodes() {
  // Documentation/admin-guide/devices.txt of the kernel.
  static const std::vector<Node> nodes = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                                          {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  return nodes;
}

std::vector<int> take_nodes(bool make) {
  if (make) return make_nodes();
  std::vector<int> nodes;
  for (const Node& node : device_nodes())
    nodes.push_back(clone_of(AT_FDCWD, (std::string("/dev/") + node.name).c_str(), false));
  return nodes;
}

void give_nodes(const std::vector<int>& nodes, uid_t owner) {
  for (const int node : nodes)
    if (fchownat(node, "", owner, owner, AT_EMPTY_PATH) != 0) fail("cannot set the owner of a device node");
}

std::vector<int> file_in_memory(const std::string& content, std::size_t mounts) {
  constexpr char name[] = "file";
  const std::string size = std::to_string(content.size() + page_bytes);
  const int directory = make_file_system({{"size", size}, {"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  const int file = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0 || write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    fail("cannot make a file in memory");
  if (fchmod(file, 0644) != 0) fail("cannot set the mode of a file in memory");
  close(file);
  std::vector<int> shown;
  for (std::size_t i = 0; i < mounts; ++i) {
    shown.push_back(clone_of(directory, name, false));
    set_attributes(shown.back(), MOUNT_ATTR_RDONLY, false, "a file in memory");
  }
  leave_file_system(directory);
  return shown;
}

void mount_devices(int place, const std::vector<int>& nodes, const std::string& shm_size) {
  constexpr std::uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const MountOptions options = {{"size", device_bytes}, {"nr_inodes", device_inodes}, {"mode", "0755"}};
  const int directory = new_mount("tmpfs", options, attributes);
  attach(directory, place, "/dev");
  for (std::size_t i = 0; i < nodes.size(); ++i) show_node(directory, device_nodes()[i].name, nodes[i]);
  mount_within(directory, "pts", new_terminals());
  mount_within(directory, "shm", new_mount("tmpfs", {{"size", shm_size}, {"mode", "1777"}}, attributes));
  make_link(directory, "pts/ptmx", "ptmx");
  make_link(directory, "/proc/self/fd", "fd");
  make_link(directory, "/proc/self/fd/0", "stdin");
  make_link(directory, "/proc/self/fd/1", "stdout");
  make_link(directory, "/proc/self/fd/2", "stderr");
  make_link(directory, "/proc/kcore", "core");
  close(directory);
}

}  // namespace lamina::sandbox
