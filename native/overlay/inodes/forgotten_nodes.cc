#include "overlay/inodes/forgotten_nodes.h"

#include "sys/file_handle.h"

namespace lamina::overlay {

std::shared_ptr<const ForgottenNodes::Nameless> ForgottenNodes::nameless_file(const Inode& inode) {
  if (!inode.other_names) return nullptr;
  auto file = std::make_shared<Nameless>();
  file->ino = inode.ino;
  file->type = inode.type;
  file->metacopy = inode.metacopy;
  file->lowers = inode.lowers;
  if (!inode.has_upper) return file;
  const RealFileRef pinned = inode.pinned();
  if (!pinned) return nullptr;
  auto handle = sys::file_handle_of(pinned->descriptor());
  if (!handle) return nullptr;  // its file system has no handles
  file->handle = std::move(*handle);
  return file;
}

void ForgottenNodes::remember(NodeId node, Record record) {
  const InodeKey key = record.key;
  // The key first: so that dropping the record also finds its key.
  {
    KeyShard& shard = key_shard(key);
    std::lock_guard lock(shard.mutex);
    shard.nodes[key] = node;
  }
  std::vector<std::pair<InodeKey, NodeId>> dropped;
  {
    NodeShard& shard = node_shard(node);
    std::lock_guard lock(shard.mutex);
    const auto [place, is_new] = shard.records.try_emplace(node);
    if (is_new) {
      shard.order.push_back(node);
    } else if (place->second.key != key) {
      dropped.emplace_back(place->second.key, node);
    }
    place->second = std::move(record);
    while (shard.records.size() > most_in_shard || shard.order.size() > 2 * most_in_shard) {
      const auto oldest = shard.records.find(shard.order.front());
      shard.order.pop_front();
      if (oldest == shard.records.end()) continue;
      dropped.emplace_back(oldest->second.key, oldest->first);
      shard.records.erase(oldest);
    }
  }
  for (const auto& [old_key, its_node] : dropped) drop_key(old_key, its_node);
}

void ForgottenNodes::drop_key(const InodeKey& key, NodeId node) {
  KeyShard& shard = key_shard(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.nodes.find(key);
  if (found != shard.nodes.end() && found->second == node) shard.nodes.erase(found);
}

std::optional<ForgottenNodes::Record> ForgottenNodes::find(NodeId node) const {
  const NodeShard& shard = node_shard(node);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.records.find(node);
  if (found == shard.records.end()) return std::nullopt;
  return found->second;
}

std::optional<NodeId> ForgottenNodes::take(const InodeKey& key) {
  NodeId node = 0;
  {
    KeyShard& shard = key_shard(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.nodes.find(key);
    if (found == shard.nodes.end()) return std::nullopt;
    node = found->second;
    shard.nodes.erase(found);
  }
  NodeShard& shard = node_shard(node);
  std::lock_guard lock(shard.mutex);
  const auto record = shard.records.find(node);
  if (record != shard.records.end() && record->second.key == key) shard.records.erase(record);
  return node;
}

}  // namespace lamina::overlay
