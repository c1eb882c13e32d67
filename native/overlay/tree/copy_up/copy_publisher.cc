#include "overlay/tree/copy_up/copy_publisher.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "overlay/tree/lookup/listings.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/step.h"

namespace lamina::overlay {

namespace {

thread_local std::vector<NodeId> renumbered;

// If this worker dies, the next one finishes the group: see InterruptedGroups.
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

std::vector<NodeId> CopyPublisher::take_renumbered() { return std::exchange(renumbered, {}); }

// All of them or none.
Status CopyPublisher::link_aliases(std::string_view temporary, const std::vector<LinkName>& aliases) {
  std::vector<std::pair<RealFileRef, std::string_view>> made;
  Status linked;
  for (const LinkName& alias : aliases) {
    const auto directory = places_.directory(*alias.directory);
    linked = directory ? upper_files_.link_unseen(work_.place(temporary), {(*directory)->descriptor(), alias.name})
                       : Status(directory.error());
    name_changed(*alias.directory, alias.name);
    if (linked) made.emplace_back(*directory, alias.name);
    if (linked.failed_with(EEXIST)) linked = {};
    if (!linked) break;
  }
  if (linked) return {};
  for (const auto& [directory, alias] : made) {
    // The first error is the one to report.
    static_cast<void>(sys::unlink(directory->descriptor(), alias));
  }
  return linked;
}

void CopyPublisher::note_name(std::uint64_t copy, const InodeRef& directory, const std::string& name) {
  linked_names_.add(copy, [&]() -> Result<std::string> {
    LAMINA_ASSIGN(const std::string path, UpperPlaces::path_of(*directory));
    return join_paths(path, name);
  });
}

Status CopyPublisher::publish(const InodeRef& inode, std::string_view temporary, std::uint64_t copy, bool metacopy,
                              const std::vector<LinkName>& aliases) {
  InodeRef parent;
  std::string name;
  std::uint64_t ino = 0;
  {
    std::lock_guard lock(inode->mutex);
    parent = inode->parent;
    name = inode->name();
    ino = inode->record->key().is_by_path() ? copy : inode->ino.load();
  }
  std::vector<LinkName> others;
  std::copy_if(aliases.begin(), aliases.end(), std::back_inserter(others),
               [&](const auto& each) { return each.directory != parent || each.name != name; });
  const LinkingMark mark(*inode, !others.empty());
  LAMINA_TRY(link_aliases(temporary, others));
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*parent));
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(place->descriptor()));
  InodeTable::NewKey key(table_, inode, {0, copy}, ino, parent, name);
  LAMINA_TRY(upper_files_.rename(work_.place(temporary), {place->descriptor(), name}, RENAME_NOREPLACE));
  name_changed(*parent, name);
  // The merged directory has not changed, so its times stay (fs/overlayfs/copy_up.c does the same).
  LAMINA_TRY(
      sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
  {
    std::lock_guard lock(inode->mutex);
    if (ino != inode->ino) renumbered.push_back(inode->id);
    key.settle();
    inode->has_upper = true;
    if (inode->is_directory()) inode->directory().no_whiteout_files = true;
    inode->metacopy = metacopy;
    if (!inode->is_directory() && !metacopy) inode->lowers.clear();
  }
  if (!others.empty()) note_name(copy, parent, name);
  for (const LinkName& other : others) note_name(copy, other.directory, other.name);
  open_files_.erase(inode->id);
  return {};
}

Status CopyPublisher::publish_unnamed(const InodeRef& inode, std::string_view temporary) {
  const int flags = inode->is_regular() ? O_RDWR : O_PATH | O_NOFOLLOW;
  auto opened = sys::open_child(work_.descriptor(), temporary, flags);
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
  open_files_.erase(inode->id);
  return {};
}

}  // namespace lamina::overlay
