// Data that the kernel copies from file to file.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using CopiedData = Scratch;

TEST_F(CopiedData, CopyFileRangeCopies) {
  const std::string content = pattern((1 << 20) + 333);
  make_file(here / "f", content);
  make_file(here / "g", "head");
  const FileDescriptor in = opened(here / "f", O_RDONLY), out = opened(here / "g", O_WRONLY);
  off_t from = 100, to = 4;
  std::size_t left = content.size() - 100;
  while (left > 0) {
    const ssize_t copied = ::copy_file_range(in.get(), &from, out.get(), &to, left, 0);
    ASSERT_GT(copied, 0) << error_text(errno);
    left -= static_cast<std::size_t>(copied);
  }
  EXPECT_TRUE(contents(here / "g") == "head" + content.substr(100));
  EXPECT_EQ(::copy_file_range(in.get(), &from, out.get(), &to, 10, 0), 0) << "nothing beyond the end";
}

TEST_F(CopiedData, CopyFileRangeWithinAFile) {
  make_file(here / "f", "0123456789");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  off_t from = 0, to = 10;
  EXPECT_EQ(::copy_file_range(file.get(), &from, file.get(), &to, 5, 0), 5);
  EXPECT_EQ(contents(file.get()), "012345678901234");
  from = 0, to = 3;
  EXPECT_ERRNO(EINVAL, ::copy_file_range(file.get(), &from, file.get(), &to, 5, 0)) << "overlapping";
}

TEST_F(CopiedData, SendfileAndSplice) {
  const std::string content = pattern(100'000);
  make_file(here / "f", content);
  const FileDescriptor in = opened(here / "f", O_RDONLY), out = opened(here / "g", O_CREAT | O_WRONLY);
  for (off_t at = 0; at < static_cast<off_t>(content.size());) {
    ASSERT_GT(::sendfile(out.get(), in.get(), &at, content.size()), 0) << error_text(errno);
  }
  EXPECT_TRUE(contents(here / "g") == content);
  int ends[2];
  ASSERT_OK(::pipe(ends));
  const FileDescriptor read_end(ends[0]), write_end(ends[1]), target = opened(here / "h", O_CREAT | O_WRONLY);
  loff_t from = 10;
  EXPECT_EQ(::splice(in.get(), &from, write_end.get(), nullptr, 4096, 0), 4096);
  EXPECT_EQ(::splice(read_end.get(), nullptr, target.get(), nullptr, 4096, 0), 4096);
  EXPECT_TRUE(contents(here / "h") == content.substr(10, 4096));
}

}  // namespace
}  // namespace conformance
