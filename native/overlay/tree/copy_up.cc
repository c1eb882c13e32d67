// Copy-up: copies an object of a lower to the upper. It is built in work and renamed once, so that the upper never
// shows half of it.
#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <mutex>

#include "overlay/tree/overlay.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/step.h"

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
  const bool attributes_only = what == CopyUp::attributes && options_.metacopy && !options_.user_xattr &&
                               inode->is_regular() && entry.attributes.size > 0;
  if (!attributes_only && what == CopyUp::attributes) what = CopyUp::data;
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_ASSIGN(const std::uint64_t copy, copies_.build(*inode, source, entry, temporary, what, interrupted));
    return publish_copy(inode, temporary, copy, attributes_only, aliases);
  });
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
    if (record_ != nullptr && inode_.record == record_)
      record_->flags.fetch_and(static_cast<std::uint8_t>(~NodeRecord::linking));
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
    linked = place ? link_unseen(work_.descriptor(), temporary, **place, alias) : Status(place.error());
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
  LAMINA_TRY(upper_files_.rename(work_.place(temporary), {place->descriptor(), name}, RENAME_NOREPLACE));
  // The merged directory has not changed, so its times stay (fs/overlayfs/copy_up.c does the same).
  LAMINA_TRY(
      sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
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
  const std::string temporary = work_.new_name();
  const auto built = copies_.build(*inode, source, entry, temporary, CopyUp::data, interrupted);
  auto opened = built
                    ? sys::open_child(work_.descriptor(), temporary, inode->is_regular() ? O_RDWR : O_PATH | O_NOFOLLOW)
                    : Result<sys::FileDescriptor>(built.error());
  const Status discarded = work_.discard(temporary);
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

}  // namespace lamina::overlay
