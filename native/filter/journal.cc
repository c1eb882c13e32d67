#include "filter/journal.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "filter/journal_line.h"
#include "sys/data.h"
#include "sys/open.h"
#include "sys/process.h"
#include "sys/status.h"
#include "sys/step.h"
#include "sys/thread.h"

namespace lamina::filter {

namespace {

// How long operations are collected before they are written.
constexpr auto gathering = std::chrono::milliseconds(20);

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
  // Not O_APPEND: pwrite(2) would ignore the offset.
  auto file = sys::open_path(path, O_WRONLY | O_CREAT, 0600);
  if (!file.ok()) return refuse(file.error(), std::strerror(file.error().value));
  const auto status = sys::status_of(file->get());
  if (!status.ok()) return refuse(status.error(), std::strerror(status.error().value));
  if (status->size > 0) return refuse(sys::Errno{EEXIST}, "holds the operations of another mount; name another file");
  auto memory = sys::SharedMemory::reserve(page + ring_size);
  if (memory.ok() && memory->bytes().size() < page + ring_size) memory = sys::Errno{ENOMEM};
  if (!memory.ok()) return refuse(memory.error(), std::string("memory: ") + std::strerror(memory.error().value));
  return std::unique_ptr<Journal>(new Journal(std::move(*file), std::move(*memory)));
}

Journal::~Journal() { (void)close(); }  // to learn the outcome, call close() before

Status Journal::start() {
  LAMINA_ASSIGN(thread_, sys::start_thread("journal", [this] { run(); }));
  return {};
}

void Journal::record(const Change& change, const Receipt& receipt) {
  const bool write = change.operation == Operation::write;
  const auto repeated = [&](std::int32_t writer) {
    const std::lock_guard lock(mutex_);
    return !writers_.first_write(change.path, writer);
  };
  if (write && repeated(change.pid)) return;
  thread_local sys::RecentProcesses processes;
  auto process = processes.process_of(change.pid);
  if (!process.ok()) process = sys::Process{change.pid, {}};  // no such process, or it has ended: no name
  if (write && process->pid != change.pid && repeated(process->pid)) return;
  // Formatted before the lock is taken; under it, the number is assigned.
  const std::string rest = line_rest(change, *process, sys::now());
  std::unique_lock lock(mutex_);
  if (ending_) return;
  if (!write) {
    const OperationFormat& format = format_of(change.operation);
    writers_.touched(change.path, format.moves);
    if (format.second == Second::path) writers_.touched(change.second, format.moves);
  }
  const auto fits = [&] { return pending() + rest.size() + longest_line_start <= ring_size; };
  if (!fits()) {
    work_.notify_one();
    done_.wait(lock, [&] { return fits() || ending_; });
    if (ending_) return;
  }
  append(line_start(state().number + 1) + rest, receipt);
  if (pending() >= ring_size / 2 || pending() <= rest.size() + longest_line_start) work_.notify_one();
}

void Journal::append(std::string_view line, const Receipt& receipt) {
  const State& now = state();
  const std::size_t at = now.end % ring_size;
  const std::size_t first = std::min(line.size(), ring_size - at);
  std::memcpy(ring().data() + at, line.data(), first);
  std::memcpy(ring().data(), line.data() + first, line.size() - first);
  const std::uint32_t next = 1 - head().current.load();
  head().states[next] = {now.end + line.size(), now.number + 1, receipt.request, receipt.ordinal};
  sys::step("journal");
  head().current.store(next);
  sys::step("journalled");
  if (receipt.recorded != nullptr) receipt.recorded->store(receipt.ordinal);
}

Receipt Journal::last_receipt() const {
  const std::lock_guard lock(mutex_);
  return {state().request, state().ordinal, nullptr};
}

Status Journal::write(std::uint64_t from, std::uint64_t to) {
  while (from < to) {
    const std::size_t at = from % ring_size;
    const std::size_t length = std::min<std::size_t>(to - from, ring_size - at);
    LAMINA_TRY(sys::write_all_at(file_.get(), ring().subspan(at, length), from));
    from += length;
  }
  return {};
}

Status Journal::error() const {
  const int error = head().error.load();
  return error == 0 ? Status() : Status(sys::Errno{error});
}

void Journal::run() {
  const auto urgent = [&] { return wanted_on_disk_ > on_disk_ || ending_ || pending() >= ring_size / 2; };
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return pending() > 0 || urgent(); });
    work_.wait_for(lock, gathering, urgent);  // one write for many operations
    const bool synced = wanted_on_disk_ > on_disk_;
    if (pending() == 0 && !synced) return;  // ending_
    const std::uint64_t from = head().written.load();
    const std::uint64_t to = state().end;
    Status status = error();  // records after a gap would mislead
    lock.unlock();
    if (status.ok()) status = write(from, to);
    if (status.ok() && synced) status = sys::sync_data(file_.get());
    lock.lock();
    if (!status.ok() && head().error.load() == 0) head().error.store(status.error().value);
    head().written.store(to);
    if (synced) on_disk_ = to;
    done_.notify_all();
  }
}

Status Journal::flush() {
  std::unique_lock lock(mutex_);
  if (ending_) return error();
  const std::uint64_t end = state().end;
  wanted_on_disk_ = std::max(wanted_on_disk_, end);
  work_.notify_one();
  done_.wait(lock, [&] { return on_disk_ >= end; });
  return error();
}

Status Journal::close() {
  if (!thread_.joinable()) return error();
  const Status flushed = flush();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_.notify_one();
  done_.notify_all();
  thread_.join();
  return flushed;
}

}  // namespace lamina::filter
