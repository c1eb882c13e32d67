// A path of bytes that system calls take as it is.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace conformance {

class Path {
 public:
  Path() = default;
  explicit Path(std::string text) : text_(std::move(text)) {}

  operator const char*() const { return text_.c_str(); }  // NOLINT: implicit by design
  [[nodiscard]] const char* c_str() const { return text_.c_str(); }
  [[nodiscard]] const std::string& text() const { return text_; }

  friend Path operator/(const Path& directory, std::string_view name) {
    return Path(directory.text_ + "/" + std::string(name));
  }
  friend Path operator+(const Path& path, std::string_view more) { return Path(path.text_ + std::string(more)); }

 private:
  std::string text_;
};

}  // namespace conformance
