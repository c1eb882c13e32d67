#include "overlay/listing.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lamina::overlay {

namespace {
// A change copies the names of its chunk and one pointer for each chunk.
constexpr std::size_t chunk_size = 128;
}  // namespace

Listing::Listing(std::vector<DirectoryEntry> names) {
  std::sort(names.begin(), names.end(), listing_order);
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i].cookie > names[i - 1].cookie) continue;
    names[i].cookie = names[i - 1].cookie + 1;
    one_hash_ = true;
  }
  add(std::move(names));
}

void Listing::add(Chunk names) {
  size_ += names.size();
  if (names.size() <= 2 * chunk_size) {
    if (!names.empty()) chunks_.push_back(std::make_shared<const Chunk>(std::move(names)));
    return;
  }
  for (std::size_t start = 0; start < names.size(); start += chunk_size) {
    const auto first = names.begin() + static_cast<std::ptrdiff_t>(start);
    const auto count = static_cast<std::ptrdiff_t>(std::min(chunk_size, names.size() - start));
    chunks_.push_back(
        std::make_shared<const Chunk>(std::make_move_iterator(first), std::make_move_iterator(first + count)));
  }
}

// None where a name has the cookie of another.
std::optional<Listing::Chunk> Listing::merge(const Chunk& names, Changes::iterator change, Changes::iterator last) {
  Chunk merged;
  merged.reserve(names.size() + static_cast<std::size_t>(last - change));
  auto name = names.begin();
  for (; change != last; ++change) {
    while (name != names.end() && name->cookie < change->cookie) merged.push_back(*name++);
    if (name != names.end() && name->cookie == change->cookie) {
      if (name->name != change->name) return std::nullopt;
      ++name;
    }
    if (change->entry) merged.push_back(std::move(*change->entry));
  }
  merged.insert(merged.end(), name, names.end());
  return merged;
}

std::optional<Listing> Listing::with(std::vector<Change> changes) const {
  if (one_hash_) return std::nullopt;
  std::sort(changes.begin(), changes.end(),
            [](const Change& left, const Change& right) { return left.cookie < right.cookie; });
  const auto same = [](const Change& left, const Change& right) { return left.cookie == right.cookie; };
  if (std::adjacent_find(changes.begin(), changes.end(), same) != changes.end()) return std::nullopt;
  Listing made;
  made.chunks_.reserve(chunks_.size() + 1);
  auto change = changes.begin();
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    const std::uint64_t last_cookie = chunks_[i]->back().cookie;
    const auto first = change;
    // The last chunk takes all that is left.
    while (change != changes.end() && (change->cookie <= last_cookie || i + 1 == chunks_.size())) ++change;
    if (first == change) {
      made.chunks_.push_back(chunks_[i]);
      made.size_ += chunks_[i]->size();
      continue;
    }
    auto merged = merge(*chunks_[i], first, change);
    if (!merged) return std::nullopt;
    made.add(std::move(*merged));
  }
  if (chunks_.empty()) made.add(*merge({}, change, changes.end()));
  return made;
}

Listing::Iterator Listing::after(std::uint64_t cookie) const {
  const auto chunk = std::upper_bound(
      chunks_.begin(), chunks_.end(), cookie,
      [](std::uint64_t offset, const std::shared_ptr<const Chunk>& each) { return offset < each->back().cookie; });
  if (chunk == chunks_.end()) return end();
  const auto name =
      std::upper_bound((*chunk)->begin(), (*chunk)->end(), cookie,
                       [](std::uint64_t offset, const DirectoryEntry& each) { return offset < each.cookie; });
  return {chunks_, static_cast<std::size_t>(chunk - chunks_.begin()),
          static_cast<std::size_t>(name - (*chunk)->begin())};
}

const DirectoryEntry* Listing::find(std::uint64_t hash, std::string_view name) const {
  const Iterator found = after(hash - 1);
  return found != end() && found->name == name ? &*found : nullptr;
}

}  // namespace lamina::overlay
