#include "overlay/layers/redirects.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sys/open.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

// "path<below", sorted.
std::vector<std::string> all(const Redirects& redirects) {
  std::vector<std::string> lines;
  for (const auto& each : redirects.all()) lines.push_back(each.path + "<" + each.below);
  std::sort(lines.begin(), lines.end());
  return lines;
}
using Lines = std::vector<std::string>;

TEST(Redirects, RelativeOnesNameASiblingInWhatTheParentShows) {
  const Redirects redirects({{"a", "/was/there"}, {"a/b/c", "d"}, {"a/b/c/e", "f"}, {"top", "before"}, {"a.x/y", "z"}});
  EXPECT_EQ(all(redirects),
            (Lines{"a.x/y<a.x/z", "a/b/c/e<was/there/b/d/f", "a/b/c<was/there/b/d", "a<was/there", "top<before"}));
}

TEST(Redirects, FollowADirectoryThatMoves) {
  Redirects redirects({{"a", "/x"}, {"a/b", "/y"}, {"ab", "/z"}});
  redirects.moved("a", "new/a", "x");
  EXPECT_EQ(all(redirects), (Lines{"ab<z", "new/a/b<y", "new/a<x"}));
  redirects.moved("plain", "made", "plain");
  redirects.moved("new", "newer", "");
  EXPECT_EQ(all(redirects), (Lines{"ab<z", "made<plain", "newer/a/b<y", "newer/a<x"}));
  redirects.moved("made", "newer/a", "plain");
  EXPECT_EQ(all(redirects), (Lines{"ab<z", "newer/a<plain"}));
}

TEST(Redirects, ChangePlaces) {
  Redirects redirects({{"a", "/x"}, {"a/b", "/y"}, {"c/d", "/z"}});
  redirects.exchanged("a", "c", "x", "c");
  EXPECT_EQ(all(redirects), (Lines{"a/d<z", "a<c", "c/b<y", "c<x"}));
  redirects.exchanged("a/d", "none", "", "");
  EXPECT_EQ(all(redirects), (Lines{"a<c", "c/b<y", "c<x", "none<z"}));
}

TEST(Redirects, RestBelow) {
  EXPECT_STREQ(rest_below("a/b", "a"), "b");
  EXPECT_STREQ(rest_below("a/b", ""), "a/b");
  EXPECT_STREQ(rest_below("a", "a"), "");
  EXPECT_EQ(rest_below("ab", "a"), nullptr);
  EXPECT_EQ(rest_below("b", "a"), nullptr);
}

TEST(Redirects, AreFoundInATree) {
  test::TemporaryDirectory place;
  place.directory("one/two/three");
  place.directory("four");
  test::set_attribute(place.path("one/two"), test::mark_prefix() + "redirect", "/was");
  test::set_attribute(place.path("one/two/three"), test::mark_prefix() + "redirect", "sibling");
  test::set_attribute(place.path("four"), test::mark_prefix() + "redirect", "not/understood");
  const auto root = sys::open_path(place.path(), O_PATH | O_DIRECTORY);
  ASSERT_TRUE(root.ok());
  auto found = find_redirects(root->get(), MarkNames(test::user_marks()));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(all(Redirects(std::move(*found))), (Lines{"one/two/three<was/sibling", "one/two<was"}));
}

}  // namespace
}  // namespace lamina::overlay
