// The number that a copied-up file keeps, and the stack in which it keeps it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "overlay/file_system.h"
#include "overlay/layers/marks.h"
#include "sys/xattrs.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

using test::TemporaryDirectory;

TEST(LowerNumber, IsWrittenAndRead) {
  const LowerNumber number{0x0102030405060708U, 0xF1F2F3F4F5F6F7F8U, 0xE1E2E3E4E5E6E7E8U, 0xD1D2D3D4D5D6D7D8U};
  const auto value = encode(number);
  EXPECT_EQ(value.front(), std::byte{8});
  EXPECT_EQ(value.back(), std::byte{0xD1});
  const auto read = decode_lower_number(value);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ino, number.ino);
  EXPECT_EQ(read->stack, number.stack);
  EXPECT_EQ(read->own, number.own);
  EXPECT_EQ(read->upper, number.upper);
  EXPECT_FALSE(decode_lower_number(std::span(value).first(8)).has_value());
  EXPECT_FALSE(decode_lower_number({}).has_value());
}

TEST(LowerNumber, TellsACopyInTheSameUpper) {
  const LowerNumber number{7, 5, 11, 2};
  EXPECT_FALSE(number.is_of_a_copy(11, 2));
  EXPECT_TRUE(number.is_of_a_copy(12, 2));
  EXPECT_FALSE(number.is_of_a_copy(12, 3)) << "the whole upper was copied";
}

TEST(LowerNumber, OfTheOlderFormTellsNoCopy) {
  const auto value = encode(LowerNumber{7, 5, 11, 2});
  const auto read = decode_lower_number(std::span(value).first(older_lower_number_size));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ino, 7U);
  EXPECT_FALSE(read->is_of_a_copy(12, 2));
}

class StackTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"one", "two", "three", "upper", "work"}) place_.directory(name);
    for (const char* name : {"one/a", "one/b", "two/c", "two/d", "three/e", "three/f"}) place_.file(name, name);
    for (const char* name : {"one", "two", "three"}) test::write_index(place_.path(name), index(name));
  }

  [[nodiscard]] std::string index(const std::string& name) const { return place_.path(name + "-index"); }

  // Topmost first.
  std::unique_ptr<FileSystem> open(const std::vector<std::string>& lowers, bool indexed = true) {
    Options options;
    for (const std::string& name : lowers) options.lowers.push_back({place_.path(name), indexed ? index(name) : ""});
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.user_xattr = test::user_marks();
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    EXPECT_TRUE(opened.ok()) << explanation;
    return std::move(*opened);
  }

  static std::uint64_t ino(FileSystem& file_system, const std::string& name) {
    const auto found = file_system.lookup(root_node, name);
    EXPECT_TRUE(found.ok()) << name;
    return found.ok() ? found->attributes.ino : 0;
  }
  static void copy_up(FileSystem& file_system, const std::string& name) {
    const auto found = file_system.lookup(root_node, name);
    ASSERT_TRUE(file_system.file(found->node, Access::write, [] { return false; }).ok());
  }

  TemporaryDirectory place_;
};

TEST_F(StackTest, KeepsTheNumberInTheSameStack) {
  std::uint64_t before = 0;
  {
    const auto stack = open({"two", "one"});
    before = ino(*stack, "c");
    copy_up(*stack, "c");
    EXPECT_EQ(ino(*stack, "c"), before);
  }
  EXPECT_EQ(ino(*open({"two", "one"}), "c"), before);
}

TEST_F(StackTest, GivesACopyInTheUpperANumberOfItsOwn) {
  copy_up(*open({"two", "one"}), "c");
  // As cp -a makes one while nothing is mounted: with the attributes.
  const sys::FileDescriptor upper(::open(place_.path("upper").c_str(), O_PATH | O_DIRECTORY));
  place_.file("upper/copied", "c");
  for (const char* name : {"trusted.overlay.lamina.ino", "user.overlay.lamina.ino"}) {
    const auto value = sys::get_xattr(upper.get(), "c", name);
    if (value) {
      ASSERT_TRUE(sys::set_xattr(upper.get(), "copied", name, *value).ok());
    }
  }
  const auto stack = open({"two", "one"});
  EXPECT_NE(ino(*stack, "copied"), ino(*stack, "c"));
  const auto listing = stack->list(root_node);
  ASSERT_TRUE(listing.ok());
  for (const DirectoryEntry& each : **listing) EXPECT_EQ(each.ino, ino(*stack, each.name)) << each.name;
}

TEST_F(StackTest, GivesACopyOfARedirectedDirectoryANumberOfItsOwn) {
  if (test::user_marks()) GTEST_SKIP() << "without root there are no redirects";
  place_.directory("one/directory/below");
  {
    const auto stack = open({"one"}, false);
    const auto renamed =
        stack->rename(root_node, "directory", root_node, "moved", RenameMode::replace, [] { return false; });
    ASSERT_TRUE(renamed.ok());
  }
  const sys::FileDescriptor upper(::open(place_.path("upper").c_str(), O_PATH | O_DIRECTORY));
  place_.directory("upper/copied");
  const auto names = sys::list_xattrs(upper.get(), "moved");
  ASSERT_TRUE(names.ok());
  sys::for_each_name(*names, [&](std::string_view name) {
    EXPECT_TRUE(sys::set_xattr(upper.get(), "copied", name, *sys::get_xattr(upper.get(), "moved", name)).ok()) << name;
  });
  const auto stack = open({"one"}, false);
  EXPECT_NE(ino(*stack, "copied"), ino(*stack, "moved"));
  EXPECT_TRUE(stack->lookup(stack->lookup(root_node, "copied")->node, "below").ok());
}

TEST_F(StackTest, GivesNoNumberTwiceInAnotherStack) {
  copy_up(*open({"two", "one"}), "c");
  // Another layer takes the place of the one that the copy came from, so that its entries have the numbers of the
  // other's.
  const auto stack = open({"three", "one"});
  const std::uint64_t copy = ino(*stack, "c");
  for (const char* name : {"a", "b", "e", "f"}) EXPECT_NE(ino(*stack, name), copy) << name;
}

TEST_F(StackTest, KeepsTheNumberUnderALayerWithoutAnIndex) {
  std::uint64_t before = 0;
  {
    const auto stack = open({"one"}, false);
    before = ino(*stack, "a");
    copy_up(*stack, "a");
  }
  EXPECT_EQ(ino(*open({"two", "one"}, false), "a"), before);
}

TEST_F(StackTest, CountsTheSubdirectoriesOfOneLayerOnly) {
  place_.directory("one/directory/below");
  place_.directory("two/directory");
  const auto stack = open({"two", "one"}, false);
  const auto merged = stack->lookup(root_node, "directory");
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged->attributes.nlink, 1U);
  const auto single = stack->lookup(merged->node, "below");
  ASSERT_TRUE(single.ok());
  EXPECT_EQ(single->attributes.nlink, 2U);
  EXPECT_EQ(stack->attributes(single->node)->nlink, 2U);
}

}  // namespace
}  // namespace lamina::overlay
