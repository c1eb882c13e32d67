// A lower layer without an index: each answer is read from its directory.
#pragma once

#include <array>
#include <memory>
#include <mutex>

#include "overlay/layers/layer.h"
#include "overlay/layers/layer_root.h"
#include "overlay/layers/marks.h"
#include "overlay/layers/stored_owner.h"
#include "sys/directory.h"
#include "sys/status.h"

namespace lamina::overlay {

class DirectoryLayer final : public Layer {
 public:
  static Result<std::unique_ptr<DirectoryLayer>> open(LayerRoot root, std::uint32_t position, bool user_xattr,
                                                      bool whiteout_files);

  [[nodiscard]] LowerRef root() const override { return {root_node_}; }
  Result<LowerEntry> lookup(const LowerRef& directory, std::string_view name) const override;
  Result<LowerEntry> lookup_listed(const LowerRef& directory, std::string_view name) const override;
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
  [[nodiscard]] bool indexed() const override { return false; }
  [[nodiscard]] std::uint64_t fingerprint() const override { return 0; }

 private:
  using Node = std::shared_ptr<const PathNode>;
  using DirectoryRef = std::shared_ptr<const sys::FileDescriptor>;

  // The place of an entry for system calls: the open directory that holds it, and its name there ("" for the layer's
  // root).
  struct Place {
    DirectoryRef directory;
    std::string_view name;
    [[nodiscard]] int at() const { return directory->get(); }
  };

  DirectoryLayer(LayerRoot root, std::uint32_t position, bool user_xattr, bool whiteout_files, std::uint64_t device,
                 DirectoryRef descriptor, StoredOwners owners);
  // `reference` outlives the place.
  Result<Place> place(const LowerRef& reference) const;
  Result<DirectoryRef> directory(const Node& node) const;
  Result<LowerEntry> entry_at(const Place& place, Node node) const;
  [[nodiscard]] Attributes attributes_of(const sys::FileStatus& status) const;
  Result<Marks> marks_at(const Place& place, const sys::FileStatus& status) const;
  Result<bool> xattr_whiteouts(int directory) const;
  Result<std::uint32_t> type_of(int directory, std::string_view name, const sys::FileStatus& status) const;
  Result<bool> is_escaped_whiteout(int directory, std::string_view name, const sys::FileStatus& status) const;
  static void obey_whiteout_files(std::vector<Child>& children);
  Result<Child> child_of(int directory, std::uint64_t device, bool xattr_whiteouts,
                         const sys::DirectoryRecord& record) const;
  [[nodiscard]] std::uint64_t ino(std::uint64_t device, std::uint64_t ino) const;

  LayerRoot root_;
  std::uint32_t position_;
  MarkNames names_;
  bool whiteout_files_;
  StoredOwners owners_;
  bool escaped_whiteouts_ = false;
  std::uint64_t device_;  // of the root
  Node root_node_;
  DirectoryRef root_directory_;

  // The directories that were used last, O_PATH: neighbouring lookups need no walk from the root. Few, for a stack may
  // have hundreds of layers.
  struct Slot {
    Node node;
    DirectoryRef directory;
  };
  mutable std::mutex mutex_;
  mutable std::array<Slot, 2> recent_;  // guarded by mutex_
  mutable std::size_t next_slot_ = 0;   // guarded by mutex_
};

}  // namespace lamina::overlay
