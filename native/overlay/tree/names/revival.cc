#include "overlay/tree/names/revival.h"

#include <fcntl.h>

#include <memory>
#include <mutex>

#include "sys/file_handle.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

// The same of a file of which the name that we knew is gone.
Result<InodeRef> Revival::revive_nameless(NodeId node, const ForgottenNodes::Record& record) {
  const ForgottenNodes::Nameless& file = *record.nameless;
  RealFileRef real;
  if (!file.handle.empty()) {
    auto opened = sys::open_file_handle(work_.parent(), file.handle, O_PATH);
    if (opened.failed_with(EPERM)) return Errno{ESTALE};  // without root no client can use handles either
    if (!opened) return opened.error();
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(opened->get()));
    if (status.nlink == 0 || status.ino != record.key.identity) return Errno{ESTALE};
    real = std::make_shared<const RealFile>(opened->release());
  }
  InodeRef inode = table_.intern(record.key, "", [&] {
    auto made = std::make_shared<Inode>();
    made->type = file.type;
    made->ino = file.ino;
    made->has_upper = real != nullptr;
    made->metacopy = file.metacopy;
    made->lowers = file.lowers;
    made->nameless = made->other_names = true;
    return made;
  });
  {
    std::lock_guard lock(inode->mutex);
    if (inode->nameless && real && !inode->pinned()) inode->pin(real);
    if (inode->nameless) inode->unlink();
  }
  auto links = inode->has_upper || inode->id != node ? Result<std::uint32_t>(1U) : links_of_lower(*inode);
  if (links && *links > 0 && inode->id == node) return inode;
  table_.forget(inode->id, 1);
  return links ? Errno{ESTALE} : links.error();
}

Result<std::uint32_t> Revival::links_of_lower(Inode& inode) {
  LowerPlace lower;
  {
    std::lock_guard lock(inode.mutex);
    lower = inode.lowers.front();
  }
  LAMINA_ASSIGN(const Attributes attributes, lowers_.of(lower).attributes(lower.reference));
  LAMINA_ASSIGN(const std::uint32_t links, groups_.visible_links(inode, lower, attributes.nlink));
  return links;
}

Result<InodeRef> Revival::revive(NodeId node) {
  if (auto known = resolver_.get(node); !known.failed_with(ESTALE)) {
    if (known) table_.raise(*known);
    return known;
  }
  const auto record = table_.forgotten(node);
  if (!record) return Errno{ESTALE};
  if (record->nameless) return revive_nameless(node, *record);
  LAMINA_ASSIGN(const InodeRef parent, revive(record->parent));
  const auto search = [&]() -> Result<InodeRef> {
    if (!parent->is_directory()) return Errno{ESTALE};
    LAMINA_ASSIGN(const Found found, names_.find(*parent, record->name));
    if (!found.visible()) return Errno{ESTALE};
    LAMINA_ASSIGN(InodeRef inode, resolver_.intern(parent, record->name, found));
    if (inode->id == node) return inode;
    table_.forget(inode->id, 1);
    return Errno{ESTALE};
  };
  auto found = search();
  table_.forget(parent->id, 1);
  return found;
}

}  // namespace lamina::overlay
