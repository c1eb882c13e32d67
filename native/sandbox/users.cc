#include "sandbox/users.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "sandbox/id-range.h"
#include "sandbox/message.h"
#include "sandbox/mounts.h"
#include "sandbox/text-file.h"

namespace lamina::sandbox {
namespace {

std::string file_of(pid_t process, const char* name) { return "/proc/" + std::to_string(process) + "/" + name; }

void write_file(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    fail("cannot write " + path);
  close(file);
}

std::string mapping(unsigned outside, unsigned count) {
  return "0 " + std::to_string(outside) + " " + std::to_string(count) + "\n";
}

}  // namespace

bool is_machines_root() {
  unsigned inside = 1;
  unsigned outside = 1;
  unsigned count = 0;
  const std::string map = text_of("/proc/self/uid_map");
  if (sscanf(map.c_str(), "%u %u %u", &inside, &outside, &count) != 3) fail("cannot read /proc/self/uid_map");
  return geteuid() == 0 && inside == 0 && outside == 0 && count == ~0u;
}

void give_one_user(pid_t process) {
  write_file(file_of(process, "uid_map"), mapping(geteuid(), 1));
  // A map of groups requires that setgroups(2) is denied first.
  write_file(file_of(process, "setgroups"), "deny");
  write_file(file_of(process, "gid_map"), mapping(getegid(), 1));
}

bool give_range(pid_t process, uid_t first, const Taken& taken) {
  write_file(file_of(process, "uid_map"), mapping(first, IdRange::count));
  write_file(file_of(process, "gid_map"), mapping(first, IdRange::count));
  const int users = open(file_of(process, "ns/user").c_str(), O_RDONLY | O_CLOEXEC);
  if (users < 0) fail("cannot open the user namespace of the sandbox");
  const bool mapped = map_owners(taken.root, users);
  close(users);
  return mapped;
}

}  // namespace lamina::sandbox
