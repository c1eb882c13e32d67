#include "test/server/crash_outcome.h"

#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>

namespace lamina::test {

namespace {
// The links of a directory show whether it was copied up, which may be done for an operation that is not.
std::string attributes(const abi::Attr& attr) {
  const bool directory = S_ISDIR(attr.mode);
  return " mode " + std::to_string(attr.mode) + " size " + (directory ? "-" : std::to_string(attr.size)) + " links " +
         (directory ? "-" : std::to_string(attr.nlink)) + " owner " + std::to_string(attr.uid) + ":" +
         std::to_string(attr.gid);
}

// What lies in the upper and in work.
std::string disk(const MortalServer& server) {
  std::string text;
  std::vector<std::string> lines;
  for (const char* top : {"upper", "work"}) {
    for (const auto& each : std::filesystem::recursive_directory_iterator(server.place().path(top))) {
      struct stat status {};
      EXPECT_EQ(::lstat(each.path().c_str(), &status), 0);
      std::string line = each.path().string().substr(server.place().path().size()) + " " +
                         std::to_string(status.st_mode) + " " +
                         std::to_string(S_ISDIR(status.st_mode) ? 0 : status.st_nlink) + " " +
                         std::to_string(S_ISREG(status.st_mode) ? status.st_size : 0);
      for (const char* mark : {"opaque", "redirect", "metacopy"}) {
        std::string value(256, '\0');
        const ssize_t size =
            ::lgetxattr(each.path().c_str(), (test::mark_prefix() + mark).c_str(), value.data(), value.size());
        if (size >= 0) line += std::string(" ") + mark + "=" + value.substr(0, static_cast<std::size_t>(size));
      }
      lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// What every node that the kernel knows still gives: removed files, too.
std::string known(MortalServer& server, const Nodes& nodes) {
  std::string text;
  for (const auto& [name, node] : nodes) {
    const Answer answer = server.kernel().ask(Opcode::getattr, node, Kernel::bytes(abi::GetattrIn{}));
    const auto attr = answer.as<abi::AttrOut>().attr;
    text += "node " + name + " error " + std::to_string(answer.error) + attributes(attr);
    abi::ReadIn in{};
    in.size = 4096;
    if (S_ISREG(attr.mode)) text += " " + server.kernel().ask(Opcode::read, node, Kernel::bytes(in)).body;
    text += "\n";
  }
  return text;
}
}  // namespace

void describe(MortalServer& server, std::uint64_t node, const std::string& path, std::string& into) {
  Kernel& kernel = server.kernel();
  abi::ReadIn in{};
  in.size = 65536;
  const Answer listed = kernel.ask(Opcode::readdir, node, Kernel::bytes(in));
  std::vector<std::string> names;
  for (std::size_t at = 0; at + sizeof(abi::Dirent) <= listed.body.size();) {
    abi::Dirent entry{};
    std::memcpy(&entry, listed.body.data() + at, sizeof entry);
    names.emplace_back(listed.body.substr(at + sizeof entry, entry.namelen));
    at += abi::dirent_size(entry.namelen);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const Answer found = kernel.ask(Opcode::lookup, node, Kernel::name(name));
    const auto entry = found.as<abi::EntryOut>();
    into += path + name + " error " + std::to_string(found.error) + attributes(entry.attr);
    if (S_ISREG(entry.attr.mode)) into += " " + kernel.ask(Opcode::read, entry.nodeid, Kernel::bytes(in)).body;
    const Answer value =
        kernel.ask(Opcode::getxattr, entry.nodeid, Kernel::bytes(abi::GetxattrIn{64, 0}) + Kernel::name("user.k"));
    into += " xattr " + std::to_string(value.error) + value.body + "\n";
    if (S_ISDIR(entry.attr.mode)) describe(server, entry.nodeid, path + name + "/", into);
  }
}

std::string describe_answer(const Request& request, const Answer& answer) {
  std::string text = "error " + std::to_string(answer.error);
  switch (request.opcode) {
    case Opcode::mknod:
    case Opcode::mkdir:
    case Opcode::symlink:
    case Opcode::link:
    case Opcode::tmpfile:
    case Opcode::lookup:
      return text + attributes(answer.as<abi::EntryOut>().attr);
    case Opcode::setattr:
      return text + attributes(answer.as<abi::AttrOut>().attr);
    case Opcode::write:
      return text + " wrote " + std::to_string(answer.as<abi::WriteOut>().size);
    default:
      return text;
  }
}

std::string outcome(MortalServer& server, const Nodes& nodes) {
  std::string text = known(server, nodes);
  describe(server, 1, "/", text);
  text += disk(server) + "pins " + std::to_string(server.pins()) + "\n";
  return text + server.recorded();
}

Answer insist(MortalServer& server, std::uint64_t unique, int& deaths) {
  while (server.dies()) {
    ++deaths;
    // Whoever was answered is not asked again.
    if (!server.kernel().answered(0)) unique = server.kernel().send_again();
    server.go_on();
  }
  return server.kernel().answer(unique);
}

}  // namespace lamina::test
