#include "filter/read_set.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "filter/byte_string.h"
#include "sys/data.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/step.h"

namespace lamina::filter {

namespace {

constexpr std::size_t most = std::size_t{1} << 30U;

// In the order of ReadKind.
constexpr std::array<std::string_view, 7> kind_names = {"found", "absent", "listed", "opened",
                                                        "link",  "xattr",  "whole"};

void append_line(std::string& out, std::string_view path, unsigned kinds) {
  out += "{\"path\":";
  append_json_string(out, "/" + std::string(path));
  out += ",\"kinds\":[";
  const char* separator = "";
  for (std::size_t kind = 0; kind < kind_names.size(); ++kind) {
    if ((kinds >> kind & 1U) == 0) continue;
    out += separator;
    append_json_string(out, kind_names[kind]);
    separator = ",";
  }
  out += "]}\n";
}

}  // namespace

Result<std::unique_ptr<ReadSet>> ReadSet::open(const std::string& path, std::string& explanation) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  auto opened = sys::open_path(directory, O_RDONLY | O_DIRECTORY);
  // Otherwise a directory in the file's place would be detected only at the end.
  const auto present = opened.ok() ? sys::status_at(opened->get(), name) : Result<sys::FileStatus>(opened.error());
  if (present.ok() && present->is_directory()) opened = sys::Errno{EISDIR};
  if (!present.ok() && present.error().value != ENOENT) opened = present.error();
  if (opened.ok() && name.empty()) opened = sys::Errno{EISDIR};
  auto memory = sys::SharedMemory::reserve(most);
  if (opened.ok() && memory.ok()) {
    return std::unique_ptr<ReadSet>(new ReadSet(std::move(*opened), std::move(name), std::move(*memory)));
  }
  const sys::Errno error = opened.ok() ? memory.error() : opened.error();
  explanation = "read set " + path + ": " + std::strerror(error.value);
  return error;
}

void ReadSet::recover() {
  for (std::size_t at = 0; at < head().used.load(); at += Entry::size(entry(at)->length)) {
    shard_of(entry(at)->path()).paths.emplace(entry(at)->path(), entry(at));
  }
}

void ReadSet::record(ReadKind kind, std::string_view path) {
  const auto bit = static_cast<Kinds>(1U << static_cast<unsigned>(kind));
  Shard& shard = shard_of(path);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.paths.find(path);
  if (found != shard.paths.end()) {
    found->second->kinds.fetch_or(bit);
  } else if (Entry* const added = append(bit, path)) {
    shard.paths.emplace(added->path(), added);
  }
}

// Null: the memory is full.
ReadSet::Entry* ReadSet::append(Kinds kinds, std::string_view path) {
  const std::lock_guard lock(appending_);
  const std::size_t at = head().used.load();
  if (sizeof(Head) + at + Entry::size(path.size()) > memory_.bytes().size()) {
    head().full.store(true);
    return nullptr;
  }
  Entry* const added = entry(at);
  added->kinds.store(kinds);
  added->length = static_cast<std::uint32_t>(path.size());
  std::memcpy(static_cast<void*>(added + 1), path.data(), path.size());
  sys::step("read");
  head().used.store(at + Entry::size(path.size()));
  return added;
}

Status ReadSet::write_lines(int file) {
  std::vector<std::pair<std::string_view, Kinds>> lines;
  for (Shard& shard : shards_) {
    for (const auto& [path, its] : shard.paths) lines.emplace_back(path, its->kinds.load());
  }
  std::sort(lines.begin(), lines.end());
  constexpr std::size_t piece = std::size_t{256} * 1024;
  std::string text = "{\"version\":1}\n";
  for (const auto& [path, kinds] : lines) {
    append_line(text, path, kinds);
    if (text.size() < piece) continue;
    LAMINA_TRY(sys::write_all(file, text));
    text.clear();
  }
  LAMINA_TRY(sys::write_all(file, text));
  return sys::sync(file);
}

Status ReadSet::write() {
  std::array<std::unique_lock<std::mutex>, std::tuple_size_v<decltype(shards_)>> locks;
  for (std::size_t index = 0; index < shards_.size(); ++index) locks[index] = std::unique_lock(shards_[index].mutex);
  if (head().full.load()) return sys::Errno{ENOMEM};
  const std::string temporary = name_ + ".tmp";
  LAMINA_ASSIGN(const sys::FileDescriptor file,
                sys::open_child(directory_.get(), temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  Status status = write_lines(file.get());
  if (status.ok()) status = sys::rename(directory_.get(), temporary, directory_.get(), name_);
  if (!status.ok()) {
    (void)sys::unlink(directory_.get(), temporary);  // the first error is the one to report
    return status;
  }
  return sys::sync(directory_.get());
}

}  // namespace lamina::filter
