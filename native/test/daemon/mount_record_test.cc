#include "daemon/mount_record.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include "test/support/temporary_directory.h"

namespace lamina::daemon {
namespace {

using test::TemporaryDirectory;

TEST(MountRecord, IsWrittenAndRead) {
  const MountRecord record{45, 0xFFFFFFFFFFFFFFFFU};
  EXPECT_EQ(decode_mount_record(encode(record)), record);
  for (const char* other : {"", "1", "1 45", "1 45 ", "1 45 7 ", "2 45 7", "1 x 7", "1 45 7x"}) {
    EXPECT_FALSE(decode_mount_record(other).has_value()) << other;
  }
}

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "upper", "work"}) place_.directory(name);
    options_.overlay.lowers = {{place_.path("a"), ""}, {place_.path("b"), ""}};
    options_.overlay.upper = place_.path("upper");
    options_.overlay.work = place_.path("work");
  }
  [[nodiscard]] std::uint64_t with(const std::function<void(DaemonOptions&)>& change) const {
    DaemonOptions options = options_;
    change(options);
    const auto fingerprint = fingerprint_of(options);
    EXPECT_TRUE(fingerprint.ok());
    return fingerprint.ok() ? *fingerprint : 0;
  }
  TemporaryDirectory place_;
  DaemonOptions options_;
};

TEST_F(FingerprintTest, IsTheSameForWhatOneDriverCanServe) {
  const std::uint64_t plain = with([](DaemonOptions&) {});
  EXPECT_EQ(plain, with([](DaemonOptions& options) { options.mountpoint = "/elsewhere"; }));
  EXPECT_EQ(plain, with([](DaemonOptions& options) { options.mount_flags = MS_NOSUID | MS_NODEV | MS_RDONLY; }));
  EXPECT_EQ(plain, with([](DaemonOptions& options) { options.foreground = true; }));
  EXPECT_EQ(plain, with([&](DaemonOptions& options) { options.overlay.upper = place_.path("a/../upper"); }));
}

TEST_F(FingerprintTest, TellsOtherStacksAndOptionsApart) {
  const std::uint64_t plain = with([](DaemonOptions&) {});
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.overlay.lowers.pop_back(); }));
  EXPECT_NE(plain,
            with([](DaemonOptions& options) { std::swap(options.overlay.lowers[0], options.overlay.lowers[1]); }));
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.server.mode = server::Mode::servicing; }));
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.overlay.metacopy = false; }));
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.server.synchronous = false; }));
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.control = "/run/control"; }));
  EXPECT_NE(plain, with([](DaemonOptions& options) { options.mount_flags = MS_SYNCHRONOUS; }));
}

TEST_F(FingerprintTest, IsNotedAtTheWorkDirectory) {
  options_.overlay.user_xattr = ::geteuid() != 0;
  const auto note = MountNote::open(options_);
  ASSERT_TRUE(note.ok());
  EXPECT_FALSE(note->read()->has_value());
  const MountRecord record{45, 7};
  ASSERT_TRUE(note->write(record).ok());
  const auto read = note->read();
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, record);
  ASSERT_TRUE(note->remove().ok());
  EXPECT_TRUE(note->remove().ok());
  EXPECT_FALSE(note->read()->has_value());
}

}  // namespace
}  // namespace lamina::daemon
