#include "overlay/owners/owner_layer.h"

#include "overlay/upper/acl.h"

namespace lamina::overlay {

namespace {

class OwnerLayer final : public Layer {
 public:
  OwnerLayer(std::unique_ptr<Layer> below, const OwnerView& view)
      : below_(std::move(below)), uids_(view.uids), gids_(view.gids) {}

  Result<LowerEntry> lookup(const LowerRef& directory, std::string_view name) const override {
    return on_disk(below_->lookup(directory, name));
  }
  Result<LowerEntry> lookup_listed(const LowerRef& directory, std::string_view name) const override {
    return on_disk(below_->lookup_listed(directory, name));
  }
  Result<LowerEntry> get(const LowerRef& reference) const override { return on_disk(below_->get(reference)); }
  Result<Attributes> attributes(const LowerRef& reference) const override {
    LAMINA_ASSIGN(Attributes its, below_->attributes(reference));
    restore_owner(its);
    return its;
  }
  Result<std::vector<std::byte>> xattr(const LowerRef& reference, std::string_view name) const override {
    auto value = below_->xattr(reference, name);
    if (!value.ok() || (name != access_acl_name && name != default_acl_name)) return value;
    LAMINA_ASSIGN(const Acl list, Acl::parse(*value));
    return list.with_ids([this](bool user, std::uint32_t id) { return user ? uids_.to_disk(id) : gids_.to_disk(id); })
        .serialize();
  }

  // What has no owners passes through.
  LowerRef root() const override { return below_->root(); }
  Result<std::vector<Child>> list(const LowerRef& directory) const override { return below_->list(directory); }
  Result<std::string> read_link(const LowerRef& reference) const override { return below_->read_link(reference); }
  Result<std::string> xattr_names(const LowerRef& reference) const override { return below_->xattr_names(reference); }
  Result<sys::FileDescriptor> open(const LowerRef& reference, int flags) const override {
    return below_->open(reference, flags);
  }
  Result<std::vector<std::string>> link_group(const LowerRef& reference) const override {
    return below_->link_group(reference);
  }
  Result<std::vector<std::string>> links_below(const LowerRef& directory) const override {
    return below_->links_below(directory);
  }
  Result<std::vector<RedirectMark>> redirects() const override { return below_->redirects(); }
  Result<std::uint64_t> identity(const LowerRef& reference) const override { return below_->identity(reference); }
  Result<std::string> path(const LowerRef& reference) const override { return below_->path(reference); }
  bool indexed() const override { return below_->indexed(); }
  std::uint64_t fingerprint() const override { return below_->fingerprint(); }

 private:
  Result<LowerEntry> on_disk(Result<LowerEntry> entry) const {
    if (!entry.ok()) return entry;
    restore_owner(entry->attributes);
    return entry;
  }
  void restore_owner(Attributes& attributes) const {
    attributes.uid = uids_.to_disk(attributes.uid);
    attributes.gid = gids_.to_disk(attributes.gid);
  }

  std::unique_ptr<Layer> below_;
  const IdMap uids_, gids_;
};

}  // namespace

std::unique_ptr<Layer> with_owners_taken_back(std::unique_ptr<Layer> layer, const OwnerView& view) {
  return std::make_unique<OwnerLayer>(std::move(layer), view);
}

}  // namespace lamina::overlay
