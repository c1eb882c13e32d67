// The journal of changing operations (docs/format-driver.md, "Journal"): recorded under a short lock in memory that
// outlives the process, written by a thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "filter/filter.h"
#include "sys/file_descriptor.h"
#include "sys/shared_memory.h"

namespace lamina::filter {

// Which files were written by which processes since another operation touched them.
class WriterSet {
 public:
  // True: this write is the first of its kind.
  bool first_write(std::string_view path, std::int32_t pid);
  // Another operation on `path`, which may be a directory that is moved with all below it.
  void touched(std::string_view path, bool with_all_below);

 private:
  std::map<std::string, std::vector<std::int32_t>, std::less<>> writers_;
};

class Journal {
 public:
  // Creates the file. EEXIST where it is not empty: a journal belongs to one mount.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, std::string& explanation);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // Begins to write; continues for a process that was forked from the same one and has died. After the last fork(2).
  Status start();
  // Waits only while the memory is full of unwritten records.
  void record(const Change& change, const Receipt& receipt);
  // The last that was recorded for a receipt, in this process or before; `recorded` is null.
  [[nodiscard]] Receipt last_receipt() const;
  // Waits until all that was recorded is on disk. The first error of writing is returned by this and every later call.
  Status flush();
  // Flushes and ends the thread. Recording later is an error of the caller and has no effect.
  Status close();

 private:
  // A byte of the journal has the same place in the file, and, modulo its size, in the ring.
  struct State {
    std::uint64_t end = 0;     // of the last line
    std::uint64_t number = 0;  // of the last record
    std::uint64_t request = 0;
    std::uint32_t ordinal = 0;
  };
  struct Head {
    std::array<State, 2> states;
    std::atomic<std::uint32_t> current;  // which of them is valid
    std::atomic<std::uint64_t> written;  // what is before it is in the file
    std::atomic<int> error;              // the first write error; nothing is written after it
  };
  static constexpr std::size_t ring_size = std::size_t{2} << 20U;
  static constexpr std::size_t page = 4096;

  Journal(sys::FileDescriptor file, sys::SharedMemory memory) : file_(std::move(file)), memory_(std::move(memory)) {}
  [[nodiscard]] Head& head() const { return *reinterpret_cast<Head*>(memory_.bytes().data()); }
  [[nodiscard]] const State& state() const { return head().states[head().current.load()]; }
  [[nodiscard]] std::span<std::byte> ring() const { return memory_.bytes().subspan(page, ring_size); }
  [[nodiscard]] std::uint64_t pending() const { return state().end - head().written.load(); }
  [[nodiscard]] Status error() const;
  void append(std::string_view line, const Receipt& receipt);
  void run();
  Status write(std::uint64_t from, std::uint64_t to);

  sys::FileDescriptor file_;
  sys::SharedMemory memory_;
  std::thread thread_;

  mutable std::mutex mutex_;  // guards all below, and memory_ after `written`
  std::condition_variable work_, done_;
  WriterSet writers_;
  std::uint64_t wanted_on_disk_ = 0;  // flush() waits for this many bytes
  std::uint64_t on_disk_ = 0;
  bool ending_ = false;
};

}  // namespace lamina::filter
