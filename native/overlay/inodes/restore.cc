// The table of a worker that takes over from a dead one, from the records of its inodes.
#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "overlay/inodes/inode_table.h"

namespace lamina::overlay {

// If a move or a copy-up left two records of a node, the later one has the place; both keys lead to it.
std::vector<InodeRef> InodeTable::restore(const InodeRef& root) {
  std::unordered_map<NodeId, InodeRef> inodes;
  inodes.emplace(root->id, root);
  std::vector<NodeRecord*> superseded;
  const auto take = [&](NodeRecord& record) {
    if (&record == root->record) return;
    InodeRef& inode = inodes[record.node.load()];
    if (!inode) {
      inode = std::make_shared<Inode>();
      inode->id = record.node.load();
      inode->record = &record;
      return;
    }
    NodeRecord* other = &record;
    if (record.version > inode->record->version) std::swap(inode->record, other);
    inode->record->lookups.store(std::max(inode->record->lookups.load(), other->lookups.load()));
    superseded.push_back(other);
  };
  store_->recover();
  store_->for_each(take);
  for (const auto& [node, inode] : inodes) {
    if (inode == root) continue;
    NodeRecord& record = *inode->record;
    inode->resolved.store(false, std::memory_order_relaxed);
    inode->ino = record.ino;
    inode->type = std::uint32_t{record.type} << 12U;
    inode->nameless = record.is(NodeRecord::nameless);
    const auto parent = inodes.find(record.parent);
    if (parent != inodes.end()) inode->parent = parent->second;
    enter(record.key(), inode);
    NodeShard& shard = node_shard(node);
    std::lock_guard lock(shard.mutex);
    if (record.lookups.load() != 0) shard.nodes.insert(inode);
  }
  std::vector<InodeRef> changing;
  for (NodeRecord* record : superseded) {
    const InodeRef& inode = inodes.at(record->node.load());
    if (record->key() != inode->record->key()) {
      enter(record->key(), inode);
      inode->add_earlier_key(record->key());
      changing.push_back(inode);
    }
    NodeStore::drop(record);
  }
  return changing;
}

void InodeTable::take_back_key(const InodeRef& inode) {
  std::lock_guard lock(inode->mutex);
  const InodeKey wrong = inode->record->key();
  NodeFields fields = successor(*inode);
  inode->for_each_earlier_key([&](const InodeKey& key) { fields.key = key; });
  supersede(*inode, store_->add(fields));
  drop_key(wrong, *inode);
}

}  // namespace lamina::overlay
