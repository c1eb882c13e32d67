// inotify(7).
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

struct Event {
  std::uint32_t mask, cookie;
  std::string name;
};

class Inotify : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    queue = FileDescriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  }

  void watch(const Path& path, std::uint32_t mask) {
    require(::inotify_add_watch(queue.get(), path, mask) >= 0, "inotify_add_watch " + path.text());
  }

  // All events that have come.
  std::vector<Event> events() const {
    std::vector<Event> result;
    alignas(inotify_event) char buffer[16384];
    for (;;) {
      const ssize_t length = ::read(queue.get(), buffer, sizeof buffer);
      if (length <= 0) return result;
      for (ssize_t at = 0; at < length;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        result.push_back({event->mask, event->cookie, event->len > 0 ? event->name : ""});
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
  }

  // How many events of the kind, with the name.
  static long count(const std::vector<Event>& all, std::uint32_t mask, const std::string& name) {
    return std::count_if(all.begin(), all.end(),
                         [&](const Event& event) { return (event.mask & mask) != 0 && event.name == name; });
  }

  FileDescriptor queue;
};

TEST_F(Inotify, TellsWhatHappensInADirectory) {
  watch(here, IN_ALL_EVENTS);
  make_file(here / "f", "x");
  make_directory(here / "d");
  EXPECT_EQ(contents(here / "f"), "x");
  ASSERT_OK(::unlink(here / "f"));
  ASSERT_OK(::rmdir(here / "d"));
  const auto all = events();
  EXPECT_EQ(count(all, IN_CREATE, "f"), 1);
  EXPECT_EQ(count(all, IN_MODIFY, "f"), 1);
  EXPECT_EQ(count(all, IN_CLOSE_WRITE, "f"), 1);
  EXPECT_EQ(count(all, IN_CLOSE_NOWRITE, "f"), 1);
  EXPECT_EQ(count(all, IN_DELETE, "f"), 1);
  EXPECT_EQ(count(all, IN_CREATE, "d"), 1);
  EXPECT_EQ(count(all, IN_DELETE, "d"), 1);
  EXPECT_EQ(count(all, IN_ISDIR, "f"), 0);
}

TEST_F(Inotify, PairsTheHalvesOfARename) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_file(here / "a/f");
  watch(here / "a", IN_MOVE);
  watch(here / "b", IN_MOVE);
  ASSERT_OK(::rename(here / "a/f", here / "b/g"));
  const auto all = events();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE((all[0].mask & IN_MOVED_FROM) != 0 && all[0].name == "f");
  EXPECT_TRUE((all[1].mask & IN_MOVED_TO) != 0 && all[1].name == "g");
  EXPECT_EQ(all[0].cookie, all[1].cookie);
}

TEST_F(Inotify, FollowsAFile) {
  make_file(here / "f");
  watch(here / "f", IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
  overwrite(here / "f", "x");
  ASSERT_OK(::truncate(here / "f", 0));
  ASSERT_OK(::chmod(here / "f", 0600));
  ASSERT_OK(::rename(here / "f", here / "g"));
  overwrite(here / "g", "y");
  const auto all = events();
  EXPECT_GE(count(all, IN_MODIFY, ""), 2) << "equal events that follow each other are merged";
  EXPECT_GE(count(all, IN_ATTRIB, ""), 1);
  EXPECT_EQ(count(all, IN_MOVE_SELF, ""), 1);
}

TEST_F(Inotify, TellsTheEnd) {
  make_file(here / "f");
  make_directory(here / "d");
  watch(here / "f", IN_DELETE_SELF);
  watch(here / "d", IN_DELETE_SELF);
  ASSERT_OK(::unlink(here / "f"));
  ASSERT_OK(::rmdir(here / "d"));
  const auto all = events();
  EXPECT_EQ(count(all, IN_DELETE_SELF, ""), 2);
  EXPECT_EQ(count(all, IN_IGNORED, ""), 2);
}

TEST_F(Inotify, SeesOtherProcesses) {
  watch(here, IN_CREATE);
  EXPECT_OK(as(alice, [&]() -> long { return ::mkdir(here / "d", 0755); }));
  EXPECT_EQ(count(events(), IN_CREATE, "d"), 1);
}

TEST_F(Inotify, WakesAWaiter) {
  make_file(here / "f");
  watch(here / "f", IN_MODIFY);
  Child writer([&]() -> long {
    ::usleep(20'000);
    overwrite(here / "f", "x");
    return 0;
  });
  pollfd waiting{queue.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 20'000), 1);
  EXPECT_OK(writer.wait());
}

TEST_F(Inotify, OutlivesDroppedCaches) {
  make_file(here / "f");
  watch(here / "f", IN_MODIFY);
  drop_caches();
  overwrite(here / "f", "x");
  EXPECT_EQ(count(events(), IN_MODIFY, ""), 1);
}

}  // namespace
}  // namespace conformance
