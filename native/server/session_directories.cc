// Directories. Offsets are the names' cookies; "." and ".." come first, at 1 and 2.
#include <algorithm>
#include <cstring>

#include "server/session.h"

namespace lamina::server {

using filter::ReadKind;

void Session::opendir(Exchange& exchange) {
  if (options_.mode == Mode::stateless) return exchange.answer_error(ENOSYS);
  was_read(ReadKind::listed, subject(exchange.node()));
  abi::OpenOut out{};
  out.open_flags = abi::open::keep_cache | abi::open::cache_dir;
  exchange.answer_with(out);
}

void Session::readdir(Exchange& exchange) { list(exchange, false); }
void Session::readdirplus(Exchange& exchange) { list(exchange, true); }

namespace {

// Packs entries into an answer as long as they fit.
class Packer {
 public:
  Packer(std::span<std::byte> room, bool plus) : room_(room), head_(plus ? sizeof(abi::EntryOut) : 0) {}

  [[nodiscard]] bool fits(std::string_view name) const { return size_ + head_ + abi::dirent_size(name.size()) <= room_.size(); }
  void add(const abi::EntryOut& entry, std::uint64_t ino, std::uint64_t offset, std::uint32_t type, std::string_view name) {
    const std::size_t length = head_ + abi::dirent_size(name.size());
    std::byte* at = room_.data() + size_;
    std::memset(at, 0, length);
    std::memcpy(at, &entry, head_);
    constexpr unsigned type_shift = 12;  // DT_* of dirent.h are the type bits of a mode
    const abi::Dirent dirent{ino, offset, static_cast<std::uint32_t>(name.size()), type >> type_shift};
    std::memcpy(at + head_, &dirent, sizeof dirent);
    std::memcpy(at + head_ + sizeof dirent, name.data(), name.size());
    size_ += length;
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return room_.first(size_); }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  std::span<std::byte> room_;
  std::size_t head_;
  std::size_t size_ = 0;
};

constexpr std::uint32_t directory_type = 0040000U;
constexpr std::uint64_t dot = 1, dot_dot = 2;

}  // namespace

void Session::list(Exchange& exchange, bool plus) {
  const auto in = exchange.request().take<abi::ReadIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const auto listing = file_system_.list(exchange.node());
  if (!listing.ok()) return exchange.answer_error(listing.error().value);
  Packer packer(exchange.scratch().first(std::min<std::size_t>(in->size, exchange.scratch().size())), plus);
  // The kernel looks "." and ".." up by itself: node 0 says that they come without attributes.
  const abi::EntryOut none{};
  const auto self = file_system_.attributes(exchange.node());
  const std::uint64_t ino = self.ok() ? self->ino : exchange.node();
  if (in->offset < dot && packer.fits(".")) packer.add(none, ino, dot, directory_type, ".");
  if (in->offset < dot_dot && packer.fits("..")) packer.add(none, ino, dot_dot, directory_type, "..");
  const auto& names = **listing;
  auto next = std::upper_bound(names.begin(), names.end(), in->offset,
                               [](std::uint64_t offset, const overlay::DirectoryEntry& entry) { return offset < entry.cookie; });
  for (; next != names.end() && packer.fits(next->name); ++next) {
    abi::EntryOut out{};
    if (plus) {
      const auto entry = file_system_.lookup(exchange.node(), next->name);
      if (entry.failed_with(ENOENT)) continue;  // gone since the listing was made
      if (!entry.ok()) {
        if (packer.empty()) return exchange.answer_error(entry.error().value);
        break;
      }
      out = to_entry(*entry);
    }
    packer.add(out, plus ? out.attr.ino : next->ino, next->cookie, next->type, next->name);
  }
  exchange.answer(packer.bytes());
}

}  // namespace lamina::server
