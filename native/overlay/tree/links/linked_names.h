// The names of files of the upper that have several: searched when they are first needed.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sys/result.h"

namespace lamina::overlay {

class LinkedNames {
 public:
  // The paths at which the file with that st_ino was found in the upper, an open directory.
  sys::Result<std::vector<std::string>> of(int upper, std::uint64_t ino);
  // A name was made. `path` gives it, and is called only where it is needed; where it fails, all are searched again.
  template <typename Path>
  void add(std::uint64_t ino, Path path) {
    const std::lock_guard lock(mutex_);
    if (!names_) return;
    auto made = path();
    if (!made.ok()) return names_.reset();
    (*names_)[ino].push_back(std::move(*made));
  }

 private:
  std::mutex mutex_;
  std::optional<std::unordered_map<std::uint64_t, std::vector<std::string>>> names_;  // guarded by mutex_
};

}  // namespace lamina::overlay
