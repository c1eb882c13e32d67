#include "overlay/inodes/inode_table.h"

#include <utility>
#include <vector>

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

NodeFields InodeTable::successor(const Inode& inode) {
  const NodeRecord& record = *inode.record;
  NodeFields fields;
  fields.node = inode.id;
  fields.parent = record.parent;
  fields.ino = record.ino;
  fields.key = record.key();
  fields.type = inode.type;
  fields.version = record.version + 1;
  fields.pin = record.pin.load();
  fields.flags = record.flags.load() & static_cast<std::uint8_t>(~NodeRecord::linking);
  fields.name = record.name();
  return fields;
}

void InodeTable::raise(const InodeRef& inode) {
  NodeShard& shard = node_shard(inode->id);
  std::lock_guard lock(shard.mutex);
  if (inode->record->lookups.fetch_add(1) == 0) shard.nodes.insert(inode);
}

InodeRef InodeTable::intern(const InodeKey& key, std::string_view name, const std::function<InodeRef()>& make) {
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  std::weak_ptr<Inode>& slot = shard.inodes[key];
  InodeRef inode = slot.lock();
  if (!inode) {
    inode = make();
    const auto before = forgotten_.take(key);
    inode->id = before ? *before : store_->next_node();
    NodeFields fields;
    fields.node = inode->id;
    fields.parent = inode->parent ? inode->parent->id : 0;
    fields.ino = inode->ino;
    fields.key = key;
    fields.type = inode->type;
    fields.name = name;
    inode->record = store_->add(fields);
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

void InodeTable::enter(const InodeKey& key, const InodeRef& inode) {
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  shard.inodes[key] = inode;
}

void InodeTable::add(const InodeRef& inode, const InodeKey& key) {
  inode->id = store_->next_node();
  NodeFields fields;
  fields.node = inode->id;
  fields.ino = inode->ino;
  fields.key = key;
  fields.type = inode->type;
  fields.flags = NodeRecord::nameless;
  if (const RealFileRef pinned = inode->pinned()) fields.pin = pinned->descriptor();
  inode->record = store_->add(fields);
  enter(key, inode);
  raise(inode);
}

// The count moves under the lock under which it changes; the inode's mutex is held.
void InodeTable::supersede(Inode& inode, NodeRecord* record) {
  NodeRecord* before = inode.record;
  {
    std::lock_guard lock(node_shard(inode.id).mutex);
    record->lookups.store(before->lookups.load());
    inode.record = record;
  }
  NodeStore::drop(before);
}

void InodeTable::move(Inode& inode, const InodeRef& parent, std::string_view name) {
  NodeFields fields = successor(inode);
  fields.parent = parent->id;
  fields.name = name;
  fields.flags = 0;
  fields.pin = -1;
  supersede(inode, store_->add(fields));
  inode.parent = parent;
  inode.nameless = false;
  inode.unpin();
}

void InodeTable::replace(const InodeRef& inode, const InodeRef& other) {
  NodeFields fields = successor(*inode);
  fields.node = other->id = store_->next_node();
  fields.version = 0;
  other->record = store_->add(fields);
  inode->for_each_earlier_key([&](const InodeKey& key) {
    other->add_earlier_key(key);
    enter(key, other);
  });
  enter(fields.key, other);
  inode->replace_by(other);
}

void InodeTable::keep_lower_path(Inode& inode, std::string_view path) {
  // The next worker cannot find a longer one again.
  if (path.size() > NodeStore::longest_name) return;
  NodeFields fields = successor(inode);
  fields.name = path;
  fields.flags = NodeRecord::nameless | NodeRecord::lower_path;
  supersede(inode, store_->add(fields));
}

InodeTable::NewKey::NewKey(InodeTable& table, const InodeRef& inode, const InodeKey& key, std::uint64_t ino,
                           InodeRef parent, std::string_view name)
    : table_(table), inode_(inode), key_(key), parent_(std::move(parent)) {
  std::lock_guard lock(inode->mutex);
  NodeFields fields = successor(*inode);
  fields.key = key;
  fields.ino = ino;
  fields.parent = parent_->id;
  fields.name = name;
  fields.flags = 0;
  fields.pin = -1;
  record_ = table_.store_->add(fields);
  table_.enter(key, inode);
}

InodeTable::NewKey::~NewKey() {
  if (record_ == nullptr) return;
  table_.drop_key(key_, *inode_);
  NodeStore::drop(record_);
}

void InodeTable::NewKey::settle() {
  inode_->add_earlier_key(inode_->record->key());
  // Another of its names may have been looked up meanwhile.
  record_->version = std::max(record_->version, inode_->record->version + 1);
  table_.supersede(*inode_, std::exchange(record_, nullptr));
  inode_->ino = inode_->record->ino;
  inode_->parent = parent_;
  inode_->nameless = false;
}

bool InodeTable::forget(NodeId node, std::uint64_t count) {
  NodeShard& shard = node_shard(node);
  InodeRef last;
  {
    std::lock_guard lock(shard.mutex);
    const auto found = shard.nodes.find(node);
    if (found == shard.nodes.end()) return false;
    last = *found;
    const std::uint64_t held = last->record->lookups.load();
    if (held > count || node == root_node) {
      last->record->lookups.store(held > count ? held - count : 0);
      return false;
    }
  }
  // Before it is removed: a lookup by file handle then finds it here or there.
  remember(*last);
  {
    std::lock_guard lock(shard.mutex);
    const auto found = shard.nodes.find(node);
    if (found == shard.nodes.end()) return false;
    const std::uint64_t held = last->record->lookups.load();
    last->record->lookups.store(held > count ? held - count : 0);
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
    if (inode.replaced || (!inode.nameless && !inode.parent)) return;
    record.key = inode.record->key();
    if (inode.nameless) {
      record.nameless = ForgottenNodes::nameless_file(inode);
      if (!record.nameless) return;
    } else {
      record.parent = inode.parent->id;
      record.name = inode.name();
    }
  }
  forgotten_.remember(inode.id, std::move(record));
}

void InodeTable::drop_key(const InodeKey& key, const Inode& inode) {
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.inodes.find(key);
  if (found == shard.inodes.end()) return;
  const InodeRef present = found->second.lock();
  if (!present || present.get() == &inode) shard.inodes.erase(found);
}

// For an inode without other references.
void InodeTable::drop_keys(Inode& inode) {
  const auto drop = [&](const InodeKey& key) {
    KeyShard& shard = key_shard(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.inodes.find(key);
    if (found == shard.inodes.end()) return;
    const InodeRef present = found->second.lock();
    const bool unused = present.get() == &inode && present.use_count() <= 2 && inode.record->lookups.load() == 0;
    if (!present || unused) shard.inodes.erase(found);
  };
  drop(inode.record->key());
  inode.for_each_earlier_key(drop);
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
