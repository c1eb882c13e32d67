#include "overlay/inodes/node_store.h"

#include <cstring>
#include <mutex>
#include <new>

#include "sys/step.h"

namespace lamina::overlay {

namespace {
// Address space only. A page is allocated at its first use.
constexpr std::size_t most = std::size_t{64} << 30U;
constexpr unsigned type_shift = 12;
}  // namespace

NodeStore::NodeStore(sys::SharedMemory memory) : memory_(std::move(memory)) {
  const auto start = reinterpret_cast<std::uintptr_t>(memory_.bytes().data());
  base_ = reinterpret_cast<std::byte*>((start + chunk_size - 1) / chunk_size * chunk_size);
  header().next_node.store(root_node);
  header().chunks.store(1);
}

sys::Result<std::unique_ptr<NodeStore>> NodeStore::make() {
  LAMINA_ASSIGN(sys::SharedMemory memory, sys::SharedMemory::reserve(most));
  return std::unique_ptr<NodeStore>(new NodeStore(std::move(memory)));
}

NodeStore::Chunk* NodeStore::new_chunk(std::size_t record_size) {
  std::size_t number = 0;
  if (!free_chunks_.empty()) {
    number = free_chunks_.back();
    free_chunks_.pop_back();
  } else {
    number = header().chunks.load(std::memory_order_relaxed);
    const auto end = memory_.bytes().data() + memory_.bytes().size();
    if (reinterpret_cast<std::byte*>(chunk(number + 1)) > end) throw std::bad_alloc();
    header().chunks.store(number + 1, std::memory_order_release);
  }
  Chunk* made = chunk(number);
  made->store = this;
  made->used = 0;
  made->free = nullptr;
  // Its records are free: the memory is zero.
  made->record_size = static_cast<std::uint32_t>(record_size);
  for (std::size_t each = records_in(*made); each-- > 0;) {
    NodeRecord* one = record(*made, each);
    one->parent = reinterpret_cast<NodeId>(made->free);
    made->free = one;
  }
  open(*made);
  return made;
}

void NodeStore::open(Chunk& chunk) {
  Chunk*& first = open_[class_of(chunk.record_size)];
  chunk.previous = nullptr;
  chunk.next = first;
  if (first != nullptr) first->previous = &chunk;
  first = &chunk;
}

void NodeStore::close(Chunk& chunk) {
  if (chunk.previous != nullptr) {
    chunk.previous->next = chunk.next;
  } else {
    open_[class_of(chunk.record_size)] = chunk.next;
  }
  if (chunk.next != nullptr) chunk.next->previous = chunk.previous;
  chunk.next = chunk.previous = nullptr;
}

NodeRecord* NodeStore::add(const NodeFields& fields) {
  const std::size_t length = std::min(fields.name.size(), longest_name);
  std::size_t size = (sizeof(NodeRecord) + length + step - 1) / step * step;
  if (size > largest_shared) size = chunk_size - sizeof(Chunk);
  NodeRecord* made = nullptr;
  {
    std::lock_guard lock(mutex_);
    Chunk* from = open_[class_of(size)];
    if (from == nullptr) from = new_chunk(size);
    made = from->free;
    from->free = reinterpret_cast<NodeRecord*>(made->parent);
    ++from->used;
    if (from->free == nullptr) close(*from);
  }
  made->parent = fields.parent;
  made->lookups.store(0, std::memory_order_relaxed);
  made->ino = fields.ino;
  made->identity = fields.key.identity;
  made->layer = static_cast<std::uint32_t>(fields.key.layer);
  made->pin.store(fields.pin, std::memory_order_relaxed);
  made->version = fields.version;
  made->name_length = static_cast<std::uint16_t>(length);
  made->type = static_cast<std::uint8_t>(fields.type >> type_shift);
  made->flags.store(fields.flags, std::memory_order_relaxed);
  fields.name.copy(reinterpret_cast<char*>(made + 1), length);
  made->node.store(fields.node, std::memory_order_release);
  sys::step("record");
  return made;
}

void NodeStore::drop(NodeRecord* record) {
  record->node.store(0, std::memory_order_release);
  sys::step("no record");
  const auto at = reinterpret_cast<std::uintptr_t>(record);
  reinterpret_cast<Chunk*>(at / chunk_size * chunk_size)->store->put_back(record);
}

void NodeStore::put_back(NodeRecord* record) {
  const auto at = reinterpret_cast<std::uintptr_t>(record);
  Chunk& its = *reinterpret_cast<Chunk*>(at / chunk_size * chunk_size);
  std::lock_guard lock(mutex_);
  if (its.free == nullptr) open(its);
  record->parent = reinterpret_cast<NodeId>(its.free);
  its.free = record;
  // One chunk with room stays of each class: else its last record would allocate and free it repeatedly.
  if (--its.used != 0 ||
      (its.next == nullptr && its.previous == nullptr && class_of(its.record_size) != class_count - 1))
    return;
  close(its);
  memory_.give_back({reinterpret_cast<std::byte*>(&its), chunk_size});
  free_chunks_.push_back(static_cast<std::size_t>(reinterpret_cast<std::byte*>(&its) - base_) / chunk_size);
}

void NodeStore::recover() {
  std::lock_guard lock(mutex_);
  open_ = {};
  free_chunks_.clear();
  for (std::size_t number = 1; number < header().chunks.load(); ++number) {
    Chunk& each = *chunk(number);
    if (each.record_size == 0) {
      free_chunks_.push_back(number);
      continue;
    }
    each.used = 0;
    each.free = nullptr;
    for (std::size_t i = records_in(each); i-- > 0;) {
      NodeRecord* one = record(each, i);
      if (one->node.load() != 0) {
        ++each.used;
        continue;
      }
      one->parent = reinterpret_cast<NodeId>(each.free);
      each.free = one;
    }
    if (each.free != nullptr) open(each);
  }
}

void NodeStore::for_each(const std::function<void(NodeRecord&)>& use) const {
  for (std::size_t number = 1; number < header().chunks.load(); ++number) {
    Chunk& each = *chunk(number);
    for (std::size_t i = 0; each.record_size != 0 && i < records_in(each); ++i) {
      if (record(each, i)->node.load() != 0) use(*record(each, i));
    }
  }
}

}  // namespace lamina::overlay
