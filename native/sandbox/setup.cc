#include "sandbox/setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

void make_directory(const Directory& wanted) {
  const char* path = wanted.path.c_str();
  if (mkdir(path, 0700) != 0 && errno != EEXIST) fail("cannot make " + wanted.path);
  const int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) fail("cannot open " + wanted.path);
  // chown(2) clears set-id bits, so the mode comes last.
  if (fchown(directory, wanted.uid, wanted.gid) != 0) {
    // The root requests a user that the sandbox does not have: its other directories are useful nevertheless.
    if (errno != EINVAL) fail("cannot set the owner of " + wanted.path);
    say(wanted.path + " belongs to root: user " + std::to_string(wanted.uid) + " and group " +
        std::to_string(wanted.gid) + " are not both in the sandbox's user namespace (--userns host runs without one)");
  }
  if (fchmod(directory, wanted.mode) != 0) fail("cannot set the mode of " + wanted.path);
  close(directory);
}

void make_file(const Content& wanted) {
  const int file = open(wanted.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) fail("cannot make " + wanted.path);
  const auto& content = wanted.content;
  if (write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    fail("cannot write " + wanted.path);
  if (fchmod(file, 0644) != 0) fail("cannot set the mode of " + wanted.path);
  close(file);
}

}  // namespace

void make_directories_and_files(const Spec& spec) {
  for (const Directory& directory : spec.directories) make_directory(directory);
  for (const Content& file : spec.files) make_file(file);
}

}  // namespace lamina::sandbox
