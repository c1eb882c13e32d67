// Which files the kernel has open, and how: one way for all descriptors of a file, from its first opening to its last
// release, because the kernel accepts no second one (EIO, fs/fuse/iomode.c).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "overlay/types.h"

namespace lamina::server {

struct OpenFile {
  std::uint32_t opens = 0;      // answers to OPEN without a RELEASE so far
  std::int32_t backing_id = 0;  // the real file's id in the kernel; 0: the server handles reads and writes
  bool lower = false;           // the real file is a lower's
  bool keeps_suid = false;      // writers to the real file may leave setuid set, as root may
  std::uint32_t others = 0;     // openings for writing by others than root, where keeps_suid

 private:
  friend class OpenFiles;
  std::mutex mutex_;
  bool gone_ = false;  // no longer in the table
};

// Thread-safe.
class OpenFiles {
 public:
  // One file's record, held exclusively while this lives. A record without openings is removed at its release.
  class Held {
   public:
    Held(OpenFiles& table, overlay::NodeId node, std::shared_ptr<OpenFile> file)
        : table_(table), node_(node), file_(std::move(file)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (file_->opens == 0) table_.erase(node_, *file_);
      file_->mutex_.unlock();
    }
    OpenFile& operator*() const { return *file_; }
    OpenFile* operator->() const { return file_.get(); }

   private:
    OpenFiles& table_;
    overlay::NodeId node_;
    std::shared_ptr<OpenFile> file_;
  };

  // The record of a node, made where there is none; waits for its current holder.
  [[nodiscard]] Held hold(overlay::NodeId node) {
    for (;;) {
      std::shared_ptr<OpenFile> file = record(node);
      file->mutex_.lock();
      if (!file->gone_) return {*this, node, std::move(file)};
      file->mutex_.unlock();
    }
  }

 private:
  static constexpr std::size_t shard_count = 16;
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<overlay::NodeId, std::shared_ptr<OpenFile>> files;
  };

  std::shared_ptr<OpenFile> record(overlay::NodeId node) {
    Shard& shard = shards_[node % shard_count];
    std::lock_guard lock(shard.mutex);
    std::shared_ptr<OpenFile>& slot = shard.files[node];
    if (!slot) slot = std::make_shared<OpenFile>();
    return slot;
  }
  void erase(overlay::NodeId node, OpenFile& file) {
    Shard& shard = shards_[node % shard_count];
    std::lock_guard lock(shard.mutex);
    shard.files.erase(node);
    file.gone_ = true;
  }

  std::array<Shard, shard_count> shards_;
};

}  // namespace lamina::server
