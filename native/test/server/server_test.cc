// The server over a socket in the kernel's place: what it answers, and that nothing malformed harms it. Needs no root
// and no mount.
#include "server/server.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "test/overlay/sample_tree.h"
#include "test/server/kernel.h"

namespace lamina::server {
namespace {

namespace abi = fuse::abi;
using abi::Opcode;
using test::Answer;
using test::Kernel;
using test::TemporaryDirectory;

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"lower", "upper", "work"}) place_.directory(name);
    place_.file("lower/f", "content");
    overlay::Options options;
    options.lowers = {{place_.path("lower"), ""}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.user_xattr = test::user_marks();
    std::string explanation;
    auto opened = overlay::FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
    server_ = std::make_unique<Server>(*file_system_, nullptr, ServerOptions());
    std::vector<fuse::Channel> channels;
    channels.emplace_back(sys::FileDescriptor(kernel_.server_end()));
    server_->start(std::move(channels));
  }
  void TearDown() override {
    server_->stop();
    EXPECT_TRUE(server_->wait().ok());
  }

  Answer init(std::uint32_t major = 7, std::uint32_t minor = 45) {
    abi::InitIn in{};
    in.major = major;
    in.minor = minor;
    in.max_readahead = 131072;
    in.flags = ~0U;
    in.flags2 = ~0U;
    return kernel_.ask(Opcode::init, 0, Kernel::bytes(in));
  }
  abi::EntryOut lookup(const std::string& name, int error = 0) {
    const Answer answer = kernel_.ask(Opcode::lookup, 1, Kernel::name(name));
    EXPECT_EQ(answer.error, error) << name;
    return answer.as<abi::EntryOut>();
  }
  Answer write(std::uint64_t node, const std::string& text, std::uint64_t offset = 0) {
    abi::WriteIn in{};
    in.offset = offset;
    in.size = static_cast<std::uint32_t>(text.size());
    return kernel_.ask(Opcode::write, node, Kernel::bytes(in) + text);
  }
  Answer read(std::uint64_t node, std::uint32_t size) {
    abi::ReadIn in{};
    in.size = size;
    return kernel_.ask(Opcode::read, node, Kernel::bytes(in));
  }

  TemporaryDirectory place_;
  Kernel kernel_;
  std::unique_ptr<overlay::FileSystem> file_system_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AgreesOnTheProtocol) {
  const Answer answer = init();
  ASSERT_EQ(answer.error, 0);
  const auto out = answer.as<abi::InitOut>();
  EXPECT_EQ(out.major, 7U);
  EXPECT_GE(out.minor, 31U);
  EXPECT_GE(out.max_write, 131072U);
  EXPECT_NE(out.flags & abi::init::export_support, 0U);
  EXPECT_EQ(out.flags & abi::init::readdirplus_auto, 0U) << "the kernel would look up what follows the first piece";
}

TEST_F(ServerTest, AsksANewerKernelToSpeakItsVersionAndRefusesAnOldOne) {
  const Answer newer = init(8, 0);
  EXPECT_EQ(newer.error, 0);
  EXPECT_EQ(newer.as<abi::InitOut>().major, 7U);
  EXPECT_EQ(init(7, 12).error, EPROTO);
}

TEST_F(ServerTest, AnswersLookupsForEver) {
  init();
  const abi::EntryOut found = lookup("f");
  EXPECT_GT(found.nodeid, 1U);
  EXPECT_GT(found.entry_valid, 1U << 20U);
  EXPECT_EQ(found.attr.size, 7U);
  // The absent too: nodeid 0 with a timeout lets the kernel remember that.
  const abi::EntryOut absent = lookup("none");
  EXPECT_EQ(absent.nodeid, 0U);
  EXPECT_GT(absent.entry_valid, 1U << 20U);
}

TEST_F(ServerTest, OpensWithoutAMessage) {
  init();
  const abi::EntryOut found = lookup("f");
  EXPECT_EQ(kernel_.ask(Opcode::open, found.nodeid, Kernel::bytes(abi::OpenIn{})).error, ENOSYS);
  EXPECT_EQ(kernel_.ask(Opcode::opendir, 1, Kernel::bytes(abi::OpenIn{})).error, ENOSYS);
}

TEST_F(ServerTest, ReadsAndWrites) {
  init();
  const abi::EntryOut found = lookup("f");
  EXPECT_EQ(read(found.nodeid, 100).body, "content");
  const Answer written = write(found.nodeid, "CON");
  EXPECT_EQ(written.error, 0);
  EXPECT_EQ(written.as<abi::WriteOut>().size, 3U);
  EXPECT_EQ(read(found.nodeid, 100).body, "CONtent");
  EXPECT_EQ(place_.content("lower/f"), "content");
  EXPECT_EQ(place_.content("upper/f"), "CONtent");
}

TEST_F(ServerTest, MakesFilesOfTheCaller) {
  if (!test::is_root()) GTEST_SKIP() << "only root can give files away";
  init();
  abi::MkdirIn in{0777, 022};
  const Answer made = kernel_.ask(Opcode::mkdir, 1, Kernel::bytes(in) + Kernel::name("d"), 1000);
  ASSERT_EQ(made.error, 0);
  EXPECT_EQ(made.as<abi::EntryOut>().attr.uid, 1000U);
  EXPECT_EQ(made.as<abi::EntryOut>().attr.mode, static_cast<std::uint32_t>(S_IFDIR | 0755));
}

TEST_F(ServerTest, RenamesAndRemoves) {
  init();
  abi::MkdirIn in{0755, 022};
  ASSERT_EQ(kernel_.ask(Opcode::mkdir, 1, Kernel::bytes(in) + Kernel::name("d")).error, 0);
  abi::Rename2In rename{};
  rename.newdir = 1;
  const std::string names = Kernel::name("d") + Kernel::name("e");
  EXPECT_EQ(kernel_.ask(Opcode::rename2, 1, Kernel::bytes(rename) + names).error, 0);
  EXPECT_EQ(lookup("d").nodeid, 0U);
  EXPECT_EQ(kernel_.ask(Opcode::rename2, 1, Kernel::bytes(rename) + names).error, ENOENT);
  EXPECT_EQ(kernel_.ask(Opcode::unlink, 1, Kernel::name("e")).error, EISDIR);
  EXPECT_EQ(kernel_.ask(Opcode::rmdir, 1, Kernel::name("e")).error, 0);
}

TEST_F(ServerTest, ForgetsWithoutAnAnswer) {
  init();
  const abi::EntryOut found = lookup("f");
  kernel_.send(Opcode::forget, found.nodeid, Kernel::bytes(abi::ForgetIn{1}));
  // The next answer is that to the next request.
  EXPECT_EQ(kernel_.ask(Opcode::getattr, found.nodeid, Kernel::bytes(abi::GetattrIn{})).error, ESTALE);
}

TEST_F(ServerTest, AnswersWhatItDoesNotKnow) {
  init();
  EXPECT_EQ(kernel_.ask(static_cast<Opcode>(4000), 1).error, ENOSYS);
  EXPECT_EQ(kernel_.ask(Opcode::getattr, 999'999, Kernel::bytes(abi::GetattrIn{})).error, ESTALE);
}

TEST_F(ServerTest, RefusesMalformedRequestsAndGoesOn) {
  init();
  // Bodies that are too short, or names without their end.
  EXPECT_EQ(kernel_.ask(Opcode::lookup, 1, "no end").error, EINVAL);
  EXPECT_EQ(kernel_.ask(Opcode::mkdir, 1, "x").error, EINVAL);
  EXPECT_EQ(kernel_.ask(Opcode::setattr, 1, "").error, EINVAL);
  abi::WriteIn in{};
  in.size = 1000;
  EXPECT_EQ(kernel_.ask(Opcode::write, lookup("f").nodeid, Kernel::bytes(in) + "less").error, EINVAL);
  // A length that is not the message's.
  abi::InHeader header{};
  header.len = 4000;
  header.opcode = static_cast<std::uint32_t>(Opcode::statfs);
  header.unique = 77;
  kernel_.send_raw(Kernel::bytes(header));
  EXPECT_EQ(kernel_.answer(77).error, EIO);
  EXPECT_EQ(kernel_.ask(Opcode::statfs, 1).error, 0);
}

TEST_F(ServerTest, ListsADirectoryPieceByPiece) {
  init();
  for (int number = 0; number < 200; ++number) {
    abi::MknodIn in{S_IFREG | 0644, 0, 022, 0};
    ASSERT_EQ(kernel_.ask(Opcode::mknod, 1, Kernel::bytes(in) + Kernel::name("file" + std::to_string(number))).error,
              0);
  }
  std::size_t entries = 0;
  abi::ReadIn in{};
  in.size = 1024;
  for (;;) {
    const Answer piece = kernel_.ask(Opcode::readdir, 1, Kernel::bytes(in));
    ASSERT_EQ(piece.error, 0);
    if (piece.body.empty()) break;
    for (std::size_t at = 0; at < piece.body.size();) {
      abi::Dirent entry{};
      std::memcpy(&entry, piece.body.data() + at, sizeof entry);
      at += (sizeof entry + entry.namelen + 7) / 8 * 8;
      in.offset = entry.off;
      ++entries;
    }
  }
  EXPECT_EQ(entries, 203U);  // with ".", ".." and f
}

}  // namespace
}  // namespace lamina::server
