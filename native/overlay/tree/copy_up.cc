// Copy-up: copies an object of a lower to the upper. It is built in work and renamed once, so that the upper never shows
// half of it.
#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <mutex>

#include "overlay/layers/attributes.h"
#include "overlay/tree/overlay.h"
#include "overlay/upper/acl.h"
#include "sys/data.h"
#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/step.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
thread_local std::vector<NodeId> renumbered;
}

std::vector<NodeId> Overlay::take_renumbered() { return std::exchange(renumbered, {}); }

Status Overlay::copy_up_parents(const InodeRef& inode, const Interrupted& interrupted) {
  InodeRef parent;
  {
    std::lock_guard lock(inode->mutex);
    if (inode->nameless) return {};
    parent = inode->parent;
  }
  return parent ? copy_up(parent, CopyUp::attributes, interrupted) : Status();
}

Status Overlay::copy_up(const InodeRef& inode, CopyUp what, const Interrupted& interrupted) {
  {
    std::lock_guard lock(inode->mutex);
    // The inode was looked up before it was replaced: with ESTALE, the kernel resolves the path again.
    if (inode->replaced) return Errno{ESTALE};
    if (inode->has_upper && (!inode->metacopy || what == CopyUp::attributes)) return {};
  }
  if (!upper_) return Errno{EROFS};
  LAMINA_TRY(copy_up_parents(inode, interrupted));
  std::vector<std::pair<InodeRef, std::string>> aliases;
  LowerPlace source;
  bool done = false;
  {
    std::lock_guard lock(inode->mutex);
    done = inode->has_upper;
    if (!done) source = inode->lowers.front();
  }
  if (!done) {
    LAMINA_ASSIGN(aliases, aliases_of(inode, source, interrupted));
  }
  std::lock_guard guard(inode->copy_up);
  bool metacopy = false;
  bool nameless = false;
  {
    std::lock_guard lock(inode->mutex);
    done = inode->has_upper;
    metacopy = inode->metacopy;
    // Any remaining name of its hard-link group serves as its own.
    if (inode->nameless && !aliases.empty() && !done) {
      table_.move(*inode, aliases.front().first, aliases.front().second);
    }
    nameless = inode->nameless;
  }
  if (done) return metacopy && what != CopyUp::attributes ? complete_data(inode, interrupted) : Status();
  LAMINA_ASSIGN(LowerEntry entry, lowers_.of(source).get(source.reference));
  copy_ups_.fetch_add(1, std::memory_order_relaxed);
  if (nameless && !inode->is_directory()) return copy_up_unnamed(inode, entry, interrupted);
  const bool attributes_only =
      what == CopyUp::attributes && options_.metacopy && !options_.user_xattr && inode->is_regular() && entry.attributes.size > 0;
  if (!attributes_only && what == CopyUp::attributes) what = CopyUp::data;
  const std::string temporary = temporary_name();
  const auto copy = build_copy(*inode, source, entry, temporary, what, interrupted);
  const Status built = copy ? publish_copy(inode, temporary, *copy, attributes_only, aliases) : Status(copy.error());
  if (!built) {
    const Status discarded = discard(temporary);
    return discarded || discarded.failed_with(ENOENT) ? built : discarded;
  }
  return {};
}

// Returns the copy's number in the upper.
Result<std::uint64_t> Overlay::build_copy(Inode& inode, const LowerPlace& source, const LowerEntry& entry,
                                          std::string_view temporary, CopyUp what, const Interrupted& interrupted) {
  const Attributes& from = entry.attributes;
  switch (inode.type) {
    case 0040000U:
      LAMINA_TRY(sys::make_directory(work(), temporary, 0700));
      break;
    case 0120000U: {
      LAMINA_ASSIGN(const std::string target, lowers_.of(source).read_link(source.reference));
      LAMINA_TRY(sys::make_symlink(work(), temporary, target));
      break;
    }
    case 0100000U:
      LAMINA_TRY(fill_copy(inode, entry, temporary, what, interrupted));
      break;
    default:
      LAMINA_TRY(sys::make_node(work(), temporary, inode.type | 0600, from.rdev_major, from.rdev_minor));
  }
  LAMINA_TRY(sys::change_owner(work(), temporary, from.uid, from.gid));
  LAMINA_ASSIGN(const sys::FileStatus copy, sys::status_at(work(), temporary));
  if (entry.marks.protection.any()) LAMINA_TRY(mark_protection(work(), temporary, entry.marks.protection));
  LAMINA_ASSIGN(const std::string names, lowers_.of(source).xattr_names(source.reference));
  Status copied;
  const auto copy_xattr = [&](std::string_view name) {
    auto value = lowers_.of(source).xattr(source.reference, name);
    copied = value ? sys::set_xattr(work(), temporary, name, *value) : Status(value.error());
  };
  bool has_list = false;
  sys::for_each_name(names, [&](std::string_view name) {
    has_list = has_list || name == access_acl_name;
    if (copied && !marks_.is_private(name) && name != access_acl_name) copy_xattr(name);
  });
  // The list acts as a mode: it may deny the owner what the other attributes need.
  if (copied && has_list) copy_xattr(access_acl_name);
  LAMINA_TRY(copied);
  // Last, in the space that is left. If the hard links are separated, the others keep the lower's number: the copy has its own,
  // as the in the kernel.
  if (!inode.is_directory() && !splits_on_copy_up(lowers_.of(source), from)) {
    LAMINA_TRY(mark_number(inode, work(), temporary, copy.ino));
  }
  if (inode.type != 0120000U) LAMINA_TRY(sys::change_mode(work(), temporary, from.mode & 07777U));
  LAMINA_TRY(sys::change_times(work(), temporary, sys::TimeChange::to(to_file_time(from.atime)),
                               sys::TimeChange::to(to_file_time(from.mtime))));
  return copy.ino;
}

// So that the inode keeps its st_ino: the copy has the number `own` in the upper's file system. Where there is no space for
// the mark its older form may fit, which cannot detect copies made in the upper; if that does not fit either, the inode gets
// another number with the next mount.
Status Overlay::mark_number(const Inode& inode, int directory, std::string_view name, std::uint64_t own) {
  const auto value = encode(LowerNumber{inode.ino, lowers_.fingerprint(), own, upper_number_});
  for (const std::size_t size : {lower_number_size, older_lower_number_size}) {
    const auto set = [&] { return sys::set_xattr(directory, name, marks_.lamina_ino, std::span(value).first(size)); };
    const Status marked = upper_files_.with_access({{directory, name}}, set);
    // Without root, user.* attributes exist on files and directories only: such a file gets a new number.
    if (options_.user_xattr && marked.failed_with(EPERM)) return {};
    if (!marked.failed_with(ENOSPC) && !marked.failed_with(E2BIG)) return marked;
  }
  return {};
}

Status Overlay::fill_copy(Inode& inode, const LowerEntry& entry, std::string_view temporary, CopyUp what,
                          const Interrupted& interrupted) {
  LAMINA_ASSIGN(const sys::FileDescriptor to, sys::open_child(work(), temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (what == CopyUp::attributes) {
    LAMINA_TRY(sys::set_size(to.get(), entry.attributes.size));
    return upper_files_.set_mark({work(), temporary}, marks_.metacopy, "");
  }
  if (what == CopyUp::no_data || entry.attributes.size == 0) return {};
  LowerPlace data;
  {
    std::lock_guard lock(inode.mutex);
    // For a metacopy the attributes are first, the data last.
    data = inode.lowers.back();
  }
  LAMINA_ASSIGN(const RealFileRef from, open_lower(data, O_RDONLY));
  LAMINA_ASSIGN(const std::uint64_t copied, sys::copy_data(from->descriptor(), to.get(), entry.attributes.size, interrupted));
  copy_up_bytes_.fetch_add(copied, std::memory_order_relaxed);
  return {};
}

namespace {
// If this worker dies, the next one finishes the group: see Overlay::finish_group.
class LinkingMark {
 public:
  LinkingMark(Inode& inode, bool needed) : inode_(inode) {
    const std::lock_guard lock(inode.mutex);
    if (needed) record_ = inode.record;
    if (record_ != nullptr) record_->flags.fetch_or(NodeRecord::linking);
    if (record_ != nullptr) sys::step("linking");
  }
  LinkingMark(const LinkingMark&) = delete;
  LinkingMark& operator=(const LinkingMark&) = delete;
  // With its new key the inode has a new record.
  ~LinkingMark() {
    const std::lock_guard lock(inode_.mutex);
    if (record_ != nullptr && inode_.record == record_) record_->flags.fetch_and(static_cast<std::uint8_t>(~NodeRecord::linking));
  }

 private:
  Inode& inode_;
  NodeRecord* record_ = nullptr;
};
}  // namespace

// All of them or none.
Status Overlay::link_aliases(std::string_view temporary, const std::vector<std::pair<InodeRef, std::string>>& aliases) {
  std::vector<std::pair<RealFileRef, std::string_view>> made;
  Status linked;
  for (const auto& [directory, alias] : aliases) {
    const auto place = upper_directory(*directory);
    linked = place ? link_unseen(work(), temporary, **place, alias) : Status(place.error());
    touched(*directory);
    if (linked) made.emplace_back(*place, alias);
    if (linked.failed_with(EEXIST)) linked = {};
    if (!linked) break;
  }
  if (linked) return {};
  for (const auto& [place, alias] : made) {
    // The first error is the one to report.
    static_cast<void>(sys::unlink(place->descriptor(), alias));
  }
  return linked;
}

Status Overlay::publish_copy(const InodeRef& inode, std::string_view temporary, std::uint64_t copy, bool metacopy,
                             const std::vector<std::pair<InodeRef, std::string>>& aliases) {
  InodeRef parent;
  std::string name;
  std::uint64_t ino = 0;
  {
    std::lock_guard lock(inode->mutex);
    parent = inode->parent;
    name = inode->name();
    ino = inode->record->key().is_by_path() ? copy : inode->ino.load();
  }
  std::vector<std::pair<InodeRef, std::string>> others;
  std::copy_if(aliases.begin(), aliases.end(), std::back_inserter(others),
               [&](const auto& each) { return each.first != parent || each.second != name; });
  const LinkingMark mark(*inode, !others.empty());
  LAMINA_TRY(link_aliases(temporary, others));
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*parent));
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(place->descriptor()));
  InodeTable::NewKey key(table_, inode, {0, copy}, ino, parent, name);
  LAMINA_TRY(upper_files_.rename({work(), temporary}, {place->descriptor(), name}, RENAME_NOREPLACE));
  // The merged directory has not changed, so its times stay (fs/overlayfs/copy_up.c does the same).
  LAMINA_TRY(sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
  {
    std::lock_guard lock(inode->mutex);
    if (ino != inode->ino) renumbered.push_back(inode->id);
    key.settle();
    inode->has_upper = true;
    inode->metacopy = metacopy;
    if (!inode->is_directory() && !metacopy) inode->lowers.clear();
  }
  const auto note = [&](const InodeRef& directory, std::string_view its) {
    linked_names_.add(copy, [&]() -> Result<std::string> {
      LAMINA_ASSIGN(const std::string path, path_of(*directory));
      return join_paths(path, its);
    });
  };
  if (!others.empty()) note(parent, name);
  for (const auto& [directory, alias] : others) note(directory, alias);
  files_.erase(inode->id);
  touched(*parent);
  return {};
}

// A file whose last name is removed gets a copy without a name, which lives as long as the inode.
Status Overlay::copy_up_unnamed(const InodeRef& inode, const LowerEntry& entry, const Interrupted& interrupted) {
  LowerPlace source;
  {
    std::lock_guard lock(inode->mutex);
    source = inode->lowers.front();
  }
  const std::string temporary = temporary_name();
  const auto built = build_copy(*inode, source, entry, temporary, CopyUp::data, interrupted);
  auto opened = built ? sys::open_child(work(), temporary, inode->is_regular() ? O_RDWR : O_PATH | O_NOFOLLOW)
                      : Result<sys::FileDescriptor>(built.error());
  const Status discarded = discard(temporary);
  if (!opened) return opened.error();
  LAMINA_TRY(discarded);
  LAMINA_ASSIGN(const sys::FileStatus copy, sys::status_of(opened->get()));
  std::lock_guard lock(inode->mutex);
  if (inode->record->key().is_by_path()) {
    inode->ino = copy.ino;
    renumbered.push_back(inode->id);
  }
  inode->has_upper = true;
  inode->lowers.clear();
  inode->pin(std::make_shared<const RealFile>(opened->release()));
  files_.erase(inode->id);
  return {};
}

// The whiteouts of a directory that is opaque now. They hide nothing, and the kernel lists them: it treats an opaque directory as
// one without whiteouts (fs/overlayfs/readdir.c, ovl_dir_is_real).
Status Overlay::drop_whiteouts(const RealFile& directory) {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, sys::reopen(directory.descriptor(), O_RDONLY | O_DIRECTORY));
  std::vector<std::string> devices;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    if (each.type == 0020000U || each.type == 0) devices.emplace_back(each.name);
    return {};
  }));
  for (const std::string& name : devices) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(opened.get(), name));
    if (status.is_whiteout()) LAMINA_TRY(sys::unlink(opened.get(), name));
  }
  return {};
}

// All below a directory, so that it can be renamed without a redirect.
Status Overlay::copy_up_tree(const InodeRef& directory, const Interrupted& interrupted) {
  LAMINA_TRY(copy_up(directory, CopyUp::data, interrupted));
  LAMINA_ASSIGN(const ListingRef names, list_inode(*directory));
  for (const DirectoryEntry& each : *names) {
    LAMINA_ASSIGN(const Found found, find(*directory, each.name));
    if (!found.visible()) continue;
    LAMINA_ASSIGN(const InodeRef child, intern(directory, each.name, found));
    const Status copied = child->is_directory() ? copy_up_tree(child, interrupted)
                                                : copy_up_name(directory, each.name, child, CopyUp::data, interrupted);
    table_.forget(child->id, 1);
    LAMINA_TRY(copied);
  }
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
  LAMINA_TRY(upper_files_.set_mark({place->descriptor(), ""}, marks_.opaque, opaque_value));
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(place->descriptor()));
  LAMINA_TRY(drop_whiteouts(*place));
  LAMINA_TRY(sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
  std::lock_guard lock(directory->mutex);
  directory->lowers.clear();
  directory->directory().lower_children.reset();
  directory->directory().listing.reset();
  return {};
}

}  // namespace lamina::overlay
