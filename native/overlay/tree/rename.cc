// Renaming. Never EXDEV: a directory that a lower has gets a redirect, or is copied up whole where redirects are off or
// do not fit.
#include <fcntl.h>

#include <optional>

#include "overlay/tree/overlay.h"
#include "overlay/tree/permissions.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

// One name of a rename.
struct RenameSide {
  InodeRef directory;
  RealFileRef place;
  std::string name;
  Found found;
  InodeRef inode;        // where something is there; holds no lookup count
  bool below = false;    // a lower shows the name, so a whiteout or an opaque directory must hide it
  std::string redirect;  // the path in the lowers that it was redirected to for this rename
  [[nodiscard]] int descriptor() const { return place->descriptor(); }
  [[nodiscard]] bool is_directory() const { return inode && inode->is_directory(); }
};

// The place of a name, existing or not.
Result<RenameSide> Overlay::rename_place(NodeId parent, std::string_view name) {
  RenameSide side;
  LAMINA_ASSIGN(side.directory, writable_directory(parent, name));
  side.name = name;
  LAMINA_ASSIGN(side.place, upper_directory(*side.directory));
  LAMINA_ASSIGN(side.below, visible_below(*side.directory, name));
  return side;
}

Result<RenameSide> Overlay::rename_side(NodeId parent, std::string_view name) {
  LAMINA_ASSIGN(RenameSide side, rename_place(parent, name));
  LAMINA_ASSIGN(side.found, find(*side.directory, name));
  if (side.found.visible()) {
    LAMINA_ASSIGN(side.inode, intern(side.directory, name, side.found));
    table_.forget(side.inode->id, 1);
  }
  return side;
}

// The path, with a leading slash, at which the lowers by themselves show what lies below a name of the upper: what an
// absolute redirect must say (ovl_get_redirect() of fs/overlayfs/dir.c). Not the path that it has in its own layer:
// those above may have renamed a directory on the way.
Result<std::string> Overlay::lower_path(InodeRef directory, std::string name) {
  std::string path;
  for (;;) {
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    const auto redirect = sys::get_xattr(place->descriptor(), name, marks_.redirect);
    if (!redirect && !redirect.failed_with(ENODATA) && !redirect.failed_with(EOPNOTSUPP)) return redirect.error();
    if (redirect) name.assign(reinterpret_cast<const char*>(redirect->data()), redirect->size());
    path = path.empty() ? name : name + "/" + path;
    if (path.front() == '/') return path;
    if (directory == root_) return "/" + path;
    InodeRef parent;
    {
      std::lock_guard lock(directory->mutex);
      name = directory->name();
      parent = directory->parent;
    }
    directory = std::move(parent);
  }
}

namespace {
// A path may be longer than the space left for attributes: ext4 keeps them in one block.
bool lacks_room(const Status& marked) { return marked.failed_with(ENOSPC) || marked.failed_with(E2BIG); }
}  // namespace

// Gives a directory what keeps its content the same under the other name.
Status Overlay::prepare_directory(RenameSide& from, RenameSide& to, const Interrupted& interrupted) {
  std::optional<LowerPlace> lower;
  {
    std::lock_guard lock(from.inode->mutex);
    if (!from.inode->lowers.empty()) lower = from.inode->lowers.front();
  }
  if (lower && (!options_.redirect_dir || options_.user_xattr)) {
    LAMINA_TRY(copy_up_tree(from.inode, interrupted));
    lower.reset();
  }
  LAMINA_TRY(copy_up(from.inode, CopyUp::data, interrupted));
  if (lower) LAMINA_TRY(copy_up_links_below(from.inode, interrupted));
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*from.inode));
  if (lower) {
    LAMINA_ASSIGN(const std::string path, lower_path(from.directory, from.name));
    const Status marked = upper_files_.set_mark({place->descriptor(), ""}, marks_.redirect, path);
    if (lacks_room(marked)) return copy_up_tree(from.inode, interrupted);
    LAMINA_TRY(marked);
    from.redirect = path.substr(1);
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(place->descriptor()));
    return copies_.mark_number(*from.inode, {place->descriptor(), ""}, status.ino);
  }
  if (to.below) return upper_files_.set_mark({place->descriptor(), ""}, marks_.opaque, opaque_value);
  return {};
}

Status Overlay::prepare_source(RenameSide& from, RenameSide& to, const Interrupted& interrupted) {
  if (from.is_directory()) return prepare_directory(from, to, interrupted);
  LAMINA_TRY(copy_up_name(from.directory, from.name, from.inode, CopyUp::attributes, interrupted));
  return redirect_metacopy(from.inode, from.directory, from.name, interrupted);
}

// A metacopy under another name finds its data by an absolute redirect, or has it where a redirect finds no room.
// `directory` and `name` are where the file is now.
Status Overlay::redirect_metacopy(const InodeRef& inode, const InodeRef& directory, const std::string& name,
                                  const Interrupted& interrupted) {
  const auto mark = [&]() -> Status {
    // Whoever completes the data removes the redirect, and holds this lock meanwhile.
    const std::lock_guard completing(inode->copy_up);
    {
      const std::lock_guard lock(inode->mutex);
      if (!inode->metacopy) return {};
    }
    LAMINA_ASSIGN(const std::string path, lower_path(directory, name));
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    return upper_files_.set_mark({place->descriptor(), name}, marks_.redirect, path);
  };
  const Status marked = mark();
  return lacks_room(marked) ? copy_up(inode, CopyUp::data, interrupted) : marked;
}

// Removes what a rename replaced, after it exchanged the names, unless an earlier attempt did.
Status Overlay::finish_exchange(const RenameSide& from, std::uint64_t replaced) {
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
bool Overlay::exchanges(const RenameSide& from, const RenameSide& to) const {
  const sys::FileStatus* replaced = to.found.upper_status();
  if (replaced == nullptr) return false;
  return from.is_directory() || (!options_.synchronous && !replaced->is_directory() && !replaced->is_whiteout());
}

Status Overlay::replace_name(RenameSide& from, RenameSide& to) {
  const UpperPlace source{from.descriptor(), from.name}, target{to.descriptor(), to.name};
  if (!exchanges(from, to)) return upper_files_.rename(source, target, from.below ? RENAME_WHITEOUT : 0U);
  LAMINA_TRY(upper_files_.rename(source, target, RENAME_EXCHANGE));
  return finish_exchange(from, to.found.upper_status()->ino);
}

// The inode number under the name in the upper; 0 if nothing is there.
Result<std::uint64_t> Overlay::upper_number(const RenameSide& side) {
  auto status = sys::status_at(side.descriptor(), side.name);
  if (is_absent(status)) return std::uint64_t{0};
  if (!status) return status.error();
  return status->ino;
}

Status Overlay::exchange_names(RenameSide& from, RenameSide& to, Attempt* attempt) {
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
void Overlay::note_moved(const RenameSide& from, const RenameSide& to, RenameMode mode) {
  const bool exchange = mode == RenameMode::exchange;
  if (!from.is_directory() && !(exchange && to.is_directory())) return;
  group_places_.upper_changed([&](Redirects& redirects) {
    const auto source = path_of(*from.directory);
    const auto target = path_of(*to.directory);
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

void Overlay::moved(const InodeRef& inode, const RenameSide& to) {
  names_version_.fetch_add(1);
  if (!inode) return;
  std::lock_guard lock(inode->mutex);
  table_.move(*inode, to.directory, to.name);
}

// Whether an earlier attempt has renamed; then its remaining steps are done.
Result<bool> Overlay::finish_rename(RenameSide& from, RenameSide& to, RenameMode mode,
                                    const Attempt::Evidence& evidence) {
  const auto& [source, target, victim_layer, victim_identity] = evidence;
  LAMINA_ASSIGN(const std::uint64_t there, upper_number(to));
  if (there != source) return false;
  const InodeRef inode = table_.find({0, source});
  if (mode == RenameMode::exchange) {
    moved(table_.find({0, target}), from);
  } else {
    if (target != 0) LAMINA_TRY(finish_exchange(from, target));
    unlinked(table_.find({victim_layer, victim_identity}), to.directory, to.name);
  }
  moved(inode, to);
  group_places_.forget_upper();  // the worker that died knew where the redirects are
  touched(*from.directory);
  touched(*to.directory);
  return true;
}

Status Overlay::rename_onto(RenameSide& from, RenameSide& to, const Interrupted& interrupted, Attempt* attempt) {
  if (to.found.visible()) {
    if (from.is_directory() && !to.is_directory()) return Errno{ENOTDIR};
    if (!from.is_directory() && to.is_directory()) return Errno{EISDIR};
    if (to.is_directory()) {
      LAMINA_ASSIGN(const ListingRef names, list_inode(*to.inode));
      if (!names->empty()) return Errno{ENOTEMPTY};
    }
  }
  LAMINA_TRY(prepare_source(from, to, interrupted));
  // Copying up one name of a hard-link group may have made the other.
  LAMINA_ASSIGN(to.found, find(*to.directory, to.name));
  InodeRef victim;
  InodeKey key;
  if (to.found.visible()) {
    LAMINA_ASSIGN(key, key_of(to.found));
    LAMINA_ASSIGN(victim, pin(to.directory, to.name, to.found));
  }
  if (attempt != nullptr) {
    LAMINA_ASSIGN(const std::uint64_t source, upper_number(from));
    const std::uint64_t replaced = exchanges(from, to) ? to.found.upper_status()->ino : 0;
    attempt->begin({source, replaced, key.layer, key.identity});
  }
  LAMINA_TRY(replace_name(from, to));
  unlinked(victim, to.directory, to.name);
  moved(from.inode, to);
  return {};
}

Status Overlay::rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name,
                       RenameMode mode, const Interrupted& interrupted, Attempt* attempt) {
  TreeLock::Exclusive lock(tree_);
  if (attempt != nullptr && attempt->begun()) {
    LAMINA_ASSIGN(RenameSide from, rename_place(parent, name));
    LAMINA_ASSIGN(RenameSide to, rename_place(new_parent, new_name));
    LAMINA_ASSIGN(const bool done, finish_rename(from, to, mode, attempt->evidence()));
    if (done) return {};
  }
  LAMINA_ASSIGN(RenameSide from, rename_side(parent, name));
  if (!from.found.visible()) return Errno{ENOENT};
  LAMINA_ASSIGN(RenameSide to, rename_side(new_parent, new_name));
  if (mode == RenameMode::no_replace && to.found.visible()) return Errno{EEXIST};
  if (mode == RenameMode::exchange && !to.found.visible()) return Errno{ENOENT};
  if (to.inode == from.inode) return {};  // two names of one file: rename(2) leaves both
  LAMINA_TRY(allow_removal(*from.directory, from.found));
  if (to.found.visible()) LAMINA_TRY(allow_removal(*to.directory, to.found));
  if (mode == RenameMode::exchange) {
    LAMINA_TRY(prepare_source(from, to, interrupted));
    LAMINA_TRY(prepare_source(to, from, interrupted));
    LAMINA_TRY(exchange_names(from, to, attempt));
  } else {
    LAMINA_TRY(rename_onto(from, to, interrupted, attempt));
  }
  note_moved(from, to, mode);
  touched(*from.directory);
  touched(*to.directory);
  return {};
}

}  // namespace lamina::overlay
