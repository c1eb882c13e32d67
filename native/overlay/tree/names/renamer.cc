#include "overlay/tree/names/renamer.h"

#include <stdio.h>

#include <mutex>
#include <string>

#include "overlay/tree/lookup/permissions.h"
#include "sys/names.h"
#include "sys/status.h"

namespace lamina::overlay {

using sys::Errno;

// Removes what a rename replaced, after it exchanged the names, unless an earlier attempt did.
Status Renamer::finish_exchange(const RenameSide& from, std::uint64_t replaced) {
  auto left = sys::status_at(from.descriptor(), from.name);
  if (is_absent(left)) return {};
  if (!left) return left.error();
  if (left->ino != replaced) return {};  // it is removed already, and a whiteout is there
  const UpperPlace replaced_entry{from.descriptor(), from.name};
  if (left->is_whiteout() && from.below) return {};
  if (left->is_directory() || from.below) return work_.remove(replaced_entry, from.below);
  return upper_files_.unlink(replaced_entry);
}

// Whether a rename exchanges the two names first, and then removes what was replaced. A file that replaces another is
// written to disk at once (ext4_rename(), "auto_da_alloc"): where nothing need last, that is in vain.
bool Renamer::exchanges(const RenameSide& from, const RenameSide& to) const {
  const sys::FileStatus* replaced = to.found.upper_status();
  if (replaced == nullptr) return false;
  return from.is_directory() || (!synchronous_ && !replaced->is_directory() && !replaced->is_whiteout());
}

Status Renamer::replace_name(RenameSide& from, RenameSide& to) {
  const UpperPlace source{from.descriptor(), from.name}, target{to.descriptor(), to.name};
  if (!exchanges(from, to)) return upper_files_.rename(source, target, from.below ? RENAME_WHITEOUT : 0U);
  LAMINA_TRY(upper_files_.rename(source, target, RENAME_EXCHANGE));
  return finish_exchange(from, to.found.upper_status()->ino);
}

// The inode number under the name in the upper; 0 if nothing is there.
Result<std::uint64_t> Renamer::upper_number(const RenameSide& side) {
  auto status = sys::status_at(side.descriptor(), side.name);
  if (is_absent(status)) return std::uint64_t{0};
  if (!status) return status.error();
  return status->ino;
}

Status Renamer::exchange_names(RenameSide& from, RenameSide& to, Attempt* attempt) {
  if (attempt != nullptr) {
    LAMINA_ASSIGN(const std::uint64_t first, upper_number(from));
    LAMINA_ASSIGN(const std::uint64_t second, upper_number(to));
    attempt->begin({first, second});
  }
  LAMINA_TRY(upper_files_.rename({from.descriptor(), from.name}, {to.descriptor(), to.name}, RENAME_EXCHANGE));
  const InodeRef other = to.inode;
  moved(from.inode, to);
  moved(other, from);
  return {};
}

// After a rename in the upper.
void Renamer::note_moved(const RenameSide& from, const RenameSide& to, RenameMode mode) {
  const bool exchange = mode == RenameMode::exchange;
  if (!from.is_directory() && !(exchange && to.is_directory())) return;
  group_places_.upper_changed([&](Redirects& redirects) {
    const auto source = UpperPlaces::path_of(*from.directory);
    const auto target = UpperPlaces::path_of(*to.directory);
    if (!source || !target) return false;
    const std::string one = join_paths(*source, from.name);
    const std::string other = join_paths(*target, to.name);
    if (exchange) {
      redirects.exchanged(one, other, from.redirect, to.redirect);
    } else {
      redirects.moved(one, other, from.redirect);
    }
    return true;
  });
}

void Renamer::moved(const InodeRef& inode, const RenameSide& to) {
  groups_.names_have_changed();
  if (!inode) return;
  std::lock_guard lock(inode->mutex);
  table_.move(*inode, to.directory, to.name);
}

// Whether an earlier attempt has renamed; then its remaining steps are done.
Result<bool> Renamer::finish_rename(RenameSide& from, RenameSide& to, RenameMode mode,
                                    const Attempt::Evidence& evidence) {
  const auto& [source, target, victim_layer, victim_identity] = evidence;
  LAMINA_ASSIGN(const std::uint64_t there, upper_number(to));
  if (there != source) return false;
  const InodeRef inode = table_.find({0, source});
  if (mode == RenameMode::exchange) {
    moved(table_.find({0, target}), from);
  } else {
    if (target != 0) LAMINA_TRY(finish_exchange(from, target));
    removed_.unlinked(table_.find({victim_layer, victim_identity}), to.directory, to.name);
  }
  moved(inode, to);
  group_places_.forget_upper();  // the worker that died knew where the redirects are
  name_changed(*from.directory, from.name);
  name_changed(*to.directory, to.name);
  return true;
}

Status Renamer::rename_onto(RenameSide& from, RenameSide& to, const Interrupted& interrupted, Attempt* attempt) {
  if (to.found.visible()) {
    if (from.is_directory() && !to.is_directory()) return Errno{ENOTDIR};
    if (!from.is_directory() && to.is_directory()) return Errno{EISDIR};
    if (to.is_directory()) {
      LAMINA_ASSIGN(const ListingRef names, listings_.of(*to.inode));
      if (!names->empty()) return Errno{ENOTEMPTY};
    }
  }
  LAMINA_TRY(preparation_.source(from, to, interrupted));
  // Copying up one name of a hard-link group may have made the other.
  LAMINA_ASSIGN(to.found, names_.find(*to.directory, to.name));
  InodeRef victim;
  InodeKey key;
  if (to.found.visible()) {
    LAMINA_ASSIGN(key, keys_.of(to.found));
    LAMINA_ASSIGN(victim, removed_.pin(to.directory, to.name, to.found));
  }
  if (attempt != nullptr) {
    LAMINA_ASSIGN(const std::uint64_t source, upper_number(from));
    const std::uint64_t replaced = exchanges(from, to) ? to.found.upper_status()->ino : 0;
    attempt->begin({source, replaced, key.layer, key.identity});
  }
  LAMINA_TRY(replace_name(from, to));
  removed_.unlinked(victim, to.directory, to.name);
  moved(from.inode, to);
  return {};
}

Status Renamer::rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name,
                       RenameMode mode, const Interrupted& interrupted, Attempt* attempt) {
  TreeLock::Exclusive lock(tree_);
  if (attempt != nullptr && attempt->begun()) {
    LAMINA_ASSIGN(RenameSide from, sides_.place(parent, name));
    LAMINA_ASSIGN(RenameSide to, sides_.place(new_parent, new_name));
    LAMINA_ASSIGN(const bool done, finish_rename(from, to, mode, attempt->evidence()));
    if (done) return {};
  }
  LAMINA_ASSIGN(RenameSide from, sides_.find(parent, name));
  if (!from.found.visible()) return Errno{ENOENT};
  LAMINA_ASSIGN(RenameSide to, sides_.find(new_parent, new_name));
  if (mode == RenameMode::no_replace && to.found.visible()) return Errno{EEXIST};
  if (mode == RenameMode::exchange && !to.found.visible()) return Errno{ENOENT};
  if (to.inode == from.inode) return {};  // two names of one file: rename(2) leaves both
  LAMINA_TRY(allow_removal(*from.directory, from.found));
  if (to.found.visible()) LAMINA_TRY(allow_removal(*to.directory, to.found));
  if (mode == RenameMode::exchange) {
    LAMINA_TRY(preparation_.source(from, to, interrupted));
    LAMINA_TRY(preparation_.source(to, from, interrupted));
    LAMINA_TRY(exchange_names(from, to, attempt));
  } else {
    LAMINA_TRY(rename_onto(from, to, interrupted, attempt));
  }
  note_moved(from, to, mode);
  name_changed(*from.directory, from.name);
  name_changed(*to.directory, to.name);
  return {};
}

}  // namespace lamina::overlay
