#include "daemon/options.h"

#include <sys/mount.h>

#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

namespace lamina::daemon {

const char* const help_text =
    R"(usage: laminafs [-f] -o lowerdir=A:B,upperdir=U,workdir=W[,OPTION…] MOUNTPOINT

Mounts the merged tree of the lower directories, topmost first, and one upper. Without upperdir and workdir the mount is
read-only. In paths, write \: for a colon and \, for a comma.

  lowerindex=A:B      the lowers' index files, in the same order; an empty item: none
  mode=MODE           stateless (default): files open without a message; servicing: every open is seen
  redirect_dir=on|off, metacopy=on|off, userxattr
  filter=FILE         rules, JSON        journal=FILE   changing operations, NDJSON
  readset=FILE        what was read      control=PATH   control socket
  threads=N           workers            writeback      let the kernel gather small writes
  volatile            fsync is answered at once
  fsname=NAME, subtype=NAME, ro, nosuid, nodev, noexec, noatime, …
  optionsfile=FILE    more options, one a line, for long stacks
  -f                  stay in the foreground
  --help, --version
)";

std::vector<std::string> split_escaped(std::string_view text, char separator, bool keep_escapes) {
  std::vector<std::string> items(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      if (keep_escapes) items.back() += '\\';
      items.back() += text[++i];
    } else if (text[i] == separator) {
      items.emplace_back();
    } else {
      items.back() += text[i];
    }
  }
  return items;
}

namespace {

struct Parser {
  DaemonOptions options;
  std::string& error;
  std::vector<std::string> lowers, indexes;

  void fail(const std::string& what) {
    if (error.empty()) error = what;
  }
  static std::string path_of(const std::string& text) { return split_escaped(text, '\0', false).front(); }
  bool on_off(const std::string& name, const std::string& value, bool otherwise) {
    if (value == "on" || value == "follow" || value.empty()) return true;
    if (value == "off" || value == "nofollow") return false;
    fail("option " + name + "=" + value + ": say on or off");
    return otherwise;
  }

  bool mount_flag(const std::string& name);
  bool layer_option(const std::string& name, const std::string& value);
  bool driver_option(const std::string& name, const std::string& value);
  bool peer_option(const std::string& name, const std::string& value);
  void option(const std::string& text);
  void options_file(const std::string& path);
  void finish(const std::vector<std::string>& words);
};

bool Parser::mount_flag(const std::string& name) {
  static const std::map<std::string, unsigned long> set{
      {"ro", MS_RDONLY},        {"nosuid", MS_NOSUID},         {"nodev", MS_NODEV},       {"noexec", MS_NOEXEC},
      {"noatime", MS_NOATIME},  {"nodiratime", MS_NODIRATIME}, {"relatime", MS_RELATIME}, {"strictatime", MS_STRICTATIME},
      {"sync", MS_SYNCHRONOUS}, {"dirsync", MS_DIRSYNC}};
  static const std::map<std::string, unsigned long> cleared{{"rw", MS_RDONLY},     {"suid", MS_NOSUID},
                                                            {"dev", MS_NODEV},     {"exec", MS_NOEXEC},
                                                            {"atime", MS_NOATIME}, {"async", MS_SYNCHRONOUS}};
  if (const auto found = set.find(name); found != set.end()) {
    options.mount_flags |= found->second;
    return true;
  }
  if (const auto found = cleared.find(name); found != cleared.end()) {
    options.mount_flags &= ~found->second;
    return true;
  }
  return false;
}

bool Parser::layer_option(const std::string& name, const std::string& value) {
  if (name == "lowerdir") {
    lowers = split_escaped(value, ':', false);
  } else if (name == "lowerindex") {
    indexes = split_escaped(value, ':', false);
  } else if (name == "upperdir") {
    options.overlay.upper = path_of(value);
  } else if (name == "workdir") {
    options.overlay.work = path_of(value);
  } else if (name == "redirect_dir") {
    options.overlay.redirect_dir = on_off(name, value, true);
  } else if (name == "metacopy") {
    options.overlay.metacopy = on_off(name, value, true);
  } else if (name == "userxattr") {
    options.overlay.user_xattr = true;
  } else {
    return false;
  }
  return true;
}

bool Parser::driver_option(const std::string& name, const std::string& value) {
  if (name == "mode") {
    if (value == "stateless") {
      options.server.mode = server::Mode::stateless;
    } else if (value == "servicing") {
      options.server.mode = server::Mode::servicing;
    } else {
      fail("option mode=" + value + ": say stateless or servicing");
    }
  } else if (name == "filter") {
    options.filter = path_of(value);
  } else if (name == "journal") {
    options.journal = path_of(value);
  } else if (name == "readset") {
    options.read_set = path_of(value);
  } else if (name == "control") {
    options.control = path_of(value);
  } else if (name == "fsname") {
    options.source = path_of(value);
  } else if (name == "subtype") {
    options.subtype = path_of(value);
  } else if (name == "optionsfile") {
    options_file(path_of(value));
  } else if (name == "writeback") {
    options.server.writeback = value != "0";
  } else if (name == "volatile") {
    options.server.synchronous = false;
  } else if (name == "threads") {
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), options.server.threads);
    constexpr unsigned most = 256;
    if (code != std::errc() || end != value.data() + value.size() || options.server.threads == 0 ||
        options.server.threads > most) {
      fail("option threads=" + value + ": say a number from 1 to 256");
    }
  } else {
    return false;
  }
  return true;
}

// What fuse-overlayfs, the kernel's overlayfs and libfuse know: accepted where it changes nothing here, refused where it would.
bool Parser::peer_option(const std::string& name, const std::string& value) {
  if (name == "allow_other") {
    options.allow_other = true;
    return true;
  }
  for (const char* same :
       {"default_permissions", "index", "xino", "threaded", "fast_ino", "static_nlink", "allow_root", "nfs_export", "big_writes",
        "clone_fd", "timeout", "uuid", "defaults", "auto", "noauto", "user", "_netdev"}) {
    if (name == same && !(name == "index" && value == "on")) return true;
  }
  for (const char* other : {"squash_to_root", "squash_to_uid", "squash_to_gid", "uidmapping", "gidmapping", "noacl",
                            "xattr_permissions", "verity", "lowerdir+", "datadir+", "index"}) {
    if (name != other) continue;
    fail("option " + name + ": laminafs does not do this; leave it out");
    return true;
  }
  return false;
}

void Parser::option(const std::string& text) {
  if (text.empty()) return;
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
  if (mount_flag(name) || layer_option(name, value) || driver_option(name, value) || peer_option(name, value)) return;
  options.warnings.push_back("unknown option " + name + " passed over");
}

void Parser::options_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail("cannot read the options file " + path);
  for (std::string line; std::getline(file, line);) option(line);
}

void Parser::finish(const std::vector<std::string>& words) {
  // mount(8) calls mount.fuse helpers with a source first.
  if (words.empty()) fail("no mount point was given; see laminafs --help");
  if (words.size() > 2) fail("too many arguments: " + words.back());
  if (!words.empty()) options.mountpoint = words.back();
  if (words.size() == 2) options.source = words.front();
  if (lowers.empty()) fail("no lowerdir= was given; see laminafs --help");
  for (const std::string& lower : lowers) {
    if (lower.empty()) fail("lowerdir= has an empty item");
  }
  if (!indexes.empty() && indexes.size() != lowers.size()) {
    fail("lowerindex= names " + std::to_string(indexes.size()) + " indexes for " + std::to_string(lowers.size()) + " lowers");
  }
  if (options.overlay.upper.empty() != options.overlay.work.empty()) fail("upperdir= and workdir= go together");
  for (std::size_t i = 0; i < lowers.size(); ++i) {
    options.overlay.lowers.push_back({lowers[i], indexes.empty() || indexes.size() != lowers.size() ? "" : indexes[i]});
  }
  if (options.overlay.upper.empty()) options.mount_flags |= MS_RDONLY;
}

}  // namespace

DaemonOptions parse_arguments(const std::vector<std::string>& arguments, std::string& error) {
  Parser parser{{}, error, {}, {}};
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-f") {
      parser.options.foreground = true;
    } else if (word == "-d" || word == "--debug") {
      parser.options.foreground = true;
    } else if (word == "-h" || word == "--help") {
      parser.options.show_help = true;
    } else if (word == "-V" || word == "--version") {
      parser.options.show_version = true;
    } else if (word.starts_with("-o")) {
      if (word.size() == 2 && i + 1 == arguments.size()) {
        parser.fail("-o needs options after it");
        break;
      }
      const std::string& text = word.size() == 2 ? arguments[++i] : word.substr(2);
      for (const std::string& each : split_escaped(text, ',', true)) parser.option(each);
    } else if (word.size() > 1 && word.front() == '-') {
      parser.options.warnings.push_back("unknown option " + word + " passed over");
    } else {
      words.push_back(word);
    }
  }
  if (!parser.options.show_help && !parser.options.show_version) parser.finish(words);
  return std::move(parser.options);
}

}  // namespace lamina::daemon
