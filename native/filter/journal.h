// The journal of changing operations (docs/format.md, "Journal"): recorded under a short lock, written by a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "filter/filter.h"
#include "sys/file_descriptor.h"
#include "sys/status.h"

namespace lamina::filter {

// Which files were written by which processes since another operation touched them.
class WriterSet {
 public:
  // True where this write is the first of its kind.
  bool first_write(std::string_view path, std::int32_t pid);
  // Another operation on `path`, which may be a directory that moves with all below it.
  void touched(std::string_view path, bool with_all_below);

 private:
  std::map<std::string, std::vector<std::int32_t>, std::less<>> writers_;
};

class Journal {
 public:
  // Creates the file. EEXIST where it holds something already: a journal is of one mount.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, std::string& explanation);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  void record(const Change& change);
  // Waits until all that was recorded is on disk. The first error of writing is given by this and every later call.
  Status flush();
  // Flushes and ends the thread. What is recorded later is an error of the caller and is left out.
  Status close();

 private:
  // A change as it was, to be written later.
  struct Record {
    std::uint64_t number = 0;
    sys::FileTime time;
    std::string operation, path, new_path, command;
    std::int32_t pid = 0;
    std::uint32_t uid = 0, gid = 0;
  };

  explicit Journal(sys::FileDescriptor file) : file_(std::move(file)) {}
  void run();
  void write(const std::vector<Record>& records, bool synced);
  static void append_line(std::string& out, const Record& record);

  sys::FileDescriptor file_;
  std::thread thread_;

  std::mutex mutex_;  // guards all below
  std::condition_variable work_, done_;
  std::vector<Record> queue_;
  WriterSet writers_;
  std::uint64_t recorded_ = 0;        // the number of the last record
  std::uint64_t wanted_on_disk_ = 0;  // flush() waits for this number
  std::uint64_t on_disk_ = 0;
  Status error_;
  bool ending_ = false;
};

}  // namespace lamina::filter
