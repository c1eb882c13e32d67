#include "filter/journal.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "filter/byte_string.h"
#include "sys/data.h"
#include "sys/open.h"
#include "sys/process.h"
#include "sys/thread.h"

namespace lamina::filter {

namespace {

// How long operations are gathered before they are written.
constexpr auto gathering = std::chrono::milliseconds(20);

void append_time(std::string& out, sys::FileTime time) {
  const time_t seconds = time.seconds;
  struct tm parts = {};
  (void)::gmtime_r(&seconds, &parts);
  std::array<char, 80> text = {};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", parts.tm_year + 1900, parts.tm_mon + 1,
                      parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.nanoseconds);
  out += text.data();
}

bool names_two_paths(std::string_view operation) {
  return operation == "rename" || operation == "exchange" || operation == "link";
}

bool moves(std::string_view operation) { return operation == "rename" || operation == "exchange"; }

}  // namespace

bool WriterSet::first_write(std::string_view path, std::int32_t pid) {
  auto found = writers_.find(path);
  if (found == writers_.end()) found = writers_.emplace(std::string(path), std::vector<std::int32_t>()).first;
  auto& pids = found->second;
  if (std::find(pids.begin(), pids.end(), pid) != pids.end()) return false;
  pids.push_back(pid);
  return true;
}

void WriterSet::touched(std::string_view path, bool with_all_below) {
  if (const auto found = writers_.find(path); found != writers_.end()) writers_.erase(found);
  if (!with_all_below) return;
  std::string prefix(path);
  prefix += '/';
  auto first = writers_.lower_bound(prefix);
  auto last = first;
  while (last != writers_.end() && last->first.starts_with(prefix)) ++last;
  writers_.erase(first, last);
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, std::string& explanation) {
  const auto refuse = [&](sys::Errno error, const std::string& problem) {
    explanation = "journal " + path + ": " + problem;
    return error;
  };
  auto file = sys::open_path(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!file.ok()) return refuse(file.error(), std::strerror(file.error().value));
  const auto status = sys::status_of(file->get());
  if (!status.ok()) return refuse(status.error(), std::strerror(status.error().value));
  if (status->size > 0) return refuse(sys::Errno{EEXIST}, "holds the operations of another mount; name another file");
  std::unique_ptr<Journal> journal(new Journal(std::move(*file)));
  auto thread = sys::start_thread("journal", [raw = journal.get()] { raw->run(); });
  if (!thread.ok()) return refuse(thread.error(), std::string("its thread: ") + std::strerror(thread.error().value));
  journal->thread_ = std::move(*thread);
  return journal;
}

Journal::~Journal() { (void)close(); }  // whoever wants to know the outcome has called close()

void Journal::record(const Change& change) {
  const bool write = change.operation == "write";
  const auto repeated = [&](std::int32_t writer) {
    const std::lock_guard lock(mutex_);
    return !writers_.first_write(change.path, writer);
  };
  if (write && repeated(change.pid)) return;
  auto process = sys::process_of(change.pid);
  if (!process.ok()) process = sys::Process{change.pid, {}};  // no process, or it has ended: no name
  if (write && process->pid != change.pid && repeated(process->pid)) return;
  Record record{0,
                sys::now(),
                std::string(change.operation),
                std::string(change.path),
                std::string(change.new_path),
                std::move(process->command),
                process->pid,
                change.uid,
                change.gid};
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  if (!write) {
    writers_.touched(change.path, moves(change.operation));
    if (names_two_paths(change.operation)) writers_.touched(change.new_path, moves(change.operation));
  }
  record.number = ++recorded_;
  queue_.push_back(std::move(record));
  if (queue_.size() == 1) work_.notify_one();
}

void Journal::append_line(std::string& out, const Record& record) {
  out += "{\"n\":" + std::to_string(record.number) + ",\"time\":\"";
  append_time(out, record.time);
  out += "\",\"pid\":" + std::to_string(record.pid) + ",\"uid\":" + std::to_string(record.uid) +
         ",\"gid\":" + std::to_string(record.gid) + ",\"command\":";
  append_json_string(out, record.command);
  out += ",\"operation\":";
  append_json_string(out, record.operation);
  out += ",\"path\":";
  append_json_string(out, "/" + record.path);
  if (!record.new_path.empty() || names_two_paths(record.operation)) {
    out += ",\"to\":";
    append_json_string(out, names_two_paths(record.operation) ? "/" + record.new_path : record.new_path);
  }
  out += "}\n";
}

void Journal::write(const std::vector<Record>& records, bool synced) {
  constexpr std::size_t piece = std::size_t{256} * 1024;
  std::string text;
  Status status;
  for (const Record& record : records) {
    append_line(text, record);
    if (text.size() < piece && &record != &records.back()) continue;
    status = sys::write_all(file_.get(), text);
    if (!status.ok()) break;
    text.clear();
  }
  if (status.ok() && synced) status = sys::sync_data(file_.get());
  const std::lock_guard lock(mutex_);
  if (error_.ok()) error_ = status;
}

void Journal::run() {
  const auto hurried = [&] { return wanted_on_disk_ > on_disk_ || ending_; };
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return !queue_.empty() || hurried(); });
    work_.wait_for(lock, gathering, hurried);  // one write for many operations
    const bool synced = wanted_on_disk_ > on_disk_;
    if (queue_.empty() && !synced) return;  // ending_
    std::vector<Record> records;
    records.swap(queue_);
    const std::uint64_t last = recorded_;
    const bool broken = !error_.ok();  // what came after a gap would mislead
    lock.unlock();
    if (!broken) write(records, synced);
    lock.lock();
    if (synced) on_disk_ = last;
    if (synced) done_.notify_all();
  }
}

Status Journal::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t last = recorded_;
  if (ending_) return error_;
  wanted_on_disk_ = std::max(wanted_on_disk_, last);
  work_.notify_one();
  done_.wait(lock, [&] { return on_disk_ >= last; });
  return error_;
}

Status Journal::close() {
  const Status flushed = flush();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
  return flushed;
}

}  // namespace lamina::filter
