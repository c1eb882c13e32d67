#include "parallel/worker.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "support/files.h"
#include "support/outcome.h"

namespace conformance {
namespace {

constexpr std::size_t most_names = 250;
constexpr int initial_files = 6;  // of a worker in a shared directory

std::string initial_content(const std::string& path) { return "of the lower: " + path; }

bool one_of(int error, std::initializer_list<int> allowed) {
  return std::find(allowed.begin(), allowed.end(), error) != allowed.end();
}

}  // namespace

Model initial_model(int number) {
  Model model;
  for (const std::string& directory : shared_directories) {
    const std::string prefix = directory + "/" + std::to_string(number) + "-lower";
    for (int count = 0; count < initial_files; ++count) {
      const std::string path = prefix + std::to_string(count);
      model[path].file = std::make_shared<ModelFile>(ModelFile{initial_content(path), 0644, 1});
    }
    model[prefix + "-dir"];
    const std::string inner = prefix + "-dir/" + std::to_string(number) + "-inner";
    model[inner].file = std::make_shared<ModelFile>(ModelFile{initial_content(inner), 0644, 2});
    model[prefix + "-link"].file = model[inner].file;
  }
  return model;
}

void make_parallel_tree(const Path& root, int part, int parts) {
  make_directory(root, 0777);
  if (part == 0) make_directory(root / common_directory, 0777);
  for (std::size_t at = 0; at < shared_directories.size(); ++at) {
    // Every directory is in the first layer, every second one in all.
    if (part != 0 && at % 2 != 0) continue;
    make_directory(root / shared_directories[at], 0777);
    for (int number = 0; number < worker_count; ++number) {
      if (at % 2 == 0 && number % parts != part) continue;
      std::map<const ModelFile*, std::string> made;
      for (const auto& [path, entry] : initial_model(number)) {
        if (!path.starts_with(shared_directories[at] + "/")) continue;
        if (entry.is_directory()) {
          make_directory(root / path);
        } else if (const auto [other, fresh] = made.emplace(entry.file.get(), path); fresh) {
          make_file(root / path, entry.file->content);
        } else {
          make_link(root / other->second, root / path);
        }
      }
    }
  }
}

Worker::Worker(Path root, int number, unsigned seed)
    : root_(std::move(root)),
      number_(number),
      random_(seed * 1000 + static_cast<unsigned>(number)),
      model_(initial_model(number)) {}

void Worker::demand(bool succeeded, const std::string& what) {
  ++operations_;
  if (succeeded) return;
  const std::string reason = error_text(errno);
  throw std::runtime_error("worker " + std::to_string(number_) + ", step " + std::to_string(steps_) + ": " + what +
                           ": " + reason);
}

std::string Worker::new_path() {
  std::string directory = pick(false, true);
  if (directory.empty() || below_number(3) != 0) {
    directory = shared_directories[below_number(static_cast<unsigned>(shared_directories.size()))];
  }
  return directory + "/" + std::to_string(number_) + "-" + std::to_string(names_made_++ % 5000);
}

std::string Worker::pick(bool files, bool directories, bool symlinks) {
  if (model_.empty()) return "";
  auto at = model_.begin();
  std::advance(at, below_number(static_cast<unsigned>(model_.size())));
  for (std::size_t tried = 0; tried < model_.size(); ++tried) {
    const ModelEntry& entry = at->second;
    if (entry.file != nullptr ? files : entry.is_directory() ? directories : symlinks) return at->first;
    if (++at == model_.end()) at = model_.begin();
  }
  return "";
}

void Worker::step() {
  ++steps_;
  using Operation = void (Worker::*)();
  static constexpr Operation operations[] = {
      &Worker::create,       &Worker::create, &Worker::write_more,  &Worker::rename,           &Worker::rename,
      &Worker::exchange,     &Worker::link,   &Worker::remove,      &Worker::remove_directory, &Worker::make_directory,
      &Worker::make_symlink, &Worker::look,   &Worker::change_mode, &Worker::in_common,        &Worker::in_common,
  };
  if (model_.size() > most_names) {
    below_number(4) == 0 ? remove_directory() : remove();
    return;
  }
  (this->*operations[below_number(std::size(operations))])();
}

void Worker::create() {
  const std::string path = new_path();
  if (model_.contains(path)) return;
  const std::string content = path + " at step " + std::to_string(steps_);
  const FileDescriptor file(::open(real(path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640));
  demand(file.valid(), "create " + path);
  append(file.get(), content);
  model_[path].file = std::make_shared<ModelFile>(ModelFile{content, 0640, 1});
}

void Worker::write_more() {
  const std::string path = pick(true, false);
  if (path.empty()) return;
  const FileDescriptor file(::open(real(path), O_WRONLY | O_APPEND | O_CLOEXEC));
  demand(file.valid(), "open to append " + path);
  const std::string more = "+" + std::to_string(steps_);
  append(file.get(), more);
  ModelFile& expected = *model_[path].file;
  expected.content += more;
  if (expected.content.size() > 500) {
    demand(::truncate(real(path), 10) == 0, "truncate " + path);
    expected.content.resize(10);
  }
}

void Worker::rename() {
  const std::string from = pick(true, true, true);
  if (from.empty()) return;
  const bool directory = model_[from].is_directory();
  // Onto one of its own files now and then.
  std::string to = !directory && below_number(4) == 0 ? pick(true, false, true) : new_path();
  if (to == from || to.starts_with(from + "/") || (directory && model_.contains(to))) return;
  demand(::rename(real(from), real(to)) == 0, "rename " + from + " to " + to);
  if (model_.contains(to)) {
    if (model_[to].file != nullptr && model_[to].file == model_[from].file) return;  // two names of one file both stay
    model_remove(model_, to);
  }
  model_rename(model_, from, to);
}

void Worker::exchange() {
  const std::string one = pick(true, true, true), other = pick(true, true, true);
  if (one.empty() || one == other || one.starts_with(other + "/") || other.starts_with(one + "/")) return;
  demand(::renameat2(AT_FDCWD, real(one), AT_FDCWD, real(other), RENAME_EXCHANGE) == 0,
         "exchange " + one + " and " + other);
  model_exchange(model_, one, other);
}

void Worker::link() {
  const std::string from = pick(true, false), to = new_path();
  if (from.empty() || model_.contains(to)) return;
  demand(::link(real(from), real(to)) == 0, "link " + from + " to " + to);
  const std::shared_ptr<ModelFile> file = model_[from].file;
  ++file->links;
  model_[to].file = file;
}

void Worker::remove() {
  const std::string path = pick(true, false, true);
  if (path.empty()) return;
  demand(::unlink(real(path)) == 0, "unlink " + path);
  model_remove(model_, path);
}

void Worker::make_directory() {
  const std::string path = new_path();
  if (model_.contains(path)) return;
  demand(::mkdir(real(path), 0755) == 0, "mkdir " + path);
  model_[path];
}

void Worker::remove_directory() {
  const std::string path = pick(false, true);
  if (path.empty()) return;
  std::vector<std::string> inner = below(model_, path);
  if (!inner.empty()) {
    demand(::rmdir(real(path)) != 0 && errno == ENOTEMPTY, "rmdir should refuse what is not empty: " + path);
  }
  if (below_number(3) != 0 && !inner.empty()) return;
  for (auto at = inner.rbegin(); at != inner.rend(); ++at) {
    const bool directory = model_[*at].is_directory();
    demand((directory ? ::rmdir(real(*at)) : ::unlink(real(*at))) == 0, "remove " + *at);
    model_remove(model_, *at);
  }
  demand(::rmdir(real(path)) == 0, "rmdir " + path);
  model_remove(model_, path);
}

void Worker::make_symlink() {
  const std::string path = new_path();
  if (model_.contains(path)) return;
  const std::string target = "target-" + std::to_string(steps_);
  demand(::symlink(target.c_str(), real(path)) == 0, "symlink " + path);
  model_[path].target = target;
}

void Worker::change_mode() {
  const std::string path = pick(true, false);
  if (path.empty()) return;
  const mode_t mode = 0600 + below_number(64);
  demand(::chmod(real(path), mode) == 0, "chmod " + path);
  model_[path].file->mode = mode;
}

void Worker::look() {
  const std::string path = pick(true, true, true);
  if (path.empty()) return;
  const ModelEntry& expected = model_[path];
  struct stat found {};
  demand(::lstat(real(path), &found) == 0, "stat " + path);
  errno = 0;
  if (expected.is_directory()) {
    std::size_t direct = 0;
    for (const std::string& inner : below(model_, path))
      direct += inner.find('/', path.size() + 1) == std::string::npos ? 1 : 0;
    demand(names(real(path)).size() == direct,
           "listing of " + path + " should have " + std::to_string(direct) + " names");
  } else if (expected.file == nullptr) {
    demand(link_target(real(path)) == expected.target, "target of " + path + " should be " + expected.target);
  } else {
    demand(found.st_nlink == expected.file->links,
           "links of " + path + " should be " + std::to_string(expected.file->links));
    demand(contents(real(path)) == expected.file->content,
           "content of " + path + " should be " + expected.file->content);
  }
}

void Worker::in_common() {
  const auto name = [&] { return root_ / common_directory / ("c" + std::to_string(below_number(common_names))); };
  const Path one = name(), other = name();
  int done = 0;
  switch (below_number(7)) {
    case 0:
      done = ::mknod(one, S_IFREG | 0644, 0);
      break;
    case 1:
      done = ::rename(one, other);
      break;
    case 2:
      done = ::link(one, other);
      break;
    case 3:
      done = ::unlink(one);
      break;
    case 4:
      done = ::mkdir(one, 0755);
      break;
    case 5:
      done = ::rmdir(one);
      break;
    default:
      done = ::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
      break;
  }
  demand(done == 0 || one_of(errno, {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EPERM}), "in common, " + one.text());
}

}  // namespace conformance
