#include "sandbox/setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

// The root requests what cannot be: a directory where the sandbox has a file, or in a mount of its own. All else is
// useful nevertheless, and the root of one container must not keep a procedure from all.
void pass_over(const std::string& path) {
  say("the sandbox does without " + path + ", which its root requests", errno);
}

void make_directory(const Directory& wanted) {
  const char* path = wanted.path.c_str();
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return pass_over(wanted.path);
  const int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return pass_over(wanted.path);
  // chown(2) clears set-id bits, so the mode comes last.
  if (fchown(directory, wanted.uid, wanted.gid) != 0) {
    if (errno != EINVAL) {
      pass_over(wanted.path);
      close(directory);
      return;
    }
    // A user that the sandbox does not have.
    say(wanted.path + " belongs to root: user " + std::to_string(wanted.uid) + " and group " +
        std::to_string(wanted.gid) + " are not both in the sandbox's user namespace (--userns host runs without one)");
  }
  if (fchmod(directory, wanted.mode) != 0) pass_over(wanted.path);
  close(directory);
}

void make_file(const Content& wanted) {
  const int file = open(wanted.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) return pass_over(wanted.path);
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
