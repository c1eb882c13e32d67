// The lowers of a mount, topmost first, and what they hold under a name: which layers have it, and where redirects
// lead.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/inode.h"
#include "overlay/layers/layer.h"
#include "overlay/tree/lookup/found.h"

namespace lamina::overlay {

class LowerStack {
 public:
  explicit LowerStack(std::vector<std::unique_ptr<Layer>> layers);

  [[nodiscard]] std::size_t size() const { return layers_.size(); }
  [[nodiscard]] const Layer& operator[](std::size_t number) const { return *layers_[number]; }
  [[nodiscard]] const Layer& of(const LowerPlace& place) const { return *layers_[place.layer]; }
  // Distinguishes stacks: LowerNumber.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

  // Adds what lies under a name of the directories `parents` to what was found above; `redirect` is the mark found
  // there, or empty. `listed`: the first of them has listed the name, and not as a whiteout. False where a metacopy was
  // found, and its data in no layer.
  Result<bool> find(const std::vector<LowerPlace>& parents, std::string_view name, Found& found, std::string redirect,
                    bool listed = false) const;

  Result<RealFileRef> open(const LowerPlace& place, int flags) const;

  [[nodiscard]] std::uint64_t index_lookups() const { return index_lookups_.load(); }
  [[nodiscard]] std::uint64_t directory_lookups() const { return directory_lookups_.load(); }

 private:
  Result<bool> find_from(std::size_t layer, std::string_view path, Found& found, bool has_data) const;

  const std::vector<std::unique_ptr<Layer>> layers_;
  const std::uint64_t fingerprint_;
  mutable std::atomic<std::uint64_t> index_lookups_{0}, directory_lookups_{0};
};

// It is unknown which names of such a file belong together: each is copied up separately, as by the kernel without its
// index.
inline bool splits_on_copy_up(const Layer& layer, const Attributes& attributes) {
  return !layer.indexed() && (attributes.mode & S_IFMT) != S_IFDIR && attributes.nlink > 1;
}

}  // namespace lamina::overlay
