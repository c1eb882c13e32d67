// A snapshot of a merged directory, sorted by cookie. Holds no "." and "..". A listing that differs in a few names from
// another shares the rest with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/types.h"

namespace lamina::overlay {

class Listing {
  using Chunk = std::vector<DirectoryEntry>;

 public:
  class Iterator {
   public:
    const DirectoryEntry& operator*() const { return (*(*chunks_)[chunk_])[at_]; }
    const DirectoryEntry* operator->() const { return &**this; }
    Iterator& operator++() {
      if (++at_ == (*chunks_)[chunk_]->size()) {
        ++chunk_;
        at_ = 0;
      }
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class Listing;
    Iterator(const std::vector<std::shared_ptr<const Chunk>>& chunks, std::size_t chunk, std::size_t at)
        : chunks_(&chunks), chunk_(chunk), at_(at) {}
    const std::vector<std::shared_ptr<const Chunk>>* chunks_;
    std::size_t chunk_, at_;
  };

  // A name, and what the directory shows under it now; none where it shows nothing.
  struct Change {
    std::uint64_t cookie = 0;  // the name's hash
    std::string name;
    std::optional<DirectoryEntry> entry;
  };

  Listing() = default;
  // Takes the names with their hashes as cookies, in any order. Names with one hash get neighbouring cookies.
  explicit Listing(std::vector<DirectoryEntry> names);

  // The same with other entries under some names, each given once. None where names have one hash: their cookies
  // depend on each other.
  [[nodiscard]] std::optional<Listing> with(std::vector<Change> changes) const;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Iterator begin() const { return {chunks_, 0, 0}; }
  [[nodiscard]] Iterator end() const { return {chunks_, chunks_.size(), 0}; }
  // The first name behind a cookie.
  [[nodiscard]] Iterator after(std::uint64_t cookie) const;
  // The entry of a name, by its hash. Null where there is none, or another name has that hash.
  [[nodiscard]] const DirectoryEntry* find(std::uint64_t hash, std::string_view name) const;

 private:
  using Changes = std::vector<Change>;

  void add(Chunk names);
  static std::optional<Chunk> merge(const Chunk& names, Changes::iterator change, Changes::iterator last);

  std::vector<std::shared_ptr<const Chunk>> chunks_;  // none is empty
  std::size_t size_ = 0;
  bool one_hash_ = false;  // two names have it
};

}  // namespace lamina::overlay
