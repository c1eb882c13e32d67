#include "init/setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "init/message.h"

namespace lamina::init {
namespace {

constexpr std::size_t largest_setup = 4u << 20;

std::string read_all(int file) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = pread(file, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (count < 0) fail("cannot read what the sandbox needs");
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > largest_setup) fail("cannot read what the sandbox needs", EFBIG);
  }
}

class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  bool more() const { return !rest_.empty(); }

  std::string next() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) fail("the description of the sandbox is cut off", EINVAL);
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return field;
  }

  unsigned number(int base) { return static_cast<unsigned>(strtoul(next().c_str(), nullptr, base)); }

 private:
  std::string_view rest_;
};

void make_directory(Fields& fields) {
  const std::string path = fields.next();
  const unsigned mode = fields.number(8);
  const unsigned uid = fields.number(10);
  const unsigned gid = fields.number(10);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("cannot make " + path);
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) fail("cannot open " + path);
  // chown(2) clears set-id bits, so the mode comes last.
  if (fchown(directory, uid, gid) != 0) fail("cannot set the owner of " + path);
  if (fchmod(directory, mode) != 0) fail("cannot set the mode of " + path);
  close(directory);
}

void make_file(Fields& fields) {
  const std::string path = fields.next();
  const std::string content = fields.next();
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) fail("cannot make " + path);
  if (write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) fail("cannot write " + path);
  if (fchmod(file, 0644) != 0) fail("cannot set the mode of " + path);
  close(file);
}

// Who changed a directory on the way at the wrong moment has led the mount somewhere else.
void check_mounted(Fields& fields) {
  const std::string path = fields.next();
  struct stat root = {};
  struct stat place = {};
  if (stat("/", &root) != 0 || lstat(path.c_str(), &place) != 0) fail("cannot look at " + path);
  if (root.st_dev == place.st_dev) fail("nothing is mounted at " + path, ESTALE);
}

}  // namespace

Setup make_setup(int file) {
  Setup setup;
  const std::string text = read_all(file);
  for (Fields fields(text); fields.more();) {
    const std::string word = fields.next();
    if (word == "foreground")
      setup.foreground = true;
    else if (word == "directory")
      make_directory(fields);
    else if (word == "file")
      make_file(fields);
    else if (word == "mounted")
      check_mounted(fields);
    else
      fail("the description of the sandbox has an unknown word '" + word + "'", EINVAL);
  }
  return setup;
}

}  // namespace lamina::init
