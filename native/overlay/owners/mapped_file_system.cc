#include "overlay/owners/mapped_file_system.h"

#include "overlay/upper/acl.h"

namespace lamina::overlay {

namespace {

bool is_access_list(std::string_view name) { return name == access_acl_name || name == default_acl_name; }

class MappedFileSystem final : public FileSystem {
 public:
  MappedFileSystem(std::unique_ptr<FileSystem> below, OwnerView view)
      : below_(std::move(below)), view_(std::move(view)) {}

  Result<Entry> lookup(NodeId parent, std::string_view name) override { return shown(below_->lookup(parent, name)); }
  Result<Attributes> attributes(NodeId node) override { return shown(below_->attributes(node)); }
  Result<Attributes> set_attributes(NodeId node, const SetAttributes& change, const Interrupted& interrupted) override {
    SetAttributes kept = change;
    if (kept.uid) kept.uid = view_.uids.to_disk(*kept.uid);
    if (kept.gid) kept.gid = view_.gids.to_disk(*kept.gid);
    return shown(below_->set_attributes(node, kept, interrupted));
  }
  Result<Entry> make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                          std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt) override {
    return shown(below_->make_node(parent, name, mode, rdev_major, rdev_minor, on_disk(caller), attempt));
  }
  Result<Entry> make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                               Attempt* attempt) override {
    return shown(below_->make_directory(parent, name, mode, on_disk(caller), attempt));
  }
  Result<Entry> make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                             Attempt* attempt) override {
    return shown(below_->make_symlink(parent, name, target, on_disk(caller), attempt));
  }
  Result<Entry> make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) override {
    return shown(below_->make_unnamed(parent, mode, on_disk(caller)));
  }
  Result<Entry> link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                     Attempt* attempt) override {
    return shown(below_->link(node, parent, name, interrupted, attempt));
  }
  Result<std::vector<std::byte>> xattr(NodeId node, std::string_view name) override {
    auto value = below_->xattr(node, name);
    if (!value.ok() || !is_access_list(name)) return value;
    return translated(*value, [this](bool user, std::uint32_t id) {
      return user ? view_.uids.to_mount(id) : view_.gids.to_mount(id);
    });
  }
  Status set_xattr(NodeId node, std::string_view name, std::span<const std::byte> value, int flags,
                   Attempt* attempt) override {
    if (!is_access_list(name)) return below_->set_xattr(node, name, value, flags, attempt);
    LAMINA_ASSIGN(const auto list, translated(value, [this](bool user, std::uint32_t id) {
                    return user ? view_.uids.to_disk(id) : view_.gids.to_disk(id);
                  }));
    return below_->set_xattr(node, name, list, flags, attempt);
  }
  bool shows_inodes() const override { return false; }

  // What has no owners passes through.
  void forget(NodeId node, std::uint64_t count) override { below_->forget(node, count); }
  Result<std::string> path(NodeId node) override { return below_->path(node); }
  Result<bool> any_name(NodeId node, const PathTest& test) override { return below_->any_name(node, test); }
  Result<bool> any_below(NodeId parent, std::string_view name, const PathTest& test) override {
    return below_->any_below(parent, name, test);
  }
  Result<std::string> read_link(NodeId node) override { return below_->read_link(node); }
  Status unlink(NodeId parent, std::string_view name, Attempt* attempt) override {
    return below_->unlink(parent, name, attempt);
  }
  Status remove_directory(NodeId parent, std::string_view name, Attempt* attempt) override {
    return below_->remove_directory(parent, name, attempt);
  }
  Status rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name, RenameMode mode,
                const Interrupted& interrupted, Attempt* attempt) override {
    return below_->rename(parent, name, new_parent, new_name, mode, interrupted, attempt);
  }
  Result<RealFileRef> file(NodeId node, Access access, const Interrupted& interrupted) override {
    return below_->file(node, access, interrupted);
  }
  Status sync(NodeId node, bool data_only) override { return below_->sync(node, data_only); }
  Result<bool> data_in_lower(NodeId node) override { return below_->data_in_lower(node); }
  Status expect_unseen_writes(NodeId node, bool mapped) override { return below_->expect_unseen_writes(node, mapped); }
  Status replace_node(NodeId node) override { return below_->replace_node(node); }
  std::optional<NodeId> replacement(NodeId node) const override { return below_->replacement(node); }
  std::vector<NodeId> take_renumbered() override { return below_->take_renumbered(); }
  Result<std::vector<std::pair<RealFileRef, std::string>>> samples() override { return below_->samples(); }
  Status may_write(NodeId node, bool appends) override { return below_->may_write(node, appends); }
  Result<ListingRef> list(NodeId directory) override { return below_->list(directory); }
  Result<std::string> xattr_names(NodeId node) override { return below_->xattr_names(node); }
  Status remove_xattr(NodeId node, std::string_view name, Attempt* attempt) override {
    return below_->remove_xattr(node, name, attempt);
  }
  Result<std::uint32_t> flags(NodeId node) override { return below_->flags(node); }
  Status set_flags(NodeId node, std::uint32_t flags) override { return below_->set_flags(node, flags); }
  Result<fsxattr> extended_flags(NodeId node) override { return below_->extended_flags(node); }
  Status set_extended_flags(NodeId node, const fsxattr& flags) override {
    return below_->set_extended_flags(node, flags);
  }
  Result<FileSystemStatistics> statistics() override { return below_->statistics(); }
  Status sync_all() override { return below_->sync_all(); }
  OverlayCounters counters() const override { return below_->counters(); }
  bool read_only() const override { return below_->read_only(); }
  std::vector<int> kept_descriptors() const override { return below_->kept_descriptors(); }
  Status recover() override { return below_->recover(); }

 private:
  void show(Attributes& attributes) const {
    attributes.uid = view_.every_uid.value_or(view_.uids.to_mount(attributes.uid));
    attributes.gid = view_.every_gid.value_or(view_.gids.to_mount(attributes.gid));
  }
  Result<Entry> shown(Result<Entry> entry) const {
    if (entry.ok()) show(entry->attributes);
    return entry;
  }
  Result<Attributes> shown(Result<Attributes> attributes) const {
    if (attributes.ok()) show(*attributes);
    return attributes;
  }
  [[nodiscard]] Caller on_disk(Caller caller) const {
    caller.uid = view_.uids.to_disk(caller.uid);
    caller.gid = view_.gids.to_disk(caller.gid);
    return caller;
  }
  template <typename Translate>
  static Result<std::vector<std::byte>> translated(std::span<const std::byte> blob, Translate translate) {
    LAMINA_ASSIGN(const Acl list, Acl::parse(blob));
    return list.with_ids(translate).serialize();
  }

  std::unique_ptr<FileSystem> below_;
  OwnerView view_;
};

}  // namespace

std::unique_ptr<FileSystem> with_owners(std::unique_ptr<FileSystem> file_system, OwnerView view) {
  return std::make_unique<MappedFileSystem>(std::move(file_system), std::move(view));
}

}  // namespace lamina::overlay
