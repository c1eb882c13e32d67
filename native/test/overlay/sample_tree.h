// A tree with one of everything that a layer can hold.
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <fstream>
#include <string>

#include "test/overlay/index_writer.h"
#include "test/support/temporary_directory.h"

namespace lamina::test {

// Of a request that nothing interrupts.
inline bool never() { return false; }

// trusted.* where we may, as a mount by root has it.
inline bool user_marks() { return !is_root(); }
inline std::string mark_prefix() { return user_marks() ? "user.overlay." : "trusted.overlay."; }

inline void set_attribute(const std::string& path, const std::string& name, const std::string& value) {
  ASSERT_EQ(::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0), 0) << path << ' ' << name;
}

inline void make_sample_tree(const TemporaryDirectory& root) {
  root.directory("etc/deep/deeper");
  root.directory("empty", 0700);
  root.file("etc/passwd", "root:x:0:0");
  root.file("etc/deep/deeper/leaf", std::string(5000, 'l'));
  root.file("\xff\xfe not utf-8", "bytes");
  root.file(std::string(255, 'n'), "the longest name");
  root.symlink("etc/link", "../nowhere/at/all");
  ASSERT_EQ(::link(root.path("etc/passwd").c_str(), root.path("etc/deep/second").c_str()), 0);
  ASSERT_EQ(::link(root.path("etc/passwd").c_str(), root.path("third").c_str()), 0);
  ASSERT_EQ(::mkfifo(root.path("pipe").c_str(), 0640), 0);
  set_attribute(root.path("etc/passwd"), "user.colour", std::string("blue\0green", 10));
  set_attribute(root.path("etc/passwd"), "user.a", "");
  root.directory("opaque");
  set_attribute(root.path("opaque"), mark_prefix() + "opaque", "y");
  root.directory("moved");
  set_attribute(root.path("moved"), mark_prefix() + "redirect", "/was/here");
  root.file("meta", "12345");
  set_attribute(root.path("meta"), mark_prefix() + "metacopy", "");
  set_attribute(root.path("meta"), mark_prefix() + "redirect", "old-name");
  root.directory("xattr-whiteouts");
  set_attribute(root.path("xattr-whiteouts"), mark_prefix() + "opaque", "x");
  root.file("xattr-whiteouts/gone");
  set_attribute(root.path("xattr-whiteouts/gone"), mark_prefix() + "whiteout", "");
  root.file("xattr-whiteouts/here");
  root.file("not-gone");  // no mark on its directory
  set_attribute(root.path("not-gone"), mark_prefix() + "whiteout", "");
  for (int number = 0; number < 300; ++number) root.file("empty/" + std::to_string(number));
  if (!is_root()) return;
  ASSERT_EQ(::mknod(root.path("etc/gone").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(::mknod(root.path("disk").c_str(), S_IFBLK | 0660, gnu_dev_makedev(259, 70000)), 0);
  ASSERT_EQ(::chown(root.path("etc/deep").c_str(), 12, 65534), 0);
}

inline void write_index(const std::string& tree, const std::string& path) {
  const std::string bytes = make_index(tree, mark_prefix());
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace lamina::test
