// System calls that no program of the tiny root makes: odd-calls NAME ARGUMENTS…
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

int exchange(char** argument) { return renameat2(AT_FDCWD, argument[0], AT_FDCWD, argument[1], RENAME_EXCHANGE); }

// A file without a name is written, and then given one. DIRECTORY NAME TEXT
int unnamed(char** argument) {
  const int file = open(argument[0], O_TMPFILE | O_WRONLY, 0640);
  if (file < 0 || write(file, argument[2], std::strlen(argument[2])) < 0) return -1;
  const std::string from = "/proc/self/fd/" + std::to_string(file);
  return linkat(AT_FDCWD, from.c_str(), AT_FDCWD, argument[1], AT_SYMLINK_FOLLOW);
}

int make_socket(char** argument) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, argument[0], sizeof address.sun_path - 1);
  const int made = socket(AF_UNIX, SOCK_STREAM, 0);
  return made < 0 ? -1 : bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// PATH NAME HEX
int set_attribute(char** argument) {
  std::string value;
  for (const char* at = argument[2]; at[0] != 0 && at[1] != 0; at += 2)
    value.push_back(static_cast<char>(std::strtol(std::string(at, 2).c_str(), nullptr, 16)));
  return lsetxattr(argument[0], argument[1], value.data(), value.size(), 0);
}

// PATH SECONDS NANOSECONDS
int set_time(char** argument) {
  const timespec time{std::atoll(argument[1]), std::atol(argument[2])};
  const timespec both[2] = {time, time};
  return utimensat(AT_FDCWD, argument[0], both, AT_SYMLINK_NOFOLLOW);
}

// PATH OFFSET LENGTH
int punch(char** argument) {
  const int file = open(argument[0], O_WRONLY);
  return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, std::atoll(argument[1]), std::atoll(argument[2]));
}

int call(std::string_view name, char** arguments) {
  if (name == "exchange") return exchange(arguments);
  if (name == "unnamed") return unnamed(arguments);
  if (name == "socket") return make_socket(arguments);
  if (name == "attribute") return set_attribute(arguments);
  if (name == "time") return set_time(arguments);
  if (name == "punch") return punch(arguments);
  return -1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || call(arguments[1], arguments + 2) < 0) {
    std::perror(count < 2 ? "odd-calls" : arguments[1]);
    return 1;
  }
  return 0;
}
