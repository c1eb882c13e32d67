// What the server knows of an operation of the protocol: one row of the table in operations.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sys/result.h"

namespace lamina::server {

class Exchange;
class Session;

// What an operation that has succeeded answers. The bytes are the exchange's, or live as long as it.
struct Reply {
  // Done once the answer was sent, whether or not it was accepted.
  using Afterwards = void (Session::*)(const Exchange&);

  std::span<const std::byte> head, body;
  Afterwards afterwards = nullptr;

  [[nodiscard]] std::size_t size() const { return head.size() + body.size(); }
};

// The answer, or the error that the caller gets.
using Answer = sys::Result<Reply>;
inline Answer answer_of(const sys::Status& status) { return status.ok() ? Answer(Reply()) : Answer(status.error()); }

// An operation is handled in one of three ways, which the types distinguish: by a handler that returns its answer; by
// one that returns nothing because no answer is due; or by no handler: then the answer is ENOSYS, and the kernel does
// not send the operation again.
struct Operation {
  const char* name = nullptr;      // null: not known
  std::size_t structure_size = 0;  // of the structure that its arguments begin with
  unsigned names = 0;              // that follow the structure
  // The kernel assumes that names are unchanged, if its client is killed before the answer.
  bool changes_names = false;
  Answer (*handle)(Session& session, Exchange& exchange) = nullptr;
  void (*handle_unanswered)(Session& session, Exchange& exchange) = nullptr;

  [[nodiscard]] bool answered() const { return handle_unanswered == nullptr; }
};

}  // namespace lamina::server
