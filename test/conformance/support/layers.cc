#include "support/layers.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <sstream>

namespace conformance {
namespace {

std::map<std::string, PrepareLayers>& registered() {
  static std::map<std::string, PrepareLayers> instance;
  return instance;
}

// One line an entry, of everything that a reader must not change.
std::string description_of(const Path& root) {
  std::ostringstream text;
  for_each_in_tree(root, [&](const Path& path, const struct stat& found) {
    text << path.text() << " ino=" << found.st_ino << " mode=" << found.st_mode << " owner=" << found.st_uid << ':'
         << found.st_gid << " nlink=" << found.st_nlink << " size=" << found.st_size << " rdev=" << found.st_rdev
         << " mtime=" << found.st_mtim.tv_sec << '.' << found.st_mtim.tv_nsec << " ctime=" << found.st_ctim.tv_sec
         << '.' << found.st_ctim.tv_nsec;
    for (const std::string& name : xattr_names(path)) text << ' ' << name << '=' << xattr(path, name);
    if (S_ISREG(found.st_mode)) text << " content=" << std::hash<std::string>()(contents(path));
    if (S_ISLNK(found.st_mode)) text << " target=" << link_target(path);
    text << '\n';
  });
  return text.str();
}

}  // namespace

bool register_layers(const std::string& test, PrepareLayers prepare) {
  return registered().emplace(test, prepare).second;
}

void prepare_layers(const Path& directory) {
  make_directory(directory / "top");
  make_directory(directory / "bottom");
  for (const auto& [test, prepare] : registered()) {
    const Path top = directory / "top" / test, bottom = directory / "bottom" / test;
    make_directory(top, 0777);
    make_directory(bottom, 0777);
    prepare(top, bottom);
  }
}

void make_whiteout(const Path& path) {
  require(::mknod(path, S_IFCHR, makedev(0, 0)) == 0, "mknod of a whiteout " + path.text());
}

void make_opaque(const Path& directory) { set_xattr(directory, "trusted.overlay.opaque", "y"); }

void UntouchedLayers::SetUp() { before_ = description_of(settings().layers); }

void UntouchedLayers::TearDown() {
  std::istringstream before(before_), after(description_of(settings().layers));
  std::string was, is;
  for (bool more = true; more;) {
    const bool had = static_cast<bool>(std::getline(before, was)), has = static_cast<bool>(std::getline(after, is));
    more = had && has;
    if (more && was != is) FAIL() << "a layer was changed; before:\n  " << was << "\nafter:\n  " << is;
    if (had != has) FAIL() << "a layer has more or fewer entries than before, at:\n  " << (had ? was : is);
  }
}

void Overlay::SetUp() {
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = std::string(test.test_suite_name()) + "." + test.name();
  here = settings().mount / name;
  top = settings().layers / "top" / name;
  bottom = settings().layers / "bottom" / name;
}

}  // namespace conformance
