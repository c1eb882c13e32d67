// What the writer makes of each operation, with all that names may hold: test/data/journal-format.ndjson, by which the
// reader (TypeScript) is tested, too.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <vector>

#include "filter/journal_line.h"

namespace lamina::filter {
namespace {

const std::vector<Change> changes{
    {Operation::create, "plain", "", 1, 0, 0},
    {Operation::mkdir, "spaces and \"quotes\" and \\backslashes\\", "", 1, 1000, 100},
    {Operation::symlink, "to-bytes", "../\xff\xfe/\n", 1, 0, 0},
    {Operation::mknod, "control\x01\x1f\x7f\t\r\n", "", 1, 0, 0},
    {Operation::link, "umlaut-\xc3\xa4", "no-utf8-\xe4", 1, 0, 0},
    {Operation::unlink, "a\xff\xc3\xa4", "", 1, 0, 0},
    {Operation::rmdir, "trailing space ", "", 1, 0, 0},
    {Operation::rename, "overlong-\xc0\x80-\xe0\x80\xaf", "cut-short-\xe2\x82", 1, 0, 0},
    {Operation::exchange, "surrogate-\xed\xb2\x80", "beyond-\xf4\x90\x80\x80", 1, 0, 0},
    {Operation::write, "four-bytes-\xf0\x9f\xa7\xaa", "", 2147483647, 4294967295U, 4294967294U},
    {Operation::truncate, "looks-escaped-\\udc80-\\u0041", "", 1, 0, 0},
    {Operation::chmod, "line-separator-\xe2\x80\xa8-\xe2\x80\xa9", "", 1, 0, 0},
    {Operation::chown, "byte-order-mark-\xef\xbb\xbf", "", 1, 0, 0},
    {Operation::utimes, "continues-\x80\xbf", "", 1, 0, 0},
    {Operation::setxattr, "*[a-z]?{b,c}", "user.n\xc3\xa4me", 1, 0, 0},
    {Operation::removexattr, "-", "user.\xff", 1, 0, 0},
    {Operation::fallocate, "deep/er/ and/\xfe", "", 1, 0, 0},
    {Operation::copy_file_range, "noncharacter-\xef\xbf\xbf", "", 1, 0, 0},
};

std::string written() {
  std::string lines;
  std::uint64_t number = 0;
  for (const Change& change : changes) {
    ++number;
    const sys::Process process{change.pid, number % 2 == 0 ? std::string("a \"b\" \xff\n") : std::string()};
    const sys::FileTime time{1767225600 + static_cast<std::int64_t>(number) * 86399,
                             static_cast<std::uint32_t>(number * 1000007)};
    lines += line_start(number) + line_rest(change, process, time);
  }
  return lines;
}

TEST(JournalFormat, EachOperationIsWrittenAsTheSampleHasIt) {
  ASSERT_EQ(changes.size(), operation_formats.size());
  for (std::size_t row = 0; row < changes.size(); ++row)
    EXPECT_EQ(changes[row].operation, operation_formats[row].operation);
  std::ifstream file(LAMINA_TEST_DATA "/journal-format.ndjson", std::ios::binary);
  ASSERT_TRUE(file.is_open());
  EXPECT_EQ(written(), std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST(JournalFormat, NoNumberIsLongerThanItsRoom) {
  EXPECT_LE(line_start(~std::uint64_t{0}).size(), longest_line_start);
}

}  // namespace
}  // namespace lamina::filter
