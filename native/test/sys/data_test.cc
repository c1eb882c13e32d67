#include "sys/data.h"

#include <fcntl.h>

#include "sys/open.h"
#include "sys/status.h"
#include "test/support/temporary_directory.h"

namespace lamina::sys {
namespace {

using test::TemporaryDirectory;

constexpr std::uint64_t mebibyte = std::uint64_t{1024} * 1024;

FileDescriptor create(const TemporaryDirectory& root, std::string_view name) {
  return *open_child(root.descriptor(), name, O_RDWR | O_CREAT | O_EXCL, 0600);
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// From one file system to another and within one: FICLONE, copy_file_range and the way through memory all have to do
// it.
class CopyData : public testing::TestWithParam<const char*> {
 protected:
  TemporaryDirectory source_{"/tmp"};
  TemporaryDirectory target_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(FileSystems, CopyData, testing::Values("/tmp", "/dev/shm"));

TEST_P(CopyData, KeepsContentAndHoles) {
  const auto from = create(source_, "from");
  const std::uint64_t size = 12 * mebibyte + 12345;
  ASSERT_TRUE(set_size(from.get(), size).ok());
  const std::string block(100'000, 'b');
  for (const std::uint64_t at : {mebibyte, 9 * mebibyte}) ASSERT_TRUE(write_all_at(from.get(), bytes(block), at).ok());
  const auto to = create(target_, "to");
  const auto copied = copy_data(from.get(), to.get(), size, nullptr);
  ASSERT_TRUE(copied.ok());
  EXPECT_EQ(source_.content("from"), target_.content("to"));
  EXPECT_LT(status_of(to.get())->blocks * 512, mebibyte);
}

TEST_P(CopyData, TakesTheFirstBytesOnly) {
  source_.file("from", std::string(300'000, 'x') + "rest");
  const auto from = open_child(source_.descriptor(), "from", O_RDONLY);
  const auto to = create(target_, "to");
  ASSERT_TRUE(copy_data(from->get(), to.get(), 300'000, nullptr).ok());
  EXPECT_EQ(target_.content("to"), std::string(300'000, 'x'));
}

TEST_P(CopyData, RefusesASourceThatIsShorterThanSaid) {
  source_.file("from", "short");
  const auto from = open_child(source_.descriptor(), "from", O_RDONLY);
  const auto to = create(target_, "to");
  EXPECT_TRUE(copy_data(from->get(), to.get(), 6, nullptr).failed_with(EIO));
  EXPECT_EQ(*copy_data(from->get(), to.get(), 0, nullptr), 0U);
}

TEST_P(CopyData, EndsSoonAfterAnInterruption) {
  const auto from = create(source_, "from");
  const std::string block(mebibyte, 'b');
  for (std::uint64_t at = 0; at < 20; ++at) ASSERT_TRUE(write_all_at(from.get(), bytes(block), at * mebibyte).ok());
  const auto to = create(target_, "to");
  int asked = 0;
  const auto copied = copy_data(from.get(), to.get(), 20 * mebibyte, [&] { return ++asked == 2; });
  if (copied.ok()) {
    EXPECT_EQ(*copied, 0U) << "only a clone may finish unasked";
    return;
  }
  EXPECT_EQ(copied.error().value, EINTR);
  EXPECT_EQ(asked, 2);
  EXPECT_LE(status_of(to.get())->size, 8 * mebibyte);
}

TEST(CopyData, TellsThatTheDiskIsFull) {
  const TemporaryDirectory root;
  root.file("from", "content");
  const auto from = open_child(root.descriptor(), "from", O_RDONLY);
  const auto full = open_path("/dev/full", O_RDWR);
  ASSERT_TRUE(full.ok());
  EXPECT_TRUE(write_all(full->get(), "x").failed_with(ENOSPC));
  EXPECT_FALSE(copy_data(from->get(), full->get(), 7, nullptr).ok());
}

TEST(TryLock, IsRefusedWhereAnotherHoldsIt) {
  const TemporaryDirectory root;
  const auto first = open_path(root.path(), O_RDONLY);
  const auto second = open_path(root.path(), O_RDONLY);
  ASSERT_TRUE(try_lock(first->get(), Lock::exclusive).ok());
  EXPECT_TRUE(try_lock(second->get(), Lock::exclusive).failed_with(EWOULDBLOCK));
  EXPECT_TRUE(try_lock(second->get(), Lock::shared).failed_with(EWOULDBLOCK));
  ASSERT_TRUE(try_lock(first->get(), Lock::shared).ok());
  EXPECT_TRUE(try_lock(second->get(), Lock::shared).ok());
}

TEST(ReadWhole, HasALimit) {
  const TemporaryDirectory root;
  root.file("file", std::string(100'000, 'x'));
  EXPECT_EQ(read_whole(open_path(root.path("file"), O_RDONLY)->get(), 100'000)->size(), 100'000U);
  EXPECT_TRUE(read_whole(open_path(root.path("file"), O_RDONLY)->get(), 99'999).failed_with(EFBIG));
  EXPECT_TRUE(sync(open_path(root.path("file"), O_RDONLY)->get()).ok());
  EXPECT_EQ(*seek(open_path(root.path("file"), O_RDONLY)->get(), 0, SEEK_END), 100'000U);
}

}  // namespace
}  // namespace lamina::sys
