// A lower layer that is answered from its index; its directory is used only to open a file's data.
#pragma once

#include <memory>

#include "overlay/layers/index_file.h"
#include "overlay/layers/layer.h"
#include "overlay/layers/layer_root.h"
#include "overlay/layers/marks.h"

namespace lamina::overlay {

class IndexedLayer final : public Layer {
 public:
  IndexedLayer(LayerRoot root, std::unique_ptr<IndexFile> index, std::uint32_t position, bool user_xattr)
      : root_(std::move(root)), index_(std::move(index)), position_(position), names_(user_xattr) {}

  [[nodiscard]] LowerRef root() const override { return {}; }
  Result<LowerEntry> lookup(const LowerRef& directory, std::string_view name) const override;
  Result<LowerEntry> lookup_listed(const LowerRef& directory, std::string_view name) const override {
    return lookup(directory, name);
  }
  Result<LowerEntry> get(const LowerRef& reference) const override;
  Result<Attributes> attributes(const LowerRef& reference) const override;
  Result<std::vector<Child>> list(const LowerRef& directory) const override;
  Result<std::string> read_link(const LowerRef& reference) const override;
  Result<std::vector<std::byte>> xattr(const LowerRef& reference, std::string_view name) const override;
  Result<std::string> xattr_names(const LowerRef& reference) const override;
  Result<sys::FileDescriptor> open(const LowerRef& reference, int flags) const override;
  Result<std::vector<std::string>> link_group(const LowerRef& reference) const override;
  Result<std::vector<std::string>> links_below(const LowerRef& directory) const override;
  Result<std::vector<RedirectMark>> redirects() const override;
  [[nodiscard]] Result<std::uint64_t> identity(const LowerRef& reference) const override;
  Result<std::string> path(const LowerRef& reference) const override;
  [[nodiscard]] bool indexed() const override { return true; }
  [[nodiscard]] std::uint64_t fingerprint() const override { return index_->fingerprint(); }

 private:
  Result<LowerEntry> lower_entry(std::uint32_t number) const;
  Result<Attributes> attributes(std::uint32_t number, const IndexEntry& entry) const;
  Result<bool> is_escaped_whiteout(const IndexEntry& entry) const;
  Result<Marks> marks(const IndexEntry& entry) const;
  Result<std::uint64_t> ino(std::uint32_t number, const IndexEntry& entry) const;
  Result<Child> child(std::uint32_t number) const;

  LayerRoot root_;
  std::unique_ptr<IndexFile> index_;
  std::uint32_t position_;
  MarkNames names_;
};

}  // namespace lamina::overlay
