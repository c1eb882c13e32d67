// Listings that follow the changes of their directory.
#include "overlay/listing.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <random>
#include <string>

#include "overlay/file_system.h"
#include "overlay/layers/layer.h"
#include "test/overlay/sample_tree.h"
#include "test/support/calls.h"

namespace lamina::overlay {
namespace {

using test::calls_of;
using test::TemporaryDirectory;

DirectoryEntry entry(const std::string& name, std::uint64_t ino = 1) {
  return {name_cookie(name), ino, S_IFREG, false, name};
}

void expect_same(const Listing& one, const Listing& other) {
  ASSERT_EQ(one.size(), other.size());
  auto second = other.begin();
  for (const DirectoryEntry& first : one) {
    EXPECT_EQ(first.name, second->name);
    EXPECT_EQ(first.cookie, second->cookie);
    EXPECT_EQ(first.ino, second->ino);
    ++second;
  }
  EXPECT_EQ(second, other.end());
}

TEST(Listing, WithChangesIsWhatIsMadeOfAllNames) {
  std::mt19937 random(20);  // the same each time
  std::map<std::string, std::uint64_t> model;
  Listing listing;
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, Listing::Change> changes;
    // Now and then much more than fits into one part of a listing.
    const unsigned count = round % 50 == 0 ? 2000 : random() % 20;
    for (unsigned i = 0; i < count; ++i) {
      const std::string name = std::to_string(random() % 3000);
      const std::uint64_t ino = random();
      if (random() % 2 == 0) {
        model[name] = ino;
        changes[name] = {name_cookie(name), name, entry(name, ino)};
      } else {
        model.erase(name);
        changes[name] = {name_cookie(name), name, std::nullopt};
      }
    }
    std::vector<Listing::Change> list;
    for (auto& [name, change] : changes) list.push_back(std::move(change));
    auto changed = listing.with(std::move(list));
    ASSERT_TRUE(changed);
    listing = std::move(*changed);
    std::vector<DirectoryEntry> names;
    for (const auto& [name, ino] : model) names.push_back(entry(name, ino));
    expect_same(listing, Listing(std::move(names)));
    EXPECT_EQ(listing.empty(), model.empty());
  }
}

TEST(Listing, ContinuesBehindEachCookie) {
  std::vector<DirectoryEntry> names;
  for (int i = 0; i < 1000; ++i) names.push_back(entry(std::to_string(i)));
  const Listing listing(std::move(names));
  auto at = listing.begin();
  EXPECT_EQ(listing.after(0), at);
  while (at != listing.end()) {
    const std::uint64_t cookie = at->cookie;
    EXPECT_EQ(listing.after(cookie - 1), at);
    ++at;
    EXPECT_EQ(listing.after(cookie), at);
  }
  const Listing none;
  EXPECT_EQ(none.begin(), none.end());
  EXPECT_EQ(none.after(0), none.end());
}

TEST(Listing, IsNotChangedWhereNamesHaveOneHash) {
  const DirectoryEntry one{8, 1, S_IFREG, false, "a"}, other{8, 2, S_IFREG, false, "b"};
  const Listing both({other, one});
  EXPECT_EQ(both.begin()->name, "a");
  EXPECT_EQ((++both.begin())->cookie, 9U);
  EXPECT_FALSE(both.with({}));
  EXPECT_FALSE(Listing({one}).with({{8, "b", other}}));
  EXPECT_FALSE(Listing().with({{8, "a", one}, {8, "b", other}}));
}

class ListingsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"top/d", "bottom/d", "upper", "work"}) place_.directory(name);
    for (int i = 0; i < 400; ++i) place_.file((i % 2 == 0 ? "top/d/" : "bottom/d/") + std::to_string(i), "of a lower");
    open();
  }
  void open(bool listed_numbers = true) {
    file_system_.reset();
    Options options;
    options.listed_numbers = listed_numbers;
    options.lowers = {{place_.path("top"), ""}, {place_.path("bottom"), ""}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.user_xattr = test::user_marks();
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
    directory_ = file_system_->lookup(root_node, "d")->node;
  }

  ListingRef list() { return *file_system_->list(directory_); }
  void make(const char* name) {
    ASSERT_TRUE(file_system_->make_node(directory_, name, S_IFREG | 0644, 0, 0, root_, nullptr).ok());
  }
  bool has(const std::string& name) { return file_system_->lookup(directory_, name).ok(); }

  // Against the directories of the layers.
  void expect_layers(const Listing& listing) {
    std::size_t present = 0;
    for (int i = 0; i < 500; ++i) {
      const std::string name = std::to_string(i);
      struct stat status {};
      const auto holds = [&](const char* layer) {
        return ::lstat(place_.path(std::string(layer) + "/d/" + name).c_str(), &status) == 0;
      };
      const bool in_upper = holds("upper");
      const bool visible = in_upper ? !S_ISCHR(status.st_mode) : holds("top") || holds("bottom");
      const DirectoryEntry* shown = listing.find(name_cookie(name), name);
      ASSERT_EQ(shown != nullptr, visible) << name;
      if (!visible) continue;
      EXPECT_EQ(shown->in_upper, in_upper) << name;
      ++present;
    }
    EXPECT_EQ(listing.size(), present);
  }

  // And against what lookups show.
  void expect_listing_is_true() {
    const ListingRef listing = list();
    expect_layers(*listing);
    std::uint64_t last = 0;
    for (const DirectoryEntry& each : *listing) {
      EXPECT_GT(each.cookie, last);
      last = each.cookie;
      const auto found = file_system_->lookup(directory_, each.name);
      ASSERT_TRUE(found.ok()) << each.name;
      EXPECT_EQ(found->attributes.ino, each.ino) << each.name;
      EXPECT_EQ(found->attributes.mode & S_IFMT, each.type) << each.name;
    }
    for (int i = 0; i < 500; ++i) {
      const std::string name = std::to_string(i);
      EXPECT_EQ(has(name), listing->find(name_cookie(name), name) != nullptr) << name;
    }
  }

  void change_at_random(std::mt19937& random) {
    const std::string name = std::to_string(random() % 500), other = std::to_string(random() % 500);
    switch (random() % 6) {
      case 0:
        static_cast<void>(file_system_->make_node(directory_, name, S_IFREG | 0644, 0, 0, root_, nullptr));
        break;
      case 1:
        static_cast<void>(file_system_->make_directory(directory_, name, 0755, root_, nullptr));
        break;
      case 2:
        static_cast<void>(file_system_->unlink(directory_, name, nullptr));
        break;
      case 3:
        static_cast<void>(
            file_system_->rename(directory_, name, directory_, other, RenameMode::replace, test::never, nullptr));
        break;
      case 4:
        static_cast<void>(file_system_->remove_directory(directory_, name, nullptr));
        break;
      default:
        if (const auto found = file_system_->lookup(directory_, name); found && random() % 2 == 0) {
          static_cast<void>(file_system_->link(found->node, directory_, other, test::never, nullptr));
        } else if (found) {
          SetAttributes change;
          change.mode = 0600;
          static_cast<void>(file_system_->set_attributes(found->node, change, test::never));
        }
    }
  }

  TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
  NodeId directory_ = 0;
  const Caller root_{0, 0, 1, 022};
};

TEST_F(ListingsTest, ShowWhatLookupsShowAfterAnyChanges) {
  std::mt19937 random(21);
  for (int round = 0; round < 60; ++round) {
    // From none to more than are looked at one by one.
    for (unsigned left = random() % (round % 10 == 0 ? 200 : 12); left > 0; --left) change_at_random(random);
    expect_listing_is_true();
  }
}

TEST_F(ListingsTest, LookAtWhatHasChangedAlone) {
  make("first");  // copies up the directory
  const ListingRef before = list();
  EXPECT_EQ(calls_of([&] { EXPECT_EQ(list(), before); }), 0U);
  make("second");
  ASSERT_TRUE(file_system_->unlink(directory_, "first", nullptr).ok());
  ListingRef after;
  EXPECT_EQ(calls_of([&] { after = list(); }), 2U);  // one for each
  ASSERT_EQ(after->size(), before->size());
  std::size_t shared = 0;
  for (const DirectoryEntry& each : *before) {
    const auto same = after->after(each.cookie - 1);
    shared += same != after->end() && &*same == &each ? 1 : 0;
  }
  EXPECT_GE(shared, before->size() / 4);
}

TEST_F(ListingsTest, ShowWhatOnlyLowersHave) {
  make("first");
  list();
  const auto look = [&] { EXPECT_TRUE(has("7")); };
  const unsigned known = calls_of(look);
  make("second");
  EXPECT_EQ(calls_of(look), known + 1);  // whether the upper has the name
  list();
  EXPECT_EQ(calls_of(look), known);
}

TEST_F(ListingsTest, NeedNoNumbersThatLookupsBring) {
  for (const char* name : {"first", "second", "third"}) make(name);
  const auto calls_to_list = [&](bool listed_numbers) {
    open(listed_numbers);
    return calls_of([&] { list(); });
  };
  EXPECT_GE(calls_to_list(true), calls_to_list(false) + 3);
}

TEST_F(ListingsTest, AreEmptyOfADirectoryThatWasRemoved) {
  const auto made = file_system_->make_directory(directory_, "gone", 0755, root_, nullptr);
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE((*file_system_->list(made->node))->empty());
  ASSERT_TRUE(file_system_->make_node(made->node, "in-it", S_IFREG | 0644, 0, 0, root_, nullptr).ok());
  EXPECT_EQ((*file_system_->list(made->node))->size(), 1U);
  ASSERT_TRUE(file_system_->unlink(made->node, "in-it", nullptr).ok());
  ASSERT_TRUE(file_system_->remove_directory(directory_, "gone", nullptr).ok());
  EXPECT_TRUE((*file_system_->list(made->node))->empty());
}

}  // namespace
}  // namespace lamina::overlay
