// What a layer says, with an index and without: both must say the same, but for inode numbers.
#include "overlay/layers/layer.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "sys/data.h"
#include "sys/status.h"
#include "sys/xattrs.h"
#include "test/overlay/resolve.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

using test::resolve;
using test::TemporaryDirectory;

class LayerTest : public testing::Test {
 protected:
  void SetUp() override {
    tree_.directory("tree");
    make_sample_tree(sample_);
    test::write_index(sample_.path(), tree_.path("index"));
    indexed_ = open(tree_.path("index"));
    plain_ = open("");
    ASSERT_TRUE(indexed_ && plain_);
  }
  std::unique_ptr<Layer> open(const std::string& index) {
    std::string explanation;
    auto layer = Layer::open({sample_.path(), index}, 3, test::user_marks(), explanation);
    EXPECT_TRUE(layer.ok()) << explanation;
    return layer.ok() ? std::move(*layer) : nullptr;
  }

  TemporaryDirectory tree_, sample_;
  std::unique_ptr<Layer> indexed_, plain_;
};

std::string text(const std::vector<std::byte>& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

void expect_same_attributes(const Attributes& left, const Attributes& right, const std::string& path) {
  SCOPED_TRACE(path);
  EXPECT_EQ(left.size, right.size);
  EXPECT_EQ(left.blocks, right.blocks);
  EXPECT_EQ(left.mtime, right.mtime);
  EXPECT_EQ(left.ctime, right.ctime);
  EXPECT_EQ(left.mode, right.mode);
  EXPECT_EQ(left.nlink, right.nlink);
  EXPECT_EQ(left.uid, right.uid);
  EXPECT_EQ(left.gid, right.gid);
  EXPECT_EQ(left.rdev_major, right.rdev_major);
  EXPECT_EQ(left.rdev_minor, right.rdev_minor);
}

std::vector<std::string> sorted_names(const std::string& list) {
  std::vector<std::string> names;
  sys::for_each_name(list, [&](std::string_view name) { names.emplace_back(name); });
  std::sort(names.begin(), names.end());
  return names;
}

void expect_same_entry(const Layer& left, const LowerEntry& a, const Layer& right, const LowerEntry& b) {
  const std::string path = *left.path(a.reference);
  EXPECT_EQ(path, *right.path(b.reference));
  expect_same_attributes(a.attributes, b.attributes, path);
  EXPECT_EQ(a.marks.whiteout, b.marks.whiteout) << path;
  EXPECT_EQ(a.marks.opaque, b.marks.opaque) << path;
  EXPECT_EQ(a.marks.metacopy, b.marks.metacopy) << path;
  EXPECT_EQ(a.marks.redirect, b.marks.redirect) << path;
  const auto names = left.xattr_names(a.reference);
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(sorted_names(*names), sorted_names(*right.xattr_names(b.reference))) << path;
  for (const std::string& name : sorted_names(*names)) {
    EXPECT_EQ(text(*left.xattr(a.reference, name)), text(*right.xattr(b.reference, name))) << path;
  }
  EXPECT_TRUE(left.xattr(a.reference, "user.none").failed_with(ENODATA));
  EXPECT_TRUE(right.xattr(b.reference, "user.none").failed_with(ENODATA));
  if (S_ISLNK(a.attributes.mode)) {
    EXPECT_EQ(*left.read_link(a.reference), *right.read_link(b.reference));
  }
}

int compare_trees(const Layer& left, const LowerEntry& a, const Layer& right, const LowerEntry& b) {
  expect_same_entry(left, a, right, b);
  if (!S_ISDIR(a.attributes.mode)) return 1;
  const auto children = left.list(a.reference);
  const auto others = right.list(b.reference);
  if (!children.ok() || !others.ok() || children->size() != others->size()) {
    ADD_FAILURE() << *left.path(a.reference);
    return 1;
  }
  int count = 1;
  for (std::size_t index = 0; index < children->size(); ++index) {
    const auto& child = (*children)[index];
    EXPECT_EQ(child.entry.name, (*others)[index].entry.name);
    EXPECT_EQ(child.entry.type, (*others)[index].entry.type) << child.entry.name;
    EXPECT_EQ(child.entry.cookie, name_cookie(child.entry.name));
    EXPECT_EQ(child.whiteout, (*others)[index].whiteout) << child.entry.name;
    const auto mine = left.lookup(a.reference, child.entry.name);
    const auto theirs = right.lookup(b.reference, child.entry.name);
    if (!mine.ok() || !theirs.ok()) {
      ADD_FAILURE() << child.entry.name;
      continue;
    }
    EXPECT_EQ(mine->attributes.ino, child.entry.ino) << child.entry.name;
    EXPECT_EQ(theirs->attributes.ino, (*others)[index].entry.ino) << child.entry.name;
    EXPECT_EQ(mine->marks.whiteout, child.whiteout);
    count += compare_trees(left, *mine, right, *theirs);
  }
  return count;
}

TEST_F(LayerTest, SaysTheSameWithAnIndexAndWithout) {
  const int seen = compare_trees(*indexed_, *indexed_->get(indexed_->root()), *plain_, *plain_->get(plain_->root()));
  int files = 1;
  for ([[maybe_unused]] const auto& entry : std::filesystem::recursive_directory_iterator(sample_.path())) ++files;
  EXPECT_EQ(seen, files);
}

TEST_F(LayerTest, KnowsWhatIsAbsent) {
  for (const Layer* layer : {indexed_.get(), plain_.get()}) {
    EXPECT_TRUE(layer->lookup(layer->root(), "none").failed_with(ENOENT));
    EXPECT_TRUE(layer->lookup(layer->root(), std::string(256, 'n')).failed_with(ENAMETOOLONG));
    EXPECT_TRUE(layer->lookup(layer->root(), std::string(255, 'n')).ok());
    const auto file = resolve(*layer, "etc/passwd");
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(layer->lookup(file->reference, "x").failed_with(ENOTDIR));
    EXPECT_TRUE(layer->list(file->reference).failed_with(ENOTDIR));
    EXPECT_TRUE(layer->read_link(file->reference).failed_with(EINVAL));
    EXPECT_TRUE(resolve(*layer, "etc/passwd/x").failed_with(ENOTDIR));
    EXPECT_TRUE(resolve(*layer, "etc/link/x").failed_with(ENOTDIR));
    EXPECT_TRUE(resolve(*layer, "etc/none/x").failed_with(ENOENT));
    EXPECT_FALSE(resolve(*layer, "../etc").ok());
    EXPECT_EQ(*layer->path(resolve(*layer, "/etc//deep/deeper/leaf")->reference), "etc/deep/deeper/leaf");
    EXPECT_EQ(*layer->path(resolve(*layer, "")->reference), "");
  }
}

TEST_F(LayerTest, ReadsMarks) {
  for (const Layer* layer : {indexed_.get(), plain_.get()}) {
    EXPECT_TRUE(resolve(*layer, "opaque")->marks.opaque);
    EXPECT_EQ(resolve(*layer, "moved")->marks.redirect, "/was/here");
    EXPECT_TRUE(resolve(*layer, "meta")->marks.metacopy);
    EXPECT_EQ(resolve(*layer, "meta")->marks.redirect, "old-name");
    EXPECT_TRUE(resolve(*layer, "xattr-whiteouts/gone")->marks.whiteout);
    EXPECT_FALSE(resolve(*layer, "xattr-whiteouts/here")->marks.whiteout);
    EXPECT_FALSE(resolve(*layer, "xattr-whiteouts")->marks.opaque);
    EXPECT_FALSE(resolve(*layer, "not-gone")->marks.whiteout);
    if (test::is_root()) {
      EXPECT_TRUE(resolve(*layer, "etc/gone")->marks.whiteout);
    }
  }
}

TEST_F(LayerTest, OpensData) {
  for (const Layer* layer : {indexed_.get(), plain_.get()}) {
    const auto leaf = resolve(*layer, "etc/deep/deeper/leaf");
    const auto file = layer->open(leaf->reference, O_RDONLY);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(*sys::read_whole(file->get(), 10000), std::string(5000, 'l'));
    EXPECT_TRUE(layer->open(resolve(*layer, "etc/link")->reference, O_RDONLY).failed_with(ELOOP));
    EXPECT_TRUE(layer->open(resolve(*layer, "etc/link")->reference, O_PATH).ok());
    EXPECT_TRUE(sys::status_of(layer->open(layer->root(), O_RDONLY | O_DIRECTORY)->get())->is_directory());
    if (test::is_root()) {
      EXPECT_TRUE(layer->open(leaf->reference, O_RDWR).failed_with(EROFS));
    }
  }
}

TEST_F(LayerTest, KnowsTheNamesOfAFile) {
  const auto passwd = resolve(*indexed_, "etc/passwd");
  auto names = *indexed_->link_group(passwd->reference);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"etc/deep/second", "etc/passwd", "third"}));
  EXPECT_EQ(*indexed_->link_group(resolve(*indexed_, "pipe")->reference), std::vector<std::string>{"pipe"});
  EXPECT_TRUE(plain_->link_group(resolve(*plain_, "etc/passwd")->reference)->empty());
  for (const Layer* layer : {indexed_.get(), plain_.get()}) {
    const auto first = resolve(*layer, "etc/passwd");
    const auto third = resolve(*layer, "third");
    EXPECT_EQ(first->attributes.ino, third->attributes.ino);
    EXPECT_EQ(*layer->identity(first->reference), *layer->identity(third->reference));
    EXPECT_NE(*layer->identity(first->reference), *layer->identity(resolve(*layer, "pipe")->reference));
  }
}

TEST_F(LayerTest, NumbersCarryThePosition) {
  for (const Layer* layer : {indexed_.get(), plain_.get()}) {
    std::set<std::uint64_t> numbers;
    const auto directory = resolve(*layer, "empty");
    for (const auto& child : *layer->list(directory->reference)) {
      EXPECT_EQ(child.entry.ino >> 40, 3U);
      numbers.insert(child.entry.ino);
    }
    EXPECT_EQ(numbers.size(), 300U);
  }
  EXPECT_EQ(indexed_->get(indexed_->root())->attributes.ino, (std::uint64_t{3} << 40) + 1);
}

TEST_F(LayerTest, WalksTreesThatAreDeeperThanAPathMayBeLong) {
  const TemporaryDirectory deep;
  const std::string name(200, 'd');
  int at = ::dup(deep.descriptor());
  std::string path;
  for (int depth = 0; depth < 60; ++depth) {
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0755), 0);
    const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = next;
    path += (path.empty() ? "" : "/") + name;
  }
  ::close(at);
  std::string explanation;
  const auto layer = Layer::open({deep.path(), ""}, 1, test::user_marks(), explanation);
  ASSERT_TRUE(layer.ok()) << explanation;
  LowerRef reference = (*layer)->root();
  for (int depth = 0; depth < 60; ++depth) reference = (*layer)->lookup(reference, name)->reference;
  EXPECT_EQ(*(*layer)->path(reference), path);
  EXPECT_TRUE((*layer)->list(reference)->empty());
  EXPECT_TRUE(resolve(**layer, path).ok());
  EXPECT_TRUE((*layer)->lookup(reference, "none").failed_with(ENOENT));
}

TEST(LayerOpen, ExplainsWhatIsWrong) {
  const TemporaryDirectory root;
  root.file("file", "not a tree");
  std::string explanation;
  EXPECT_TRUE(Layer::open({root.path("none"), ""}, 1, false, explanation).failed_with(ENOENT));
  EXPECT_EQ(explanation, "lower " + root.path("none") + ": No such file or directory");
  EXPECT_TRUE(Layer::open({root.path("file"), ""}, 1, false, explanation).failed_with(ENOTDIR));
  EXPECT_EQ(explanation, "lower " + root.path("file") + ": Not a directory");
  EXPECT_TRUE(Layer::open({root.path(), root.path("none")}, 1, false, explanation).failed_with(ENOENT));
  EXPECT_EQ(explanation, "index " + root.path("none") + " cannot be opened: No such file or directory");
  EXPECT_TRUE(Layer::open({root.path(), root.path("file")}, 1, false, explanation).failed_with(EINVAL));
  EXPECT_EQ(explanation, "index " + root.path("file") + " is not an index of a sealed layer");
}

TEST(NameCookie, IsAboveTheOffsetsOfDotAndDotDot) {
  for (int number = 0; number < 1000; ++number) {
    const std::uint64_t cookie = name_cookie(std::to_string(number));
    EXPECT_GT(cookie, 2U);
    EXPECT_EQ(cookie & 7U, 4U) << "room for names that collide";
    EXPECT_EQ(cookie >> 63, 0U);
  }
  EXPECT_EQ(cookie_of_hash(0), 4U);
  EXPECT_EQ(cookie_of_hash(~std::uint64_t{0}), (~std::uint64_t{0} >> 1) - 3);
}

}  // namespace
}  // namespace lamina::overlay
