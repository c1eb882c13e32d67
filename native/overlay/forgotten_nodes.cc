#include "overlay/forgotten_nodes.h"

namespace lamina::overlay {

void ForgottenNodes::remember(NodeId node, Record record) {
  std::lock_guard lock(mutex_);
  const auto known = records_.find(node);
  if (known != records_.end()) {
    by_key_.erase(known->second.key);
    by_key_[record.key] = node;
    known->second = std::move(record);
    return;
  }
  by_key_[record.key] = node;
  records_.emplace(node, std::move(record));
  order_.push_back(node);
  while (records_.size() > most || order_.size() > 2 * most) {
    const auto oldest = records_.find(order_.front());
    order_.pop_front();
    if (oldest == records_.end()) continue;
    by_key_.erase(oldest->second.key);
    records_.erase(oldest);
  }
}

std::optional<ForgottenNodes::Record> ForgottenNodes::find(NodeId node) const {
  std::lock_guard lock(mutex_);
  const auto found = records_.find(node);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

std::optional<NodeId> ForgottenNodes::take(const InodeKey& key) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const NodeId node = found->second;
  records_.erase(node);
  by_key_.erase(found);
  return node;
}

}  // namespace lamina::overlay
