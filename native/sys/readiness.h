// Waiting for descriptors (poll(2)), and waking a thread that waits.
#pragma once

#include <poll.h>

#include <span>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

// Waits without limit until one of them is ready.
Status wait_ready(std::span<pollfd> descriptors);

// eventfd(2): ready to read once wake() was called, for good.
class Wakeup {
 public:
  static Result<Wakeup> create();
  void wake() const;
  [[nodiscard]] int descriptor() const { return event_.get(); }

 private:
  explicit Wakeup(FileDescriptor event) : event_(std::move(event)) {}
  FileDescriptor event_;
};

}  // namespace lamina::sys
