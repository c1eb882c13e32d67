#include "sandbox/id-range.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/message.h"
#include "sandbox/text-file.h"

namespace lamina::sandbox {
namespace {

// The range that systemd reserves for containers (https://systemd.io/UIDS-GIDS, "Container UID range").
constexpr std::uint64_t lowest = 524'288;
constexpr std::uint64_t highest = 1'879'048'191;
constexpr std::uint64_t ranges = (highest - lowest + 1) / IdRange::count;
// A byte for each range: locked by the sandbox that uses it.
constexpr char lock_path[] = "/run/lamina-ids.lock";

struct Given {
  std::uint64_t first;
  std::uint64_t count;
};

// NAME:FIRST:COUNT, subuid(5).
void add_given(const char* path, std::vector<Given>& all) {
  std::istringstream lines(text_of(path));
  for (std::string line; std::getline(lines, line);) {
    unsigned long first = 0;
    unsigned long count = 0;
    const auto colon = line.find(':');
    if (colon != std::string::npos && sscanf(line.c_str() + colon, ":%lu:%lu", &first, &count) == 2)
      all.push_back({first, count});
  }
}

bool is_given(const std::vector<Given>& all, std::uint64_t first) {
  for (const Given& given : all)
    if (first < given.first + given.count && given.first < first + IdRange::count) return true;
  return false;
}

// Held by the open file description, and so until the last process with it ends (fcntl(2), "Open file description
// locks").
bool lock(int file, std::uint64_t number) {
  struct flock byte = {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = static_cast<off_t>(number);
  byte.l_len = 1;
  if (fcntl(file, F_OFD_SETLK, &byte) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) fail(std::string("cannot lock ") + lock_path);
  return false;
}

}  // namespace

IdRange::IdRange() {
  std::vector<Given> given;
  add_given("/etc/subuid", given);
  add_given("/etc/subgid", given);
  lock_ = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock_ < 0) fail(std::string("cannot open ") + lock_path);
  // So that two sandboxes usually begin their search at different places.
  constexpr std::uint64_t spread = 2'654'435'761;
  const std::uint64_t begin = static_cast<std::uint64_t>(getpid()) * spread % ranges;
  for (std::uint64_t i = 0; i < ranges; ++i) {
    const std::uint64_t number = (begin + i) % ranges;
    const std::uint64_t first = lowest + number * count;
    if (is_given(given, first) || !lock(lock_, number)) continue;
    first_ = static_cast<uid_t>(first);
    return;
  }
  fail(std::string("no range of user numbers is free: all of them are in /etc/subuid, /etc/subgid or ") + lock_path,
       EAGAIN);
}

IdRange::~IdRange() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace lamina::sandbox
