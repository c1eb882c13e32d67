#include "filter/filter.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "test/support/temporary_directory.h"

namespace lamina::filter {
namespace {

using nlohmann::json;
using test::TemporaryDirectory;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    EXPECT_NE(end, std::string::npos) << "a line without its end";
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

class FilterTest : public testing::Test {
 protected:
  std::unique_ptr<Filter> open(const FilterOptions& options) {
    auto filter = Filter::open(options, explanation_);
    EXPECT_TRUE(filter.ok()) << explanation_;
    if (!filter.ok()) return nullptr;
    EXPECT_TRUE((*filter)->start().ok());
    return std::move(*filter);
  }
  std::vector<json> journal() {
    std::vector<json> records;
    for (const auto& line : lines_of(root_.content("journal"))) records.push_back(json::parse(line));
    return records;
  }
  std::vector<std::string> operations() {
    std::vector<std::string> found;
    for (const auto& record : journal()) {
      found.push_back(record["operation"].get<std::string>() + " " + record["path"].get<std::string>());
    }
    return found;
  }

  TemporaryDirectory root_;
  std::string explanation_;
};

TEST_F(FilterTest, WritesOneLineAnOperation) {
  const auto filter = open({"", root_.path("journal"), ""});
  ::prctl(PR_SET_NAME, "a \"name\"");
  filter->record_change({Operation::rename, "old", "new/name", ::getpid(), 1000, 50});
  filter->record_change({Operation::symlink, "link", "../target", ::getpid(), 0, 0});
  filter->record_change({Operation::unlink, "b", "", 0, 0, 0});
  ASSERT_TRUE(filter->flush().ok());
  const auto records = journal();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0]["n"], 1);
  EXPECT_EQ(records[0]["pid"], ::getpid());
  EXPECT_EQ(records[0]["uid"], 1000);
  EXPECT_EQ(records[0]["gid"], 50);
  EXPECT_EQ(records[0]["command"], "a \"name\"");
  EXPECT_EQ(records[0]["path"], "/old");
  EXPECT_EQ(records[0]["to"], "/new/name");
  EXPECT_TRUE(std::regex_match(records[0]["time"].get<std::string>(),
                               std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)")));
  EXPECT_EQ(records[1]["to"], "../target");
  EXPECT_EQ(records[2]["n"], 3);
  EXPECT_EQ(records[2]["command"], "");
  EXPECT_FALSE(records[2].contains("to"));
}

// A thread calls in the name of its process; threads have names and numbers of their own.
TEST_F(FilterTest, NamesTheProcessOfAThread) {
  const auto filter = open({"", root_.path("journal"), ""});
  ::prctl(PR_SET_NAME, "leader");
  const auto write = [&] { filter->record_change({Operation::write, "a", "", ::gettid(), 0, 0}); };
  std::thread([&] {
    ::prctl(PR_SET_NAME, "worker");
    write();
    write();
    filter->record_change({Operation::chmod, "b", "", ::gettid(), 0, 0});
  }).join();
  write();
  std::thread(write).join();
  ASSERT_TRUE(filter->close().ok());
  ASSERT_EQ(operations(), (std::vector<std::string>{"write /a", "chmod /b"}));
  for (const auto& record : journal()) {
    EXPECT_EQ(record["pid"], ::getpid());
    EXPECT_EQ(record["command"], "leader");
  }
}

TEST_F(FilterTest, RecordsNamesThatAreNoUtf8) {
  const auto filter = open({"", root_.path("journal"), ""});
  filter->record_change({Operation::create, "a\xff\xc3\xa4", "", 0, 0, 0});
  ASSERT_TRUE(filter->close().ok());
  EXPECT_NE(root_.content("journal").find("\"path\":\"/a\\udcff\xc3\xa4\""), std::string::npos);
}

TEST_F(FilterTest, RecordsRepeatedWritesOnce) {
  const auto filter = open({"", root_.path("journal"), ""});
  const auto record = [&](Operation operation, std::string_view path, int pid, std::string_view second = "") {
    filter->record_change({operation, path, second, pid, 0, 0});
  };
  for (int round = 0; round < 3; ++round) {
    record(Operation::write, "a", 1);
    record(Operation::write, "a", 2);
  }
  record(Operation::chmod, "a", 3);
  record(Operation::write, "a", 1);
  record(Operation::write, "a", 1);
  record(Operation::write, "d/x", 1);
  record(Operation::rename, "d", 1, "e");  // what is written to d/x from now on is another file
  record(Operation::write, "d/x", 1);
  record(Operation::write, "dd", 1);
  record(Operation::unlink, "d", 1);  // no path below is touched
  record(Operation::write, "dd", 1);
  ASSERT_TRUE(filter->close().ok());
  EXPECT_EQ(operations(), (std::vector<std::string>{"write /a", "write /a", "chmod /a", "write /a", "write /d/x",
                                                    "rename /d", "write /d/x", "write /dd", "unlink /d"}));
}

TEST_F(FilterTest, KeepsTheOrderOfManyThreads) {
  const auto filter = open({"", root_.path("journal"), root_.path("reads")});
  constexpr int threads = 4;
  constexpr int operations_each = 2000;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&, worker] {
      for (int number = 0; number < operations_each; ++number) {
        const std::string path = std::to_string(worker) + "/" + std::to_string(number);
        filter->record_change({Operation::create, path, "", 0, 0, 0});
        filter->record_read(ReadKind::found, std::to_string(number));
        if (number % 500 == 0) {
          EXPECT_TRUE(filter->flush().ok());
        }
      }
    });
  }
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(filter->close().ok());
  const auto records = journal();
  ASSERT_EQ(records.size(), std::size_t{threads} * operations_each);
  std::vector<int> next(threads, 0);
  for (std::size_t index = 0; index < records.size(); ++index) {
    ASSERT_EQ(records[index]["n"], index + 1);
    const std::string path = records[index]["path"];
    const int worker = path[1] - '0';
    ASSERT_EQ(path.substr(3), std::to_string(next[worker]++));
  }
  EXPECT_EQ(lines_of(root_.content("reads")).size(), std::size_t{operations_each} + 1);
}

TEST_F(FilterTest, WritesTheReadSetSortedAndOnce) {
  const auto filter = open({"", "", root_.path("reads")});
  EXPECT_TRUE(filter->records_reads());
  EXPECT_FALSE(filter->records_changes());
  filter->record_read(ReadKind::opened, "etc/passwd");
  filter->record_read(ReadKind::absent, "etc/none");
  filter->record_read(ReadKind::found, "etc/passwd");
  filter->record_read(ReadKind::listed, "");
  filter->record_read(ReadKind::link, "a\xff");
  filter->record_read(ReadKind::xattr, "etc/passwd");
  filter->record_read(ReadKind::opened, "etc/passwd");
  EXPECT_FALSE(std::filesystem::exists(root_.path("reads")));
  ASSERT_TRUE(filter->close().ok());
  EXPECT_EQ(root_.content("reads"),
            "{\"version\":1}\n"
            "{\"path\":\"/\",\"kinds\":[\"listed\"]}\n"
            "{\"path\":\"/a\\udcff\",\"kinds\":[\"link\"]}\n"
            "{\"path\":\"/etc/none\",\"kinds\":[\"absent\"]}\n"
            "{\"path\":\"/etc/passwd\",\"kinds\":[\"found\",\"opened\",\"xattr\"]}\n");
  EXPECT_FALSE(std::filesystem::exists(root_.path("reads.tmp")));
}

TEST_F(FilterTest, AnEmptyReadSetIsAFileToo) {
  const auto filter = open({"", "", root_.path("reads")});
  ASSERT_TRUE(filter->close().ok());
  EXPECT_EQ(root_.content("reads"), "{\"version\":1}\n");
}

TEST_F(FilterTest, ExplainsWhatItCannotOpen) {
  const auto refused = [&](const FilterOptions& options) {
    explanation_.clear();
    EXPECT_FALSE(Filter::open(options, explanation_).ok());
    return explanation_;
  };
  EXPECT_EQ(refused({root_.path("none"), "", ""}), "rules " + root_.path("none") + ": No such file or directory");
  EXPECT_EQ(refused({"", root_.path("none/journal"), ""}),
            "journal " + root_.path("none/journal") + ": No such file or directory");
  EXPECT_EQ(refused({"", "", root_.path("none/reads")}),
            "read set " + root_.path("none/reads") + ": No such file or directory");
  EXPECT_EQ(refused({"", "", root_.path()}), "read set " + root_.path() + ": Is a directory");
  root_.file("journal", "{}\n");
  EXPECT_NE(refused({"", root_.path("journal"), ""}).find("another mount"), std::string::npos);
  EXPECT_EQ(root_.content("journal"), "{}\n");
}

TEST_F(FilterTest, WithoutOptionsItDoesNothing) {
  const auto filter = open({});
  EXPECT_FALSE(filter->records_changes());
  EXPECT_EQ(filter->decide("tmp/x"), Decision::capture);
  filter->record_change({Operation::create, "a", "", 0, 0, 0});
  filter->record_read(ReadKind::found, "a");
  EXPECT_TRUE(filter->flush().ok());
  EXPECT_TRUE(filter->close().ok());
}

// A limit on the size of files stands for a disk that is full.
TEST_F(FilterTest, RemembersThatWritingFailed) {
  const auto filter = open({"", root_.path("journal"), root_.path("reads")});
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  filter->record_change({Operation::create, "first", "", 0, 0, 0});
  ASSERT_TRUE(filter->flush().ok());
  const struct rlimit small = {300, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int number = 0; number < 10; ++number)
    filter->record_change({Operation::create, std::to_string(number), "", 0, 0, 0});
  EXPECT_TRUE(filter->flush().failed_with(EFBIG));
  for (int number = 0; number < 50; ++number) filter->record_read(ReadKind::found, std::to_string(number));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  filter->record_change({Operation::create, "late", "", 0, 0, 0});
  EXPECT_TRUE(filter->flush().failed_with(EFBIG));
  EXPECT_TRUE(filter->close().failed_with(EFBIG));
  EXPECT_EQ(root_.content("journal").find("late"), std::string::npos) << "nothing is written behind a gap";
}

}  // namespace
}  // namespace lamina::filter
