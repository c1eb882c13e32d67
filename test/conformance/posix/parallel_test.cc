// Several processes in one tree; scripts/conformance --parallel does more of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "support/scratch.h"

namespace conformance {
namespace {

using Parallel = Scratch;

constexpr int workers = 4;

void expect_all_ok(const std::vector<Outcome>& outcomes) {
  for (const Outcome& result : outcomes) EXPECT_OK(result);
}

TEST_F(Parallel, CreatingInOneDirectoryLosesNothing) {
  expect_all_ok(at_once(workers, [&](int worker) -> long {
    for (int round = 0; round < 250; ++round) {
      const std::string name = std::to_string(worker) + "." + std::to_string(round);
      make_file(here / name, name);
    }
    return 0;
  }));
  const auto all = names(here);
  EXPECT_EQ(all.size(), workers * 250U);
  for (const std::string& name : all) ASSERT_EQ(contents(here / name), name);
}

TEST_F(Parallel, OneRenameOfANameWins) {
  for (int round = 0; round < 30; ++round) {
    make_file(here / "f", "x");
    int winners = 0;
    const auto outcomes = at_once(
        workers, [&](int worker) -> long { return ::rename(here / "f", here / ("to-" + std::to_string(worker))); });
    for (const Outcome& result : outcomes) {
      if (result.error == 0) {
        ++winners;
      } else {
        EXPECT_EQ(result.error, ENOENT);
      }
    }
    EXPECT_EQ(winners, 1);
    ASSERT_EQ(names(here).size(), 1U);
    ASSERT_OK(::unlink(here / names(here)[0]));
  }
}

TEST_F(Parallel, OneRemovalWins) {
  for (int round = 0; round < 30; ++round) {
    make_file(here / "f");
    int winners = 0;
    for (const Outcome& result : at_once(workers, [&](int) -> long { return ::unlink(here / "f"); })) {
      if (result.error == 0) ++winners;
    }
    EXPECT_EQ(winners, 1);
    EXPECT_FALSE(exists(here / "f"));
  }
}

TEST_F(Parallel, RenamesBetweenDirectoriesKeepTheCount) {
  for (const char* directory : {"a", "b", "c"}) make_directory(here / directory);
  for (int number = 0; number < 40; ++number) make_file(here / "a" / std::to_string(number), std::to_string(number));
  expect_all_ok(at_once(workers, [&](int worker) -> long {
    std::mt19937 random(static_cast<unsigned>(worker));
    for (int round = 0; round < 400; ++round) {
      const std::string name = std::to_string(random() % 40);
      const char* const directories[] = {"a", "b", "c"};
      const Path from = here / directories[random() % 3] / name, to = here / directories[random() % 3] / name;
      if (::rename(from, to) != 0 && errno != ENOENT) return -1;
    }
    return 0;
  }));
  std::vector<std::string> all;
  for (const char* directory : {"a", "b", "c"}) {
    for (const std::string& name : names(here / directory)) {
      EXPECT_EQ(contents(here / directory / name), name);
      all.push_back(name);
    }
  }
  EXPECT_EQ(all.size(), 40U);
}

TEST_F(Parallel, LinkingAndUnlinkingEndWithTheRightCount) {
  make_file(here / "f", "x");
  expect_all_ok(at_once(workers, [&](int worker) -> long {
    for (int round = 0; round < 200; ++round) {
      const std::string name = std::to_string(worker) + "." + std::to_string(round);
      if (::link(here / "f", here / name) != 0) return -1;
      if (round % 10 != 0 && ::unlink(here / name) != 0) return -1;
    }
    return 0;
  }));
  EXPECT_EQ(names(here).size(), 1U + workers * 20U);
  EXPECT_EQ(status(here / "f").st_nlink, 1U + workers * 20U);
}

TEST_F(Parallel, MakingAndRemovingATreeTogether) {
  expect_all_ok(at_once(workers, [&](int worker) -> long {
    for (int round = 0; round < 60; ++round) {
      // As mkdir -p and rm -r of several programs in one place.
      if (::mkdir(here / "d", 0755) != 0 && errno != EEXIST) return -1;
      const Path file = here / "d" / std::to_string(worker);
      const int number = ::open(file, O_CREAT | O_WRONLY, 0644);
      if (number < 0 && errno != ENOENT) return -1;
      if (number >= 0) ::close(number);
      if (::unlink(file) != 0 && errno != ENOENT) return -1;
      if (::rmdir(here / "d") != 0 && errno != ENOTEMPTY && errno != ENOENT) return -1;
    }
    return 0;
  }));
  EXPECT_LE(names(here).size(), 1U);
}

TEST_F(Parallel, DeepRenamesAndLookupsDoNotDeadlock) {
  for (const char* directory : {"a", "a/b", "a/b/c", "x", "x/y", "x/y/z"}) make_directory(here / directory);
  expect_all_ok(at_once(workers, [&](int worker) -> long {
    for (int round = 0; round < 200; ++round) {
      const bool there = (round + worker) % 2 == 0;
      const Path one = here / "a/b/c/moving", two = here / "x/y/z/moving";
      if (worker == 0 && ::mkdir(one, 0755) != 0 && errno != EEXIST) return -1;
      if (::rename(there ? one : two, there ? two : one) != 0 && errno != ENOENT && errno != ENOTEMPTY &&
          errno != EEXIST) {
        return -1;
      }
      struct stat found {};
      if (::lstat(there ? two : one, &found) != 0 && errno != ENOENT) return -1;
    }
    return 0;
  }));
}

TEST_F(Parallel, ReadersOfAFileThatIsReplacedSeeOneVersion) {
  make_file(here / "f", std::string(50'000, '0'));
  const Child replacing([&]() -> long {
    for (int round = 1; round < 100; ++round) {
      make_file(here / "new", std::string(50'000, static_cast<char>('0' + round % 10)));
      if (::rename(here / "new", here / "f") != 0) return -1;
    }
    return 0;
  });
  for (int round = 0; round < 100; ++round) {
    const std::string seen = contents(here / "f");
    ASSERT_EQ(seen.size(), 50'000U);
    ASSERT_EQ(seen.find_first_not_of(seen[0]), std::string::npos);
  }
}

}  // namespace
}  // namespace conformance
