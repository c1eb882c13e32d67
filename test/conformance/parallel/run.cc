#include "parallel/run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "parallel/worker.h"

namespace conformance {
namespace {

constexpr int differences_shown = 20;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

// Prints the lines that only one of both has; true where there are none.
bool same_lines(const std::string& what, const std::string& expected, const std::string& found) {
  const std::vector<std::string> one = lines_of(expected), other = lines_of(found);
  std::vector<std::string> missing, unexpected;
  std::set_difference(one.begin(), one.end(), other.begin(), other.end(), std::back_inserter(missing));
  std::set_difference(other.begin(), other.end(), one.begin(), one.end(), std::back_inserter(unexpected));
  if (missing.empty() && unexpected.empty()) return true;
  std::printf("conformance: %s: %zu lines missing, %zu unexpected\n", what.c_str(), missing.size(), unexpected.size());
  int shown = 0;
  for (const std::string& line : missing) {
    if (shown++ < differences_shown) std::printf("  - %s\n", line.c_str());
  }
  for (const std::string& line : unexpected) {
    if (shown++ < 2 * differences_shown) std::printf("  + %s\n", line.c_str());
  }
  return false;
}

// Works until the time is over; writes what it expects to `report`.
long work(const Path& root, int number, unsigned seconds, unsigned seed, const Path& report) {
  ::alarm(seconds + 60);
  Worker worker(root, number, seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  try {
    while (std::chrono::steady_clock::now() < end) worker.step();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "conformance: %s\n", failure.what());
    return errno = EBADMSG, -1;
  }
  if (worker.operations() < worker.steps() / 2) {
    std::fprintf(stderr, "conformance: worker %d found nothing to do in most of its steps\n", number);
    return errno = ENOMSG, -1;
  }
  make_file(report, describe(worker.model()));
  return static_cast<long>(worker.operations());
}

// Every file's link count is the number of its names: nobody else has any.
bool counts_agree(const Path& root) {
  std::map<ino_t, std::pair<nlink_t, nlink_t>> seen;
  for_each_in_tree(root, [&](const Path&, const struct stat& found) {
    if (!S_ISREG(found.st_mode)) return;
    ++seen[found.st_ino].first;
    seen[found.st_ino].second = found.st_nlink;
  });
  bool good = true;
  for (const auto& [number, counts] : seen) {
    if (counts.first == counts.second) continue;
    std::printf("conformance: inode %lu has %lu names and says %lu\n", number, counts.first, counts.second);
    good = false;
  }
  return good;
}

std::string merged_expectation(const Path& reports) {
  std::string all;
  for (int number = 0; number < worker_count; ++number) all += contents(reports / std::to_string(number));
  for (const std::string& directory : shared_directories) all += directory + " directory\n";
  return all;
}

bool compare_after(const Path& root, const Path& reports) {
  const std::string seen = describe(root, common_directory), everything = describe(root, "");
  bool good = same_lines("the tree and what the workers expect", merged_expectation(reports), seen);
  good = counts_agree(root) && good;
  if (settings().remount.empty()) return good;
  remount();
  return same_lines("the tree before and after the remount", everything, describe(root, "")) && good;
}

}  // namespace

void print_tree(const Path& root) { std::fputs(describe(root, "").c_str(), stdout); }

int run_parallel(unsigned seconds, unsigned seed) {
  const Path root = settings().mount / "parallel";
  if (!exists(root)) make_parallel_tree(root, 0, 1);
  std::string directory = "/tmp/lamina-parallel-XXXXXX";
  require(::mkdtemp(directory.data()) != nullptr, "mkdtemp");
  const Path reports(directory);
  const auto outcomes = at_once(worker_count, [&](int number) -> long {
    return work(root, number, seconds, seed, reports / std::to_string(number));
  });
  long operations = 0;
  bool good = true;
  for (const Outcome& result : outcomes) {
    good = good && result.error == 0;
    operations += result.error == 0 ? result.value : 0;
  }
  std::printf("conformance: %d workers did %ld operations in %u s (seed %u)\n", worker_count, operations, seconds,
              seed);
  good = good && compare_after(root, reports);
  remove_tree(reports);
  std::printf("conformance: parallel: %s\n", good ? "all agree" : "FAILED");
  return good ? 0 : 1;
}

}  // namespace conformance
