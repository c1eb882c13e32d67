// Guesses which files will be read next by a reader that follows the order of a listing (cat *, grep -r, tar):
// nodes are numbered in the order of the listing that first reported them.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "overlay/types.h"

namespace lamina::server {

class ReadAhead {
 public:
  // Nodes from `begin` up to, not including, `end`; not all need exist or be files.
  struct Nodes {
    overlay::NodeId begin = 0, end = 0;
  };

  // The reading of a file began. Returns what will probably be read soon and was not returned before.
  Nodes next(overlay::NodeId node) {
    std::lock_guard lock(mutex_);
    Reader& reader = reader_at(node);
    const bool goes_on = node > reader.last && node - reader.last <= reach;
    reader.steps = goes_on ? reader.steps + 1 : 0;
    if (!goes_on) reader.given = node + 1;
    reader.last = node;
    reader.used = ++clock_;
    if (reader.given <= node) reader.given = node + 1;
    // In halves: some files at a time, not one file each time.
    if (reader.steps < steps_before || reader.given > node + window / 2) return {};
    const Nodes found{reader.given, node + 1 + window};
    reader.given = found.end;
    return found;
  }

 private:
  static constexpr overlay::NodeId reach = 8;   // between two files there may be directories and symlinks
  static constexpr overlay::NodeId window = 8;  // nodes
  static constexpr unsigned steps_before = 2;   // a reader of this many in order will continue

  struct Reader {
    overlay::NodeId last = 0, given = 0;
    unsigned steps = 0;
    std::uint64_t used = 0;
  };

  // The reader that could have reached this node; else the one idle for longest.
  Reader& reader_at(overlay::NodeId node) {
    Reader* oldest = &readers_.front();
    for (Reader& each : readers_) {
      if (each.used != 0 && node > each.last && node - each.last <= reach) return each;
      if (each.used < oldest->used) oldest = &each;
    }
    return *oldest;
  }

  std::mutex mutex_;
  std::array<Reader, 8> readers_;  // guarded by mutex_
  std::uint64_t clock_ = 0;        // guarded by mutex_
};

}  // namespace lamina::server
