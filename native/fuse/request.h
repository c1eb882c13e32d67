// A request as the kernel sent it, decoded with bounds checked. A pure view of a buffer: nothing here does I/O.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "fuse/abi_messages.h"

namespace lamina::fuse {

class Request {
 public:
  // The header of a message, whatever follows; none if there are too few bytes.
  static std::optional<abi::InHeader> header_of(std::span<const std::byte> message) {
    if (message.size() < sizeof(abi::InHeader)) return std::nullopt;
    abi::InHeader header;
    std::memcpy(&header, message.data(), sizeof header);
    return header;
  }

  // None where the bytes are not a complete request.
  static std::optional<Request> decode(std::span<const std::byte> message) {
    const auto header = header_of(message);
    if (!header || header->len != message.size()) return std::nullopt;
    const std::size_t extensions = std::size_t{header->total_extlen} * 8;
    const std::size_t rest = message.size() - sizeof(abi::InHeader);
    if (rest < extensions) return std::nullopt;
    Request request;
    request.header_ = *header;
    request.arguments_ = message.subspan(sizeof(abi::InHeader), rest - extensions);
    return request;
  }

  [[nodiscard]] const abi::InHeader& header() const { return header_; }
  [[nodiscard]] abi::Opcode opcode() const { return static_cast<abi::Opcode>(header_.opcode); }

  // Takes a fixed structure from the front of the arguments.
  template <typename T>
  std::optional<T> take() {
    if (arguments_.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, arguments_.data(), sizeof(T));
    arguments_ = arguments_.subspan(sizeof(T));
    return value;
  }

  // Takes a name that ends with NUL; none where it does not, or where it is empty.
  std::optional<std::string_view> take_name() {
    const auto text = take_text();
    return text && !text->empty() ? text : std::nullopt;
  }
  // The same, possibly empty.
  std::optional<std::string_view> take_text() {
    const auto* start = reinterpret_cast<const char*>(arguments_.data());
    const void* end = arguments_.empty() ? nullptr : std::memchr(start, '\0', arguments_.size());
    if (end == nullptr) return std::nullopt;
    const std::string_view text(start, static_cast<std::size_t>(static_cast<const char*>(end) - start));
    arguments_ = arguments_.subspan(text.size() + 1);
    return text;
  }

  // Takes exactly `size` bytes.
  std::optional<std::span<const std::byte>> take_bytes(std::size_t size) {
    if (arguments_.size() < size) return std::nullopt;
    const auto bytes = arguments_.first(size);
    arguments_ = arguments_.subspan(size);
    return bytes;
  }
  // Takes all that is left.
  std::span<const std::byte> take_rest() { return std::exchange(arguments_, {}); }

 private:
  abi::InHeader header_{};
  std::span<const std::byte> arguments_;
};

}  // namespace lamina::fuse
