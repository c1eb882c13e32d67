// Directories. Offsets are the names' cookies; "." and ".." come first, at 1 and 2.
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "server/session.h"

namespace lamina::server {

Answer Session::readdir(Exchange& exchange, const abi::ReadIn& in) { return list(exchange, in, false); }
Answer Session::readdirplus(Exchange& exchange, const abi::ReadIn& in) { return list(exchange, in, true); }

// Packs entries into an answer as long as they fit.
class Session::Packer {
 public:
  Packer(std::span<std::byte> room, bool plus) : room_(room), head_(plus ? sizeof(abi::EntryOut) : 0) {}

  [[nodiscard]] bool fits(std::string_view name) const { return size_ + length(name) <= room_.size(); }
  // Leaves out what does not fit.
  void add(const abi::EntryOut& entry, std::uint64_t ino, std::uint64_t offset, std::uint32_t type,
           std::string_view name) {
    if (!fits(name)) return;
    std::byte* at = room_.data() + size_;
    std::memset(at, 0, length(name));
    std::memcpy(at, &entry, head_);
    constexpr unsigned type_shift = 12;  // DT_* of dirent.h are the type bits of a mode
    const abi::Dirent dirent{ino, offset, static_cast<std::uint32_t>(name.size()), type >> type_shift};
    std::memcpy(at + head_, &dirent, sizeof dirent);
    std::memcpy(at + head_ + sizeof dirent, name.data(), name.size());
    size_ += length(name);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return room_.first(size_); }

 private:
  [[nodiscard]] std::size_t length(std::string_view name) const { return head_ + abi::dirent_size(name.size()); }

  std::span<std::byte> room_;
  std::size_t head_;
  std::size_t size_ = 0;
};

namespace {
constexpr std::uint64_t dot = 1, dot_dot = 2;
}  // namespace

sys::Result<std::uint64_t> Session::parent_ino(overlay::NodeId node) {
  LAMINA_ASSIGN(const overlay::Entry parent, file_system_.lookup(node, ".."));
  file_system_.forget(parent.node, 1);
  return parent.attributes.ino;
}

// "." and "..", which the kernel looks up by itself: node 0 means that they have no attributes.
sys::Status Session::list_dots(Packer& packer, overlay::NodeId node, std::uint64_t offset) {
  if (offset < dot) {
    LAMINA_ASSIGN(const overlay::Attributes self, file_system_.attributes(node));
    packer.add({}, self.ino, dot, S_IFDIR, ".");
  }
  if (offset < dot_dot) {
    LAMINA_ASSIGN(const std::uint64_t ino, parent_ino(node));
    packer.add({}, ino, dot_dot, S_IFDIR, "..");
  }
  return {};
}

Answer Session::list(Exchange& exchange, const abi::ReadIn& in, bool plus) {
  was_read(filter::ReadKind::listed, exchange.node());
  const auto listing = file_system_.list(exchange.node());
  if (!listing.ok()) return listing.error();
  Packer packer(exchange.scratch().first(std::min<std::size_t>(in.size, exchange.scratch().size())), plus);
  LAMINA_TRY(list_dots(packer, exchange.node(), in.offset));
  const auto& names = **listing;
  auto next = names.after(in.offset);
  for (; next != names.end() && packer.fits(next->name) && exchange.slot().has_room_for_raised(); ++next) {
    abi::EntryOut out{};
    if (plus) {
      const auto entry = file_system_.lookup(exchange.node(), next->name);
      if (entry.failed_with(ENOENT)) continue;  // gone since the listing was made
      // An entry that cannot be looked up is listed without attributes: its own lookup reports the failure.
      if (entry.ok()) {
        out = to_entry(*entry);
        exchange.slot().raised(entry->node);
      }
    }
    packer.add(out, out.nodeid != 0 ? out.attr.ino : next->ino, next->cookie, next->type, next->name);
  }
  return Exchange::reply_scratch(packer.bytes());
}

}  // namespace lamina::server
