// The write-intercepting filter of a mount: rules, the journal of changing operations, and the read set.
// Paths are relative to the mount's root, without a leading slash. Thread-safe; recording waits for the disk only when
// it has fallen far behind.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "filter/operation.h"
#include "sys/result.h"

namespace lamina::filter {

using sys::Result;
using sys::Status;

enum class Decision { capture, ephemeral, protect };

// `opened`: content was read. `whole`: a directory was removed, which tests whether it is empty, or renamed, which
// moves what is below; successful or not.
enum class ReadKind { found, absent, listed, opened, link, xattr, whole };

// One changing operation that has succeeded.
struct Change {
  Operation operation;
  std::string_view path;
  std::string_view second;  // as format_of(operation).second says; else empty
  std::int32_t pid = 0;     // of the calling thread
  std::uint32_t uid = 0, gid = 0;
};

// Identifies the change that is recorded, so that it is not recorded again after a worker's death.
struct Receipt {
  std::uint64_t request = 0;
  std::uint32_t ordinal = 0;                       // which of the request's changes, from 1
  std::atomic<std::uint32_t>* recorded = nullptr;  // gets the ordinal once the change is recorded
};

struct FilterOptions {
  std::string rules;     // JSON file, or empty: everything is captured
  std::string journal;   // NDJSON file, or empty: no journal
  std::string read_set;  // written by close, or empty: reads are not recorded
};

class Filter {
 public:
  // Nothing is recorded before start(). On failure `explanation` gets one line for people.
  static Result<std::unique_ptr<Filter>> open(const FilterOptions& options, std::string& explanation);
  virtual ~Filter() = default;

  // Starts the writing thread: call it after the last fork(2). Takes over what a process recorded that was forked from
  // the same one and has died.
  virtual Status start() = 0;
  [[nodiscard]] virtual Decision decide(std::string_view path) const = 0;
  // Whether decide() may protect a path below `directory`, existing or not.
  [[nodiscard]] virtual bool may_protect_below(std::string_view directory) const = 0;
  [[nodiscard]] virtual bool records_reads() const = 0;
  [[nodiscard]] virtual bool records_changes() const = 0;
  virtual void record_change(const Change& change, const Receipt& receipt = {}) = 0;
  // The last change that was recorded with a receipt.
  [[nodiscard]] virtual Receipt last_receipt() const = 0;
  virtual void record_read(ReadKind kind, std::string_view path) = 0;
  // Returns when all changes recorded so far are in the journal and on disk. Once writing has failed, every call
  // returns that error.
  virtual Status flush() = 0;
  // Flushes, writes the read set, stops the writing thread. Returns the first error of all writing. What is recorded
  // later is left out.
  virtual Status close() = 0;
};

}  // namespace lamina::filter
