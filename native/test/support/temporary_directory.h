// A directory of a test's own, removed at its end; and files made in it by path.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace lamina::test {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& base = "/tmp") {
    std::string pattern = base + "/lamina-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
    descriptor_ = ::open(pattern.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    ::close(descriptor_);
    std::error_code ignored;  // a test that has failed may leave what cannot be removed
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void directory(std::string_view name, mode_t mode = 0755) const {
    std::filesystem::create_directories(path(name));
    ASSERT_EQ(::chmod(path(name).c_str(), mode), 0);
  }
  void file(std::string_view name, std::string_view content = "") const {
    std::ofstream out(path(name), std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    ASSERT_TRUE(out.good());
  }
  void symlink(std::string_view name, const std::string& target) const {
    ASSERT_EQ(::symlink(target.c_str(), path(name).c_str()), 0);
  }
  [[nodiscard]] std::string content(std::string_view name) const {
    std::ifstream in(path(name), std::ios::binary);
    std::string text(std::filesystem::file_size(path(name)), '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text;
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

inline bool is_root() { return ::geteuid() == 0; }

}  // namespace lamina::test
