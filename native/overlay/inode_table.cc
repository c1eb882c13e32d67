#include "overlay/inode_table.h"

namespace lamina::overlay {

using sys::Errno;

Result<InodeRef> InodeTable::get(NodeId node) const {
  const NodeShard& shard = node_shard(node);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.nodes.find(node);
  if (found == shard.nodes.end()) return Errno{ESTALE};
  InodeRef inode = *found;
  while (inode->replaced.load(std::memory_order_acquire)) inode = InodeRef(inode->replacement());
  return inode;
}

void InodeTable::replace(const InodeRef& inode, const InodeRef& other) {
  other->id = next_.fetch_add(1);
  other->keys.for_each([&](const InodeKey& key) {
    KeyShard& shard = key_shard(key);
    std::lock_guard lock(shard.mutex);
    shard.inodes[key] = other;
  });
  std::lock_guard lock(inode->mutex);
  inode->replace_by(other);
}

void InodeTable::raise(const InodeRef& inode) {
  NodeShard& shard = node_shard(inode->id);
  std::lock_guard lock(shard.mutex);
  if (inode->lookups.fetch_add(1) == 0) shard.nodes.insert(inode);
}

InodeRef InodeTable::intern(const InodeKey& key, const std::function<InodeRef()>& make) {
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  std::weak_ptr<Inode>& slot = shard.inodes[key];
  InodeRef inode = slot.lock();
  if (!inode) {
    inode = make();
    const auto before = forgotten_.take(key);
    inode->id = before ? *before : next_.fetch_add(1);
    inode->keys.push_back(key);
    slot = inode;
  }
  raise(inode);
  return inode;
}

InodeRef InodeTable::find(const InodeKey& key) const {
  const KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.inodes.find(key);
  return found == shard.inodes.end() ? nullptr : found->second.lock();
}

void InodeTable::add_key(const InodeRef& inode, const InodeKey& key) {
  {
    std::lock_guard lock(inode->mutex);
    inode->keys.push_back(key);
  }
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  shard.inodes[key] = inode;
}

void InodeTable::add(const InodeRef& inode) {
  inode->id = next_.fetch_add(1);
  raise(inode);
}

bool InodeTable::forget(NodeId node, std::uint64_t count) {
  NodeShard& shard = node_shard(node);
  InodeRef last;
  {
    std::lock_guard lock(shard.mutex);
    const auto found = shard.nodes.find(node);
    if (found == shard.nodes.end()) return false;
    last = *found;
    const std::uint64_t held = last->lookups.load();
    if (held > count || node == root_node) {
      last->lookups.store(held > count ? held - count : 0);
      return false;
    }
  }
  // Before it goes: whoever asks by a file handle finds it here or there.
  remember(*last);
  {
    std::lock_guard lock(shard.mutex);
    const auto found = shard.nodes.find(node);
    if (found == shard.nodes.end()) return false;
    const std::uint64_t held = last->lookups.load();
    last->lookups.store(held > count ? held - count : 0);
    if (held > count) return false;
    shard.nodes.erase(found);
  }
  // The keys go with the last reference; a child that still refers to it keeps it findable.
  if (last.use_count() != 1) return true;
  if (last->replaced) {
    drop_keys(*InodeRef(last->replacement()));
  } else {
    drop_keys(*last);
  }
  return true;
}

void InodeTable::remember(Inode& inode) {
  ForgottenNodes::Record record;
  {
    std::lock_guard lock(inode.mutex);
    if (inode.nameless || inode.replaced || !inode.parent || inode.keys.empty()) return;
    record = {inode.keys.back(), inode.parent->id, inode.name};
  }
  forgotten_.remember(inode.id, std::move(record));
}

void InodeTable::drop_keys(Inode& inode) {
  inode.keys.for_each([&](const InodeKey& key) {
    KeyShard& shard = key_shard(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.inodes.find(key);
    if (found == shard.inodes.end()) return;
    const InodeRef present = found->second.lock();
    if (!present || (present.get() == &inode && present.use_count() <= 2 && inode.lookups.load() == 0)) shard.inodes.erase(found);
  });
}

std::uint64_t InodeTable::size() const {
  std::uint64_t total = 0;
  for (const NodeShard& shard : nodes_) {
    std::lock_guard lock(shard.mutex);
    total += shard.nodes.size();
  }
  return total;
}

}  // namespace lamina::overlay
