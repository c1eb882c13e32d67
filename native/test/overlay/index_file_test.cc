#include "overlay/layers/index_file.h"

#include <fcntl.h>

#include <cstddef>
#include <cstring>
#include <random>

#include "overlay/layers/layer.h"
#include "overlay/layers/xxh64.h"
#include "test/overlay/resolve.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

using test::resolve;
using test::TemporaryDirectory;

class IndexFileTest : public testing::Test {
 protected:
  void SetUp() override {
    make_sample_tree(tree_);
    bytes_ = test::make_index(tree_.path(), test::mark_prefix());
  }
  Result<std::unique_ptr<IndexFile>> open(const std::string& bytes) {
    other_.file("index", bytes);
    explanation_.clear();
    return IndexFile::open(other_.path("index"), explanation_);
  }
  template <typename T>
  std::string changed(std::size_t at, T value) const {
    std::string bytes = bytes_;
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return bytes;
  }

  TemporaryDirectory tree_, other_;
  std::string bytes_, explanation_;
};

TEST(Xxh64, IsTheOneOfTheReference) {
  EXPECT_EQ(xxh64(std::string_view("")), 0xEF46DB3751D8E999U);
  EXPECT_EQ(xxh64(std::string_view("a")), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(xxh64(std::string_view("abc")), 0x44BC2CF5AD770999U);
}

TEST_F(IndexFileTest, FindsByPath) {
  const auto index = open(bytes_);
  ASSERT_TRUE(index.ok()) << explanation_;
  EXPECT_TRUE((*index)->verify().ok());
  const auto leaf = resolve(**index, "etc/deep/deeper/leaf");
  ASSERT_TRUE(leaf.ok());
  EXPECT_EQ(*(*index)->path(*leaf), "etc/deep/deeper/leaf");
  EXPECT_EQ((*index)->entry(*leaf)->size, 5000U);
  EXPECT_TRUE((*index)->entry((*index)->count()).failed_with(EIO));
}

TEST_F(IndexFileTest, ReadsVersionOne) {
  const auto index = open(test::make_index(tree_.path(), test::mark_prefix(), 1));
  ASSERT_TRUE(index.ok()) << explanation_;
  EXPECT_TRUE((*index)->verify().ok());
  const auto leaf = resolve(**index, "etc/deep/deeper/leaf");
  ASSERT_TRUE(leaf.ok());
  EXPECT_EQ((*index)->entry(*leaf)->size, 5000U);
  EXPECT_EQ((*index)->entry(*leaf)->content, xxh64(std::string(5000, 'l')));
}

TEST_F(IndexFileTest, KeepsItsFingerprintWhenItIsWrittenAnew) {
  const auto first = open(test::make_index(tree_.path(), test::mark_prefix(), 1));
  ASSERT_TRUE(first.ok()) << explanation_;
  const auto second = open(changed(bytes_.size() - 8, (*first)->fingerprint()));
  ASSERT_TRUE(second.ok()) << explanation_;
  EXPECT_EQ((*second)->fingerprint(), (*first)->fingerprint());
  EXPECT_NE((*open(bytes_))->fingerprint(), (*first)->fingerprint());
}

TEST_F(IndexFileTest, RefusesDamagedHeaders) {
  EXPECT_TRUE(open("").failed_with(EINVAL));
  EXPECT_TRUE(open(bytes_.substr(0, 127)).failed_with(EINVAL));
  EXPECT_TRUE(open(bytes_.substr(0, bytes_.size() - 1)).failed_with(EINVAL));
  EXPECT_NE(explanation_.find("is damaged"), std::string::npos) << explanation_;
  EXPECT_TRUE(open(bytes_ + "x").failed_with(EINVAL));
  EXPECT_TRUE(open(changed(0, 'X')).failed_with(EINVAL));
  for (const std::uint32_t version : {0U, 3U}) {
    EXPECT_TRUE(open(changed(8, version)).failed_with(EINVAL));
    EXPECT_NE(explanation_.find("version " + std::to_string(version)), std::string::npos) << explanation_;
  }
  EXPECT_TRUE(open(changed(12, std::uint32_t{127})).failed_with(EINVAL));
  EXPECT_TRUE(open(changed(32, std::uint32_t{0})).failed_with(EINVAL));
  EXPECT_TRUE(open(changed(32, std::uint32_t{0xFFFFFFFF})).failed_with(EINVAL));
  for (const std::size_t offset : {40U, 48U, 56U, 64U, 80U, 104U, 112U}) {
    EXPECT_TRUE(open(changed(offset, std::uint64_t{0xFFFFFFFFFFFFFFF8})).failed_with(EINVAL)) << offset;
    EXPECT_TRUE(open(changed(offset, std::uint64_t{0})).failed_with(EINVAL)) << offset;
    EXPECT_TRUE(open(changed(offset, std::uint64_t{129})).failed_with(EINVAL)) << offset;
  }
  for (const std::size_t length : {72U, 88U}) {
    EXPECT_TRUE(open(changed(length, std::uint64_t{0xFFFFFFFFFFFFFFFF})).failed_with(EINVAL)) << length;
  }
}

TEST_F(IndexFileTest, VerifySeesEveryChangedByte) {
  for (const std::size_t at : {128U, 200U, 4000U, static_cast<unsigned>(bytes_.size()) - 1}) {
    const auto index = open(changed(at, static_cast<char>(bytes_[at] + 1)));
    if (index.ok()) {
      EXPECT_TRUE((*index)->verify().failed_with(EIO)) << at;
    }
  }
}

// Everything that can be asked of a layer, for every entry.
void ask_everything(const Layer& layer, const LowerRef& reference, int depth) {
  (void)layer.get(reference);
  (void)layer.read_link(reference);
  (void)layer.link_group(reference);
  (void)layer.identity(reference);
  (void)layer.path(reference);
  (void)layer.open(reference, O_PATH);
  (void)layer.xattr(reference, "user.colour");
  (void)layer.xattr_names(reference);
  if (depth > 6) return;
  const auto children = layer.list(reference);
  if (!children.ok()) return;
  for (const auto& child : *children) {
    const auto found = layer.lookup(reference, child.entry.name);
    if (found.ok()) ask_everything(layer, found->reference, depth + 1);
  }
}

TEST_F(IndexFileTest, SurvivesAnyDamage) {
  std::mt19937 random(20260101);
  int opened = 0;
  for (int round = 0; round < 150; ++round) {
    std::string bytes = bytes_;
    for (int change = 0; change < 1 + round % 40; ++change) {
      const std::size_t at = (round % 3 == 0 ? 128U : 32U) + random() % (bytes.size() - 128);
      const std::uint32_t values[] = {0, 0xFFFFFFFF, 0x7FFFFFFF, static_cast<std::uint32_t>(random()), 1};
      const std::uint32_t value = values[random() % 5];
      std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(sizeof(value), bytes.size() - at));
    }
    other_.file("index", bytes);
    const auto layer = Layer::open({tree_.path(), other_.path("index")}, 1, test::user_marks(), explanation_);
    if (!layer.ok()) continue;
    ++opened;
    ask_everything(**layer, (*layer)->root(), 0);
    for (std::uint32_t number = 0; number < 400; ++number) ask_everything(**layer, {nullptr, number}, 7);
  }
  EXPECT_GT(opened, 20);
}

// What a writer never leaves, with the right places of all sections.
class OddIndexTest : public IndexFileTest {
 protected:
  void SetUp() override {
    IndexFileTest::SetUp();
    std::memcpy(&header_, bytes_.data(), sizeof(header_));
    const auto sound = open(bytes_);
    deep_ = *resolve(**sound, "etc/deep");
    leaf_ = *resolve(**sound, "etc/deep/deeper/leaf");
    linked_ = *resolve(**sound, "third");
  }
  template <typename T>
  void set(std::uint64_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
  }
  [[nodiscard]] std::uint64_t entry_at(std::uint32_t number) const {
    return header_.entries_offset + std::uint64_t{number} * index_entry_size;
  }
  [[nodiscard]] std::unique_ptr<Layer> layer() {
    other_.file("index", bytes_);
    auto opened = Layer::open({tree_.path(), other_.path("index")}, 1, test::user_marks(), explanation_);
    return opened.ok() ? std::move(*opened) : nullptr;
  }

  IndexHeader header_;
  std::uint32_t deep_ = 0, leaf_ = 0, linked_ = 0;
};

TEST_F(OddIndexTest, HasNoDirectoryInAGroup) {
  ASSERT_GE(header_.members, 3U);
  set(entry_at(deep_) + offsetof(IndexEntry, group), std::uint32_t{0});
  set(header_.members_offset, deep_);
  const auto odd = layer();
  ASSERT_TRUE(odd);
  for (const std::uint32_t number : {0U, deep_})
    EXPECT_TRUE(odd->links_below({nullptr, number}).failed_with(EIO)) << number;
  EXPECT_TRUE(odd->link_group({nullptr, deep_}).failed_with(EIO));
}

TEST_F(OddIndexTest, HasEachNameOfAGroupOnce) {
  std::uint32_t last = 0;
  std::memcpy(&last, bytes_.data() + header_.members_offset + 8, sizeof(last));
  set(header_.members_offset, last);
  const auto odd = layer();
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->link_group({nullptr, linked_}).failed_with(EIO));
}

TEST_F(OddIndexTest, LeadsNowhereByImpossibleNames) {
  std::uint32_t offset = 0;
  std::memcpy(&offset, bytes_.data() + entry_at(deep_) + offsetof(IndexEntry, name_offset), sizeof(offset));
  set(entry_at(deep_) + offsetof(IndexEntry, name_length), std::uint16_t{2});
  for (const char* name : {"..", "a/", "/"}) {
    std::memcpy(bytes_.data() + header_.strings_offset + offset, name, 2);
    const auto odd = layer();
    ASSERT_TRUE(odd);
    EXPECT_TRUE(odd->path({nullptr, leaf_}).failed_with(EIO)) << name;
    EXPECT_TRUE(odd->open({nullptr, leaf_}, O_RDONLY).failed_with(EIO)) << name;
  }
}

TEST_F(OddIndexTest, HasNoAttributeOfTwoNames) {
  const std::size_t at = bytes_.find("user.colour");
  ASSERT_NE(at, std::string::npos);
  bytes_[at + 6] = '\0';
  const auto odd = layer();
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->xattr_names({nullptr, linked_}).failed_with(EIO));
}

TEST_F(IndexFileTest, RefusesPathsThatGoInCircles) {
  const auto sound = open(bytes_);
  const std::uint32_t deep = *resolve(**sound, "etc/deep");
  std::uint64_t entries = 0;
  std::memcpy(&entries, bytes_.data() + 40, sizeof(entries));
  const auto own_child = open(changed(entries + std::uint64_t{deep} * 136 + 120, deep));
  ASSERT_TRUE(own_child.ok());
  EXPECT_TRUE((*own_child)->children(deep).failed_with(EIO));
  EXPECT_TRUE((*own_child)->find(deep, "second").failed_with(EIO));
  const auto own_parent = open(changed(entries + std::uint64_t{deep} * 136, deep));
  ASSERT_TRUE(own_parent.ok());
  EXPECT_TRUE((*own_parent)->path(deep).failed_with(EIO));
}

}  // namespace
}  // namespace lamina::overlay
