#include "sandbox/enter.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/message.h"
#include "sandbox/pipes.h"
#include "sandbox/text-file.h"

namespace lamina::sandbox {
namespace {

// How often the holder checks for remaining users, in seconds.
constexpr unsigned look_again = 20;
constexpr char holder_name[] = "lamina-users";

struct Namespaces {
  int users = -1;
  int mounts = -1;
};

// When a process began, which distinguishes it from a later one of the same number (proc(5), /proc/PID/stat,
// starttime).
std::string start_of(pid_t process) {
  const std::string text = text_of("/proc/" + std::to_string(process) + "/stat");
  // The name in parentheses may have anything in it.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string field;
  constexpr int start_after_name = 20;
  for (int i = 0; i < start_after_name; ++i) fields >> field;
  return fields ? field : "";
}

int open_namespace(pid_t process, const char* kind) {
  return open(("/proc/" + std::to_string(process) + "/ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC);
}

bool is_ours(int users) {
  uid_t owner = 0;
  return ioctl(users, NS_GET_OWNER_UID, &owner) == 0 && owner == getuid();
}

// Whoever may write the state could keep its lock, or choose what is written over.
bool is_private(int state) {
  struct stat status = {};
  if (fstat(state, &status) != 0) fail("cannot read the state of the user namespace");
  return S_ISREG(status.st_mode) && status.st_uid == getuid() && status.st_nlink == 1 && (status.st_mode & 022) == 0;
}

// Of the process that the state names; empty where that has ended.
Namespaces held(int state) {
  char text[64] = {};
  if (pread(state, text, sizeof text - 1, 0) < 0) fail("cannot read the state of the user namespace");
  std::istringstream words(text);
  pid_t holder = 0;
  std::string start;
  if (!(words >> holder >> start) || start_of(holder) != start) return {};
  const Namespaces found = {open_namespace(holder, "user"), open_namespace(holder, "mnt")};
  if (found.users < 0 || found.mounts < 0 || !is_ours(found.users)) return {};
  return found;
}

void become_root() {
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) fail("cannot become root of the user namespace");
  if (setgroups(0, nullptr) != 0) fail("cannot leave the groups of the user");
}

void run_map_program(const char* program, pid_t process, const std::string& map) {
  const pid_t child = fork();
  if (child < 0) fail("cannot start a process");
  if (child == 0) {
    std::vector<std::string> words = {program, std::to_string(process)};
    std::istringstream numbers(map);
    for (std::string word; numbers >> word;) words.push_back(word);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execvp(program, arguments.data());
    fail(std::string("cannot run ") + program + " (Debian: uidmap)");
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0)
    fail(std::string(program) + " gives no subordinate ids: see /etc/subuid and /etc/subgid", EPERM);
}

bool is_alone() {
  const auto same = [](const std::string& process, const struct stat& own) {
    struct stat other = {};
    return stat(("/proc/" + process + "/ns/user").c_str(), &other) == 0 && other.st_ino == own.st_ino;
  };
  struct stat own = {};
  if (stat("/proc/self/ns/user", &own) != 0) return false;
  DIR* listing = opendir("/proc");
  if (listing == nullptr) return false;
  bool alone = true;
  const std::string self = std::to_string(getpid());
  while (const dirent* entry = readdir(listing))
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0 && self != entry->d_name && same(entry->d_name, own))
      alone = false;
  closedir(listing);
  return alone;
}

// An entering process holds the lock, so none can enter while the holder decides to end.
[[noreturn]] void hold(int state) {
  for (;;) {
    sleep(look_again);
    if (flock(state, LOCK_EX | LOCK_NB) != 0) continue;
    if (is_alone()) {
      [[maybe_unused]] const auto forgotten = ftruncate(state, 0);
      _exit(0);
    }
    (void)flock(state, LOCK_UN);
  }
}

void leave_everything(int state) {
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) fail("cannot open /dev/null");
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)dup2(nothing, file);
  constexpr unsigned first_of_others = 3;
  const auto kept = static_cast<unsigned>(state);
  if (kept > first_of_others) (void)close_range(first_of_others, kept - 1, 0);
  (void)close_range(kept + 1, ~0u, 0);
}

// @param state its path, because the lock belongs to another open file description
[[noreturn]] void be_holder(const char* state, const Pipe& ready, const Pipe& mapped) {
  // So that the maker's end is seen.
  close(mapped.write_end);
  if (setsid() < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail("cannot make a user namespace");
  char byte = 0;
  if (write(ready.write_end, &byte, 1) != 1 || read(mapped.read_end, &byte, 1) != 1) _exit(own_failure);
  become_root();
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) fail("cannot keep mounts from the host");
  if (prctl(PR_SET_NAME, holder_name) != 0 || chdir("/") != 0) fail("cannot leave the working directory");
  const int own_state = open(state, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (own_state < 0) fail(std::string("cannot open ") + state);
  if (write(ready.write_end, &byte, 1) != 1) _exit(own_failure);
  leave_everything(own_state);
  hold(own_state);
}

Namespaces make(const char* path, int state, const std::string& uids, const std::string& gids) {
  const Pipe ready = make_pipe();
  const Pipe mapped = make_pipe();
  // Its parent ends at once, so that the command has no unknown child.
  const Pipe number = make_pipe();
  const pid_t between = fork();
  if (between < 0) fail("cannot start a process");
  if (between == 0) {
    const pid_t holder = fork();
    if (holder == 0) be_holder(path, ready, mapped);
    _exit(holder > 0 && write(number.write_end, &holder, sizeof holder) == sizeof holder ? 0 : own_failure);
  }
  pid_t holder = 0;
  close(ready.write_end);
  char byte = 0;
  if (waitpid(between, nullptr, 0) != between || read(number.read_end, &holder, sizeof holder) != sizeof holder)
    fail("cannot start a process");
  if (read(ready.read_end, &byte, 1) != 1) _exit(own_failure);  // it has reported why
  run_map_program("newuidmap", holder, uids);
  run_map_program("newgidmap", holder, gids);
  if (write(mapped.write_end, &byte, 1) != 1 || read(ready.read_end, &byte, 1) != 1) _exit(own_failure);
  const std::string text = std::to_string(holder) + " " + start_of(holder) + "\n";
  if (ftruncate(state, 0) != 0 || pwrite(state, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    fail(std::string("cannot write ") + path);
  return {open_namespace(holder, "user"), open_namespace(holder, "mnt")};
}

}  // namespace

void enter_users(char* const* arguments) {
  const char* path = arguments[0];
  char directory[PATH_MAX] = {};
  if (getcwd(directory, sizeof directory) == nullptr) fail("cannot determine the working directory");
  const int state = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (state < 0) fail(std::string("cannot open ") + path);
  if (!is_private(state)) fail(std::string("not a file of this user alone: ") + path, EPERM);
  if (flock(state, LOCK_EX) != 0) fail(std::string("cannot lock ") + path);
  Namespaces namespaces = held(state);
  if (namespaces.users < 0) namespaces = make(path, state, arguments[1], arguments[2]);
  if (setns(namespaces.users, CLONE_NEWUSER) != 0 || setns(namespaces.mounts, CLONE_NEWNS) != 0)
    fail("cannot enter the user namespace of the store");
  become_root();
  if (chdir(directory) != 0) fail(std::string("cannot go to ") + directory);
  // exec closes the descriptor and so releases the lock: until then the holder cannot see us.
  execvp(arguments[3], arguments + 3);
  fail(std::string("cannot run ") + arguments[3]);
}

}  // namespace lamina::sandbox
