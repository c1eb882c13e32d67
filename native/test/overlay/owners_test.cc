// Owners as a mount shows them (OwnerView), and owners in attributes beside the files (StoredOwners).
#include "overlay/owners.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "overlay/file_system.h"
#include "overlay/layers/stored_owner.h"
#include "overlay/upper/acl.h"
#include "sys/xattrs.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

TEST(IdMap, LeavesIdsWithoutRanges) {
  for (const std::uint32_t id : {0U, 1U, 65534U, 4294967294U}) {
    EXPECT_EQ(IdMap().to_mount(id), id);
    EXPECT_EQ(IdMap().to_disk(id), id);
  }
}

TEST(IdMap, MapsRangesThereAndBack) {
  const IdMap keep_id({{0, 1, 1001}, {1001, 0, 1}, {1002, 1002, 64536}}, 65534);
  EXPECT_EQ(keep_id.to_mount(0), 1U);
  EXPECT_EQ(keep_id.to_mount(1000), 1001U);
  EXPECT_EQ(keep_id.to_mount(1001), 0U);
  EXPECT_EQ(keep_id.to_disk(0), 1001U);
  EXPECT_EQ(keep_id.to_disk(1002), 1002U);
  EXPECT_EQ(keep_id.to_mount(70000), 65534U);
  EXPECT_EQ(keep_id.to_disk(70000), 65534U);
}

TEST(IdMap, GoesToTheLastId) {
  const IdMap all({{0, 0, 4294967295U}}, 7);
  EXPECT_EQ(all.to_mount(4294967294U), 4294967294U);
  EXPECT_EQ(all.to_mount(4294967295U), 7U);
  const IdMap high({{4294967290U, 10, 5}}, 7);
  EXPECT_EQ(high.to_mount(4294967294U), 14U);
  EXPECT_EQ(high.to_mount(3), 7U);  // no overflow of the range
  EXPECT_EQ(high.to_disk(15), 7U);
}

TEST(IdMap, PrefersTheLastOfOverlappingRanges) {
  const IdMap map({{0, 100, 10}, {5, 500, 1}}, 7);
  EXPECT_EQ(map.to_mount(5), 500U);
  EXPECT_EQ(map.to_mount(6), 106U);
  EXPECT_EQ(map.to_disk(105), 5U);
  EXPECT_EQ(map.to_disk(500), 5U);
}

// Of random disjoint ranges: each id that is mapped comes back, and no other is shown as one of theirs.
TEST(IdMap, IsOneToOneWhereRangesAreDisjoint) {
  std::mt19937 random(20261130);  // NOLINT(cert-msc51-cpp): repeatable
  for (int round = 0; round < 200; ++round) {
    std::vector<IdRange> ranges;
    std::uint32_t disk = 0, mount = 0;
    for (unsigned count = random() % 6 + 1; count > 0; --count) {
      const std::uint32_t length = random() % 50 + 1;
      disk += random() % 40;
      mount += random() % 40;
      ranges.push_back({disk, mount, length});
      disk += length;
      mount += length;
    }
    std::shuffle(ranges.begin(), ranges.end(), random);
    const IdMap map(ranges, 65534);
    std::uint32_t mapped = 0;
    for (std::uint32_t id = 0; id < 600; ++id) {
      if (map.to_mount(id) != 65534U) {
        ++mapped;
        ASSERT_EQ(map.to_disk(map.to_mount(id)), id) << round;
      }
      if (map.to_disk(id) != 65534U) {
        ASSERT_EQ(map.to_mount(map.to_disk(id)), id) << round;
      }
    }
    std::uint32_t expected = 0;
    for (const IdRange& range : ranges) expected += range.length;
    ASSERT_EQ(mapped, expected);
  }
}

class OwnersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::is_root()) GTEST_SKIP() << "other owners take root";
    for (const char* name : {"lower/d", "upper", "work"}) place_.directory(name);
    place_.file("lower/f", "content");
    give("lower/f", 1000, 1001, 04755);
    give("lower/d", 5, 6, 02770);
  }
  void give(const char* path, uid_t uid, gid_t gid, mode_t mode) {
    ASSERT_EQ(::chown(place_.path(path).c_str(), uid, gid), 0);
    ASSERT_EQ(::chmod(place_.path(path).c_str(), mode), 0);
  }
  void open(const std::function<void(Options&)>& change) {
    file_system_.reset();
    Options options;
    options.lowers = {{place_.path("lower"), "", true}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.whiteout_files = true;
    change(options);
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
  }
  Entry find(const char* name) {
    const auto found = file_system_->lookup(root_node, name);
    EXPECT_TRUE(found.ok()) << name;
    return found.ok() ? *found : Entry();
  }
  static std::string text(const Attributes& its) { return encode(StoredOwner{its.uid, its.gid, its.mode & 07777U}); }
  std::string shown(const char* name) {
    const Entry found = find(name);
    const auto again = file_system_->attributes(found.node);
    EXPECT_TRUE(again.ok());
    if (again.ok()) {
      EXPECT_EQ(text(*again), text(found.attributes)) << name;
    }
    return text(found.attributes);
  }
  std::string on_disk(const char* path) {
    struct stat status {};
    EXPECT_EQ(::lstat(place_.path(path).c_str(), &status), 0) << path;
    return encode(StoredOwner{status.st_uid, status.st_gid, status.st_mode & 07777U});
  }
  void change(const char* name, const SetAttributes& change) {
    const auto changed = file_system_->set_attributes(find(name).node, change, test::never);
    ASSERT_TRUE(changed.ok()) << name;
    EXPECT_EQ(text(*changed), shown(name));
  }
  std::string stored(const char* path, StoredOwners kind) {
    char value[64];
    const auto size = ::lgetxattr(place_.path(path).c_str(), std::string(stored_owner_name(kind)).c_str(), value, 64);
    return size < 0 ? std::string("none") : std::string(value, static_cast<std::size_t>(size));
  }

  test::TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
};

TEST_F(OwnersTest, AreMappedWhereTheyEnterAndLeave) {
  open([](Options& options) {
    options.owners.uids = IdMap({{0, 100000, 5000}}, 65534);
    options.owners.gids = IdMap({{0, 200000, 5000}}, 65534);
  });
  EXPECT_EQ(shown("f"), "101000:201001:4755");
  ASSERT_TRUE(file_system_->make_node(root_node, "n", S_IFREG | 0640, 0, 0, {100007, 200008, 1, 0}).ok());
  EXPECT_EQ(shown("n"), "100007:200008:640");
  EXPECT_EQ(on_disk("upper/n"), "7:8:640");
  ASSERT_TRUE(file_system_->make_directory(find("d").node, "s", 0755, {100000, 200000, 1, 022}).ok());
  EXPECT_EQ(on_disk("upper/d/s"), "0:6:2755");
  SetAttributes owner;
  owner.uid = 100002;
  change("f", owner);
  EXPECT_EQ(on_disk("upper/f"), "2:1001:755");
  owner.uid = 3;  // of nobody
  change("n", owner);
  EXPECT_EQ(on_disk("upper/n"), "65534:8:640");
  EXPECT_EQ(shown("n"), "65534:200008:640");
  ASSERT_TRUE(file_system_->make_symlink(root_node, "l", "f", {100009, 200009, 1, 0}).ok());
  EXPECT_EQ(on_disk("upper/l"), "9:9:777");
  const auto unnamed = file_system_->make_unnamed(root_node, 0600, {100009, 200009, 1, 0});
  ASSERT_TRUE(unnamed.ok());
  EXPECT_EQ(unnamed->attributes.uid, 100009U);
}

TEST_F(OwnersTest, AreMappedInAccessLists) {
  open([](Options& options) {
    options.owners.uids = IdMap({{0, 100000, 5000}}, 65534);
    options.owners.gids = IdMap({{0, 200000, 5000}}, 65534);
    options.owners.every_uid = 9;
  });
  const auto list_of = [](std::uint32_t user, std::uint32_t group) {
    std::vector<std::byte> blob;
    const auto put = [&](std::uint32_t number, int size) {
      for (int i = 0; i < size; ++i) blob.push_back(static_cast<std::byte>(number >> (8 * i)));
    };
    put(2, 4);
    for (const auto& [tag, id] : {std::pair(1U, ~0U), {2U, user}, {4U, ~0U}, {8U, group}, {16U, ~0U}, {32U, ~0U}}) {
      put(tag, 2);
      put(6, 2);
      put(id, 4);
    }
    return blob;
  };
  const NodeId node = find("f").node;
  ASSERT_TRUE(file_system_->set_xattr(node, access_acl_name, list_of(100005, 200006), 0).ok());
  EXPECT_EQ(*file_system_->xattr(node, access_acl_name), list_of(100005, 200006));
  std::vector<std::byte> raw(1024);
  const auto size = ::lgetxattr(place_.path("upper/f").c_str(), "system.posix_acl_access", raw.data(), raw.size());
  ASSERT_GT(size, 0);
  raw.resize(static_cast<std::size_t>(size));
  EXPECT_EQ(raw, list_of(5, 6));
  EXPECT_TRUE(file_system_->set_xattr(node, access_acl_name, std::span(raw).first(7), 0).failed_with(EINVAL));
}

TEST_F(OwnersTest, AreSquashed) {
  open([](Options& options) {
    options.owners.every_uid = 1234;
    options.owners.gids = IdMap({{0, 200000, 5000}}, 65534);
  });
  EXPECT_EQ(shown("f"), "1234:201001:4755");
  ASSERT_TRUE(file_system_->make_node(root_node, "n", S_IFREG | 0640, 0, 0, {7, 200008, 1, 0}).ok());
  EXPECT_EQ(shown("n"), "1234:200008:640");
  EXPECT_EQ(on_disk("upper/n"), "7:8:640");
}

TEST_F(OwnersTest, AreStoredBesideTheFiles) {
  for (const StoredOwners kind : {StoredOwners::privileged, StoredOwners::user}) {
    std::filesystem::remove_all(place_.path("upper"));
    place_.directory("upper");
    open([&](Options& options) { options.stored_owners = kind; });
    EXPECT_EQ(stored("upper", kind), "0:0:755");
    EXPECT_EQ(shown("f"), "1000:1001:4755");
    ASSERT_TRUE(file_system_->make_node(root_node, "n", S_IFREG | 0600, 0, 0, {7, 8, 1, 0}).ok());
    EXPECT_EQ(shown("n"), "7:8:600");
    EXPECT_EQ(on_disk("upper/n"), "0:0:755");
    SetAttributes mode, owner;
    mode.mode = S_IFREG | 02751U;
    change("n", mode);
    EXPECT_EQ(stored("upper/n", kind), "7:8:2751");
    owner.gid = 44;
    change("n", owner);
    EXPECT_EQ(shown("n"), "7:44:2751");
    owner.kill_suidgid = true;
    change("n", owner);
    EXPECT_EQ(shown("n"), "7:44:751");
    owner.uid = 9;  // copies up
    owner.kill_suidgid = false;
    change("f", owner);
    EXPECT_EQ(shown("f"), "9:44:4755");
    EXPECT_EQ(on_disk("upper/f"), "0:0:755");
    // A setgid directory hands down the group that it shows.
    ASSERT_TRUE(file_system_->make_node(find("d").node, "below", S_IFREG | 0644, 0, 0, {7, 8, 1, 0}).ok());
    EXPECT_EQ(stored("upper/d/below", kind), "7:6:644");
    ASSERT_TRUE(file_system_->make_symlink(root_node, "l", "f", {7, 8, 1, 0}).ok());
    EXPECT_EQ(on_disk("upper/l"), "0:0:777");
    // The next mount sees it by the root's attribute, without the option.
    const std::string name(stored_owner_name(kind));
    EXPECT_TRUE(file_system_->xattr(find("n").node, name).failed_with(ENODATA));
    EXPECT_TRUE(file_system_->set_xattr(find("n").node, name, sys::as_value("0:0:4755"), 0).failed_with(EPERM));
    open([](Options&) {});
    EXPECT_EQ(shown("n"), "7:44:751");
    EXPECT_EQ(shown("f"), "9:44:4755");
  }
}

TEST_F(OwnersTest, AreReadFromLayersOfContainersStorage) {
  const std::string name(stored_owner_name(StoredOwners::containers));
  test::set_attribute(place_.path("lower"), name, "1:2:555");
  test::set_attribute(place_.path("lower/f"), name, "3:4:4711");
  open([](Options&) {});
  EXPECT_EQ(shown("f"), "3:4:4711");
  EXPECT_EQ(shown("d"), "5:6:2770");  // nothing is stored there
  SetAttributes mode;
  mode.mode = S_IFREG | 0700U;
  change("f", mode);
  EXPECT_EQ(on_disk("upper/f"), "3:4:700");
  test::set_attribute(place_.path("lower/d"), name, "nonsense");
  EXPECT_TRUE(file_system_->lookup(root_node, "d").failed_with(EINVAL));
}

}  // namespace
}  // namespace lamina::overlay
