// Whiteouts of an overlay inside ours, character devices 0:0 that users make: on disk they would be whiteouts of ours.
// An empty file with the attribute trusted.overlay.overlay.whiteout stands for each, as the kernel escapes one of a
// nested overlay, and users see the device. So a kernel's overlay can have its upper in the mount: it wants mknod(2) of
// the device and RENAME_WHITEOUT (ovl_make_workdir() of fs/overlayfs/super.c).
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "overlay/layers/marks.h"
#include "overlay/upper/upper_files.h"
#include "sys/status.h"

namespace lamina::overlay {

class EscapedWhiteouts {
 public:
  // `upper`: the upper's root; -1 in a read-only overlay.
  EscapedWhiteouts(const MarkNames& marks, UpperFiles& files, int upper)
      : marks_(marks), files_(files), upper_(upper) {}

  // Reads whether the upper has ever held any; call it before the other functions.
  Status start();
  // Makes one with this mode and 0400, owned by the driver. The first of an upper is noted at its root.
  Status make(const UpperPlace& place, std::uint32_t mode);
  // True of a file of the upper that stands for a device. Costs nothing in an upper that has never held one.
  [[nodiscard]] Result<bool> is_one(const UpperPlace& place, const sys::FileStatus& status) const;
  // The same, of a file whose marks are known.
  [[nodiscard]] bool is_one(const Marks& marks) const { return any() && marks.escaped_whiteout; }
  [[nodiscard]] bool any() const { return any_.load(std::memory_order_relaxed); }

 private:
  const MarkNames& marks_;
  UpperFiles& files_;
  const int upper_;
  std::atomic<bool> any_{false};
};

}  // namespace lamina::overlay
