// What to do where another driver works on the upper: wait for one that is ending; bring here the mount of one that
// keeps running because another mount namespace has its mount. There are never two drivers on one upper.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "daemon/mount_record.h"
#include "daemon/options.h"
#include "sys/mounts.h"
#include "sys/result.h"

namespace lamina::daemon {

// The calling process must have one thread.
class InUse {
 public:
  explicit InUse(const DaemonOptions& options) : options_(options), until_(Clock::now() + patience) {}

  enum class Outcome {
    free,     // the upper is no longer in use: try again
    brought,  // the mount is here; its driver serves it
    refused,  // `explanation` has one line for people
  };
  Outcome settle(std::string& explanation);
  // For a mount that was brought here: returns when it is unmounted here. An ending signal, which must be blocked,
  // unmounts it.
  void wait_for_its_end() const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds patience{10};

  // Another namespace's view of the mount.
  struct Held {
    std::int32_t pid = 0;
    std::string mountpoint;
  };
  // None: keep waiting.
  std::optional<Outcome> look(std::string& explanation);
  [[nodiscard]] bool is_free() const;
  // None, also where it cannot be read.
  [[nodiscard]] std::optional<MountRecord> noted_mount() const;
  [[nodiscard]] const sys::MountEntry* mount_among(const std::vector<sys::MountEntry>& mounts,
                                                   const MountRecord& record) const;
  std::optional<Outcome> bring(const MountRecord& record, const Held& held, std::string& explanation) const;

  const DaemonOptions& options_;
  const Clock::time_point until_;
};

}  // namespace lamina::daemon
