#include "sandbox/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/devices.h"
#include "sandbox/message.h"
#include "sandbox/mounts.h"
#include "sandbox/process-files.h"

namespace lamina::sandbox {
namespace {

constexpr std::uint64_t plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// What a sandbox makes before it has its root.
struct Own {
  int process_files = -1;
  std::vector<int> empty_files;
  // As in Spec.
  std::vector<int> covers;
  bool users = false;
};

bool is_directory(int file) {
  struct stat status = {};
  if (fstat(file, &status) != 0) fail("cannot look at what the sandbox mounts");
  return S_ISDIR(status.st_mode);
}

dev_t device_of(int file) {
  struct stat status = {};
  if (fstat(file, &status) != 0) fail("cannot look at the root");
  return status.st_dev;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

int open_directory(int root, const std::string& path) {
  return path.empty() ? dup(root) : open_beneath(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

// Makes what is missing of a path, but never in the root itself.
int make_directories(int root, const std::string& path) {
  const int there = open_directory(root, path);
  if (there >= 0) return there;
  if (errno != ENOENT || path.empty()) fail("cannot mount at /" + path);
  const int parent = make_directories(root, parent_of(path));
  if (device_of(parent) == device_of(root)) fail("cannot mount at /" + path, ENOENT);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (mkdirat(parent, name.c_str(), 0755) != 0) fail("cannot make /" + path);
  close(parent);
  const int made = open_directory(root, path);
  if (made < 0) fail("cannot open /" + path);
  return made;
}

void mount_place(const Spec& spec, const Place& place, const Taken& taken, const Own& own) {
  const int at = make_directories(taken.root, place.path);
  switch (place.kind) {
    case Place::Kind::proc:
      mount_process_files(own.process_files, at, own.empty_files, spec.bounds.processes, own.users);
      break;
    case Place::Kind::dev:
      mount_devices(at, taken.nodes, spec.shm_size);
      break;
    case Place::Kind::run:
      attach(new_mount("tmpfs", {{"size", place.size}, {"mode", "0755"}}, plain), at, "/run");
      break;
    case Place::Kind::tmp:
      attach(new_mount("tmpfs", {{"size", place.size}, {"mode", "1777"}}, plain), at, "/tmp");
      break;
  }
  close(at);
}

void show(int root, const Shown& shown, int mount) {
  const int directory = make_directories(root, parent_of(shown.path));
  const std::string name = shown.path.substr(shown.path.rfind('/') + 1);
  const bool whole = is_directory(mount);
  const int done = whole ? mkdirat(directory, name.c_str(), 0755) : mknodat(directory, name.c_str(), S_IFREG | 0444, 0);
  if (done != 0) fail("cannot make /" + shown.path);
  const int place = open_beneath(directory, name, O_PATH | O_NOFOLLOW);
  if (place < 0) fail("cannot open /" + shown.path);
  attach(mount, place, shown.path.c_str());
  close(place);
  close(directory);
}

void cover(int root, const Content& cover, int mount) {
  const int place = open_beneath(root, cover.path, O_PATH | O_NOFOLLOW);
  if (place < 0) fail("cannot open /" + cover.path);
  attach(mount, place, cover.path.c_str());
  close(place);
}

void make_private() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) fail("cannot keep mounts from the host");
}

// The old root covers the new one for a moment, and is unmounted with all below it.
void change_root(int root) {
  const int before = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0) fail("cannot open /");
  attach(root, before, "the root");
  if (fchdir(root) != 0) fail("cannot enter the root");
  if (syscall(SYS_pivot_root, ".", ".") != 0) fail("cannot change the root");
  if (fchdir(before) != 0) fail("cannot leave the host's root");
  if (umount2(".", MNT_DETACH) != 0) fail("cannot unmount the host's root");
  if (chdir("/") != 0) fail("cannot enter the root");
  close(before);
}

}  // namespace

Taken take(const Spec& spec, bool as_root) {
  make_private();
  Taken taken;
  taken.root = clone_of(AT_FDCWD, spec.root.c_str(), true);
  set_attributes(taken.root, spec.gains_privileges ? MOUNT_ATTR_NODEV : plain, true, "the root");
  taken.nodes = take_nodes(as_root);
  for (const Shown& shown : spec.shown) {
    const int mount = clone_of(AT_FDCWD, shown.from.c_str(), false);
    set_attributes(mount, plain | MOUNT_ATTR_RDONLY, false, shown.path.c_str());
    taken.shown.push_back(mount);
  }
  return taken;
}

void enter_root(const Spec& spec, const Taken& taken, bool own_users) {
  make_private();
  Own own = {new_process_files(), file_in_memory("", most_hidden()), {}, own_users};
  for (const Content& content : spec.covers) own.covers.push_back(file_in_memory(content.content, 1).front());
  change_root(taken.root);
  for (const Place& place : spec.places) mount_place(spec, place, taken, own);
  close(own.process_files);
  for (const int file : own.empty_files) close(file);
  for (std::size_t i = 0; i < spec.shown.size(); ++i) show(taken.root, spec.shown[i], taken.shown[i]);
  for (std::size_t i = 0; i < spec.covers.size(); ++i) cover(taken.root, spec.covers[i], own.covers[i]);
}

}  // namespace lamina::sandbox
