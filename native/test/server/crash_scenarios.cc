#include "test/server/crash_scenarios.h"

#include <linux/fs.h>
#include <sys/xattr.h>

namespace lamina::test {

namespace {

std::uint64_t lookup(MortalServer& server, std::uint64_t parent, const std::string& name) {
  const Answer answer = server.kernel().ask(Opcode::lookup, parent, Kernel::name(name));
  EXPECT_EQ(answer.error, 0) << name;
  return answer.as<abi::EntryOut>().nodeid;
}

std::string mknod_body(const std::string& name, std::uint32_t mode = S_IFREG | 0644) {
  return Kernel::bytes(abi::MknodIn{mode, 0, 022, 0}) + Kernel::name(name);
}
std::string mkdir_body(const std::string& name) { return Kernel::bytes(abi::MkdirIn{0755, 022}) + Kernel::name(name); }
std::string rename_body(std::uint64_t to, const std::string& name, const std::string& new_name,
                        std::uint32_t flags = 0) {
  return Kernel::bytes(abi::Rename2In{to, flags, 0}) + Kernel::name(name) + Kernel::name(new_name);
}
std::string write_body(const std::string& text, std::uint64_t offset = 0) {
  abi::WriteIn in{};
  in.offset = offset;
  in.size = static_cast<std::uint32_t>(text.size());
  return Kernel::bytes(in) + text;
}
std::string setxattr_body(const std::string& name, const std::string& value, std::uint32_t flags) {
  return Kernel::bytes(abi::SetxattrIn{static_cast<std::uint32_t>(value.size()), flags, 0, 0}) + Kernel::name(name) +
         value;
}
std::string setattr_body(std::uint32_t valid, std::uint32_t mode, std::uint64_t size) {
  abi::SetattrIn in{};
  in.valid = valid;
  in.mode = mode;
  in.size = size;
  return Kernel::bytes(in);
}

std::optional<std::uint64_t> find(MortalServer& server, std::uint64_t parent, const std::string& name) {
  const auto entry = server.kernel().ask(Opcode::lookup, parent, Kernel::name(name));
  const auto found = entry.as<abi::EntryOut>();
  if (entry.error != 0 || found.nodeid == 0) return std::nullopt;
  return found.nodeid;
}

}  // namespace

std::optional<Request> any_request(MortalServer& server, std::mt19937& random) {
  const auto one_of = [&](std::initializer_list<const char*> names) {
    return std::string(names.begin()[random() % names.size()]);
  };
  const auto directory = [&] {
    const std::string name = one_of({"", "d", "made", "other", "empty", "n1"});
    return name.empty() ? std::optional<std::uint64_t>(1) : find(server, 1, name);
  };
  const auto any_name = [&] { return one_of({"f", "g", "u", "v", "d", "made", "x", "inside", "n1", "n2", "n3"}); };
  const unsigned kind = random() % 14;
  const auto at = directory();
  const auto to = directory();
  const std::string name = any_name();
  const std::string other = any_name();
  if (!at || !to) return std::nullopt;
  const auto node = find(server, *at, name);
  // As the kernel does: it asks for no name that it knows to be there, or not to be.
  if (kind < 3 ? node.has_value() : !node) return std::nullopt;
  if (kind == 3 && find(server, *to, other)) return std::nullopt;
  switch (kind) {
    case 0:
      return Request{Opcode::mknod, *at, mknod_body(name)};
    case 1:
      return Request{Opcode::mkdir, *at, mkdir_body(name)};
    case 2:
      return Request{Opcode::symlink, *at, Kernel::name(name) + Kernel::name("target")};
    case 3:
      return Request{Opcode::link, *to, Kernel::bytes(abi::LinkIn{*node}) + Kernel::name(other)};
    case 4:
    case 5:
      return Request{Opcode::unlink, *at, Kernel::name(name)};
    case 6:
      return Request{Opcode::rmdir, *at, Kernel::name(name)};
    case 7:
    case 8:
      // The kernel refuses a directory that would come to lie below itself.
      if (*node == *to) return std::nullopt;
      return Request{Opcode::rename2, *at, rename_body(*to, name, other)};
    case 9:
      if (*node == *to || !find(server, *to, other) || find(server, *to, other) == at) return std::nullopt;
      return Request{Opcode::rename2, *at, rename_body(*to, name, other, RENAME_EXCHANGE)};
    case 10:
      return Request{Opcode::write, *node, write_body(std::to_string(random() % 1000), random() % 5)};
    case 11:
      return Request{Opcode::setattr, *node, setattr_body(abi::setattr::mode, random() % 2 == 0 ? 0600 : 0750, 0)};
    case 12:
      return Request{Opcode::setxattr, *node, setxattr_body("user.k", std::to_string(random() % 9), random() % 3)};
    default:
      return Request{Opcode::removexattr, *node, Kernel::name("user.k")};
  }
}

void fill(const TemporaryDirectory& place) {
  place.directory("lower/d/sub");
  place.directory("lower/empty");
  place.directory("upper/made");
  place.directory("upper/other");
  place.file("lower/f", "content of f");
  place.file("lower/g", "content of g");
  place.file("lower/d/inside", "inside d");
  place.file("lower/d/sub/deep", "deep");
  place.file("lower/empty/x", "x");
  place.file("upper/u", "content of u");
  place.file("upper/v", "content of v");
  place.file("upper/g", "g above");
  place.file("upper/made/in", "in made");
  place.directory("lower/group");
  place.file("lower/group/1", "linked");
  for (const char* name : {"lower/group/2", "lower/group/3"}) {
    ASSERT_EQ(::link(place.path("lower/group/1").c_str(), place.path(name).c_str()), 0);
  }
}

std::vector<Scenario> scenarios() {
  const auto nothing = [](MortalServer&, Nodes&) {};
  const auto know = [](std::vector<std::string> names) {
    return [names](MortalServer& server, Nodes& nodes) {
      for (const std::string& name : names) nodes[name] = lookup(server, 1, name);
    };
  };
  const auto at_root = [](Opcode opcode, const std::string& body) {
    return [=](const Nodes&) { return Request{opcode, 1, body}; };
  };
  const auto on = [](const std::string& name, Opcode opcode, const std::string& body) {
    return [=](const Nodes& nodes) { return Request{opcode, nodes.at(name), body}; };
  };
  const auto removed = [know](const std::string& name) {
    return [=](MortalServer& server, Nodes& nodes) {
      know({name})(server, nodes);
      EXPECT_EQ(server.kernel().ask(Opcode::unlink, 1, Kernel::name(name)).error, 0);
    };
  };
  std::vector<Scenario> all{
      {"create", nothing, at_root(Opcode::mknod, mknod_body("new"))},
      {"create setuid by another", nothing,
       [](const Nodes&) {
         return Request{Opcode::mknod, 1, mknod_body("new", S_IFREG | 04755)};
       }},
      {"create over a whiteout", removed("f"), at_root(Opcode::mknod, mknod_body("f"))},
      {"create in a lower's directory", know({"d"}), on("d", Opcode::mknod, mknod_body("new"))},
      {"fifo", nothing, at_root(Opcode::mknod, mknod_body("pipe", S_IFIFO | 0600))},
      {"mkdir", nothing, at_root(Opcode::mkdir, mkdir_body("new"))},
      {"mkdir over a whiteout", removed("f"), at_root(Opcode::mkdir, mkdir_body("f"))},
      {"symlink", nothing, at_root(Opcode::symlink, Kernel::name("new") + Kernel::name("target"))},
      {"link", know({"u"}),
       [](const Nodes& n) {
         return Request{Opcode::link, 1, Kernel::bytes(abi::LinkIn{n.at("u")}) + Kernel::name("new")};
       }},
      {"link of a lower's file", know({"f"}),
       [](const Nodes& n) {
         return Request{Opcode::link, 1, Kernel::bytes(abi::LinkIn{n.at("f")}) + Kernel::name("new")};
       }},
      {"link over a whiteout",
       [=](MortalServer& s, Nodes& n) {
         know({"u"})(s, n);
         removed("f")(s, n);
       },
       [](const Nodes& n) {
         return Request{Opcode::link, 1, Kernel::bytes(abi::LinkIn{n.at("u")}) + Kernel::name("f")};
       }},
      {"unlink of the upper's file", know({"u"}), at_root(Opcode::unlink, Kernel::name("u"))},
      {"unlink of an unknown file", nothing, at_root(Opcode::unlink, Kernel::name("u"))},
      {"unlink of a lower's file", know({"f"}), at_root(Opcode::unlink, Kernel::name("f"))},
      {"unlink of a file in both", know({"g"}), at_root(Opcode::unlink, Kernel::name("g"))},
      {"write to a removed file", removed("f"), on("f", Opcode::write, write_body("WRITTEN"))},
      {"write to a removed file of the upper", removed("u"), on("u", Opcode::write, write_body("WRITTEN"))},
      {"rename", know({"u"}), at_root(Opcode::rename2, rename_body(1, "u", "new"))},
      {"rename over a file", know({"u", "v"}), at_root(Opcode::rename2, rename_body(1, "u", "v"))},
      {"rename over a lower's file", know({"u", "f"}), at_root(Opcode::rename2, rename_body(1, "u", "f"))},
      {"rename of a lower's file", know({"f"}), at_root(Opcode::rename2, rename_body(1, "f", "new"))},
      {"rename of a lower's file over one in both", know({"f", "g"}),
       at_root(Opcode::rename2, rename_body(1, "f", "g"))},
      {"rename over a file without syncs",
       know({"u", "v"}),
       at_root(Opcode::rename2, rename_body(1, "u", "v")),
       {.synchronous = false}},
      {"rename of a lower's file over one without syncs",
       know({"f", "u"}),
       at_root(Opcode::rename2, rename_body(1, "f", "u")),
       {.synchronous = false}},
      {"rename of a directory", know({"made"}), at_root(Opcode::rename2, rename_body(1, "made", "new"))},
      {"rename of a lower's directory", know({"d"}), at_root(Opcode::rename2, rename_body(1, "d", "new"))},
      {"rename of a directory over one",
       [=](MortalServer& s, Nodes& n) {
         know({"made", "empty"})(s, n);
         EXPECT_EQ(s.kernel().ask(Opcode::unlink, n.at("empty"), Kernel::name("x")).error, 0);
       },
       at_root(Opcode::rename2, rename_body(1, "made", "empty"))},
      {"rename into a directory", know({"u", "d"}),
       [](const Nodes& n) {
         return Request{Opcode::rename2, 1, rename_body(n.at("d"), "u", "u")};
       }},
      {"exchange", know({"u", "f"}), at_root(Opcode::rename2, rename_body(1, "u", "f", RENAME_EXCHANGE))},
      {"exchange of directories", know({"d", "made"}),
       at_root(Opcode::rename2, rename_body(1, "d", "made", RENAME_EXCHANGE))},
      {"rmdir", know({"other"}), at_root(Opcode::rmdir, Kernel::name("other"))},
      {"rmdir of a merged directory",
       [=](MortalServer& s, Nodes& n) {
         know({"empty"})(s, n);
         EXPECT_EQ(s.kernel().ask(Opcode::unlink, n.at("empty"), Kernel::name("x")).error, 0);
       },
       at_root(Opcode::rmdir, Kernel::name("empty"))},
      {"write", know({"u"}), on("u", Opcode::write, write_body("WRITTEN", 3))},
      {"write to a lower's file", know({"f"}), on("f", Opcode::write, write_body("WRITTEN", 3))},
      {"chmod of a lower's file", know({"f"}),
       on("f", Opcode::setattr, setattr_body(abi::setattr::mode, S_IFREG | 0600, 0))},
      {"write to a metacopy",
       [=](MortalServer& s, Nodes& n) {
         know({"f"})(s, n);
         EXPECT_EQ(
             s.kernel().ask(Opcode::setattr, n.at("f"), setattr_body(abi::setattr::mode, S_IFREG | 0600, 0)).error, 0);
       },
       on("f", Opcode::write, write_body("WRITTEN", 3))},
      {"truncate of a lower's file", know({"f"}), on("f", Opcode::setattr, setattr_body(abi::setattr::size, 0, 4))},
      {"setxattr, new", know({"u"}), on("u", Opcode::setxattr, setxattr_body("user.k", "value", XATTR_CREATE))},
      {"setxattr of a lower's file", know({"f"}), on("f", Opcode::setxattr, setxattr_body("user.k", "value", 0))},
      {"removexattr",
       [=](MortalServer& s, Nodes& n) {
         know({"u"})(s, n);
         EXPECT_EQ(s.kernel().ask(Opcode::setxattr, n.at("u"), setxattr_body("user.k", "value", 0)).error, 0);
       },
       on("u", Opcode::removexattr, Kernel::name("user.k"))},
      {"removexattr of none", know({"u"}), on("u", Opcode::removexattr, Kernel::name("user.k"))},
      {"unlink what is not there", nothing, at_root(Opcode::unlink, Kernel::name("none"))},
      {"lookup", nothing, at_root(Opcode::lookup, Kernel::name("f"))},
      {"write to a linked file",
       [](MortalServer& s, Nodes& n) {
         n["group"] = lookup(s, 1, "group");
         n["2"] = lookup(s, n["group"], "2");
         n["3"] = lookup(s, n["group"], "3");
       },
       on("2", Opcode::write, write_body("WRITTEN")),
       {.indexed = true}},
      {"unlink of a lower's file with an index",
       know({"f"}),
       at_root(Opcode::unlink, Kernel::name("f")),
       {.indexed = true}},
      {"write to a removed file with an index",
       removed("f"),
       on("f", Opcode::write, write_body("WRITTEN")),
       {.indexed = true}},
      {"rename of a lower's directory with an index",
       know({"group"}),
       at_root(Opcode::rename2, rename_body(1, "group", "new")),
       {.indexed = true}},
  };
  return all;
}

}  // namespace lamina::test
