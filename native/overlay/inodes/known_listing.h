// The listing of a directory that was made last, and which names have changed since: so that a new one needs to look at
// those alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "overlay/file_system.h"

namespace lamina::overlay {

// Guarded by Inode::mutex.
class KnownListing {
 public:
  // After a change to what the directory shows under a name.
  void name_changed(std::string_view name) {
    ++changes_;
    if (making_ == 0 && known_.expired()) {
      names_.clear();
    } else if (names_.size() < most_names()) {
      names_.emplace_back(name);
    } else {
      forget_names();
    }
  }

  // Null where none is known, or names have changed since.
  [[nodiscard]] ListingRef current() const { return known_changes_ == changes_ ? known_.lock() : nullptr; }

  struct Start {
    ListingRef listing;              // null: one must be made from the layers
    std::vector<std::string> names;  // that have changed since; empty: nothing has
    std::uint64_t changes = 0;
  };
  // Who gets one that is not up to date makes a new one, and then calls end().
  Start begin() {
    Start start{known_.lock(), {}, changes_};
    if (start.listing && known_changes_ == changes_) return start;
    if (start.listing) start.names = names_;
    ++making_;
    return start;
  }
  [[nodiscard]] static bool up_to_date(const Start& start) { return start.listing && start.names.empty(); }
  // `made`: null if that failed.
  void end(const Start& start, const ListingRef& made) {
    --making_;
    const std::uint64_t first_name = changes_ - names_.size();
    // Another thread may have made a newer one.
    const bool newer = known_.expired() || known_changes_ < start.changes;
    if (!made || start.changes < first_name || !newer) return;
    known_ = made;
    known_changes_ = start.changes;
    names_.erase(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(start.changes - first_name));
    size_ = made->size();
    if (names_.size() > most_names()) forget_names();
  }

  // The directory was removed.
  void removed() {
    forget();
    known_ = empty_listing();
    known_changes_ = changes_;
  }
  void forget() {
    ++changes_;
    forget_names();
  }

 private:
  // To look at a name is a call. Beyond this number it is cheaper to read the directory.
  [[nodiscard]] std::size_t most_names() const {
    constexpr std::size_t few = 4, fraction = 8, while_made = 4096;
    return making_ != 0 ? while_made + size_ / fraction : few + size_ / fraction;
  }
  void forget_names() {
    names_.clear();
    known_.reset();
  }

  std::weak_ptr<const Listing> known_;
  std::uint64_t changes_ = 0;        // all so far
  std::uint64_t known_changes_ = 0;  // those that `known_` shows for certain
  std::vector<std::string> names_;   // of the last changes
  std::size_t size_ = 0;             // of `known_`
  std::uint32_t making_ = 0;         // threads that make one
};

}  // namespace lamina::overlay
