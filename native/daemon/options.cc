#include "daemon/options.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "daemon/option_tables.h"
#include "daemon/owner_options.h"
#include "daemon/words.h"
#include "sys/data.h"
#include "sys/open.h"

namespace lamina::daemon {

namespace {

constexpr std::size_t longest_options_file = std::size_t{16} << 20;

class Parser {
 public:
  Parser(DaemonOptions& options, std::string& error) : options_(options), error_(error) {}
  void arguments(const std::vector<std::string>& words);
  void finish();

 private:
  void fail(const std::string& what) {
    if (error_.empty()) error_ = what;
  }
  // Takes a word that begins with '-'; `next` is the one after it. True where that was consumed.
  bool flag(const std::string& word, const std::string* next);
  void option_list(const std::string& text);
  void options_file(const std::string& path);
  void option(const std::string& text);
  bool layer_option(const std::string& name, const std::string& value);
  bool driver_option(const std::string& name, const std::string& value);
  bool file_option(const std::string& name, const std::string& value);
  void mode(const std::string& value);
  void io_uring(const std::string& value);
  bool on_off(const std::string& name, const std::string& value);
  bool number_switch(const std::string& name, const std::string& value);
  template <typename Number>
  void number(const std::string& name, const std::string& value, Number least, Number most, Number& into);

  DaemonOptions& options_;
  std::string& error_;
  std::vector<std::string> lowers_, indexes_, words_;
  FurtherRanges further_ranges_;
  std::optional<bool> whiteout_files_;
  bool in_file_ = false;
};

bool Parser::on_off(const std::string& name, const std::string& value) {
  if (value == "off" || value == "nofollow") return false;
  if (value != "on" && value != "follow" && !value.empty()) fail("option " + name + "=" + value + ": say on or off");
  return true;
}

// As in fuse-overlayfs: NAME, NAME=1 or NAME=0; on and off as well.
bool Parser::number_switch(const std::string& name, const std::string& value) {
  return value != "0" && on_off(name, value == "1" ? "" : value);
}

template <typename Number>
void Parser::number(const std::string& name, const std::string& value, Number least, Number most, Number& into) {
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), into);
  if (code == std::errc() && end == value.data() + value.size() && into >= least && into <= most) return;
  fail("option " + name + "=" + value + ": say a number from " + std::to_string(least) + " to " + std::to_string(most));
}

void Parser::mode(const std::string& value) {
  if (value == "stateless") {
    options_.server.mode = server::Mode::stateless;
  } else if (value == "servicing") {
    options_.server.mode = server::Mode::servicing;
  } else if (value == "passthrough") {
    options_.server.mode = server::Mode::passthrough;
  } else {
    fail("option mode=" + value + ": say stateless, passthrough or servicing");
  }
}

void Parser::io_uring(const std::string& value) {
  if (value == "auto") {
    options_.server.ring = server::Ring::automatic;
  } else if (value == "on" || value == "off" || value.empty()) {
    options_.server.ring = value == "off" ? server::Ring::off : server::Ring::on;
  } else {
    fail("option io_uring=" + value + ": say auto, on or off");
  }
}

bool Parser::layer_option(const std::string& name, const std::string& value) {
  if (name == "lowerdir") {
    lowers_ = split(value, ':', Escapes::resolve);
  } else if (name == "lowerindex") {
    indexes_ = split(value, ':', Escapes::resolve);
  } else if (name == "upperdir") {
    options_.overlay.upper = unescaped(value);
  } else if (name == "workdir") {
    options_.overlay.work = unescaped(value);
  } else if (name == "redirect_dir") {
    options_.overlay.redirect_dir = on_off(name, value);
  } else if (name == "metacopy") {
    options_.overlay.metacopy = on_off(name, value);
  } else if (name == "whiteout_files") {
    whiteout_files_ = on_off(name, value);
  } else if (name == "userxattr") {
    options_.overlay.user_xattr = true;
  } else if (name == "static_nlink") {
    options_.overlay.static_nlink = number_switch(name, value);
  } else {
    return false;
  }
  return true;
}

bool Parser::file_option(const std::string& name, const std::string& value) {
  if (name == "filter") {
    options_.filter.rules = unescaped(value);
  } else if (name == "journal") {
    options_.filter.journal = unescaped(value);
  } else if (name == "readset") {
    options_.filter.read_set = unescaped(value);
  } else if (name == "control") {
    options_.control = unescaped(value);
  } else if (name == "mountpoint_at") {
    options_.mountpoint_at = unescaped(value);
  } else if (name == "optionsfile") {
    options_file(unescaped(value));
  } else {
    return false;
  }
  return true;
}

bool Parser::driver_option(const std::string& name, const std::string& value) {
  if (name == "mode") {
    mode(value);
  } else if (name == "threads") {
    number<std::size_t>(name, value, 1, 256, options_.threads);
  } else if (name == "io_uring") {
    io_uring(value);
  } else if (name == "max_read") {
    number<std::uint32_t>(name, value, 4096, 1U << 30U, options_.max_read);
  } else if (name == "fsname") {
    options_.source = unescaped(value);
  } else if (name == "subtype") {
    options_.subtype = unescaped(value);
  } else if (name == "writeback") {
    options_.server.writeback = number_switch(name, value);
  } else if (name == "volatile" || name == "fsync") {  // fuse-overlayfs: fsync=0
    options_.server.synchronous = name == "fsync" && value != "0";
    options_.overlay.synchronous = options_.server.synchronous;
  } else if (name == "supervise") {
    options_.supervise = on_off(name, value);
  } else if (name == "idmap") {
    options_.server.idmap = on_off(name, value);
  } else if (name == "noacl") {
    options_.server.access_lists = false;
  } else if (name == "noxattrs") {
    options_.server.xattrs = !number_switch(name, value);
  } else if (is_security_context(name)) {
    options_.security_contexts += ',' + name + '=' + value;
  } else if (name == "allow_other") {
    options_.allow_other = true;
  } else if (name == "debug") {
    options_.foreground = options_.debug = true;
  } else {
    return false;
  }
  return true;
}

void Parser::option(const std::string& text) {
  if (text.empty() || further_ranges_.take(text, options_.overlay, error_)) return;
  const std::size_t equals = text.find('=');
  std::string name = text.substr(0, equals);
  // fuse-overlayfs 2 knows the option by this name as well; without a value it is mount(8)'s.
  if (name == "sync" && equals != std::string::npos) name = "fsync";
  const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
  further_ranges_.follow(name, value);
  if (const auto change = mount_flag(name)) {
    options_.mount_flags = (options_.mount_flags | change->set) & ~change->clear;
    return;
  }
  if (layer_option(name, value) || driver_option(name, value) || file_option(name, value)) return;
  if (take_owner_option(name, value, options_.overlay, error_)) return;
  if (changes_nothing(name, value)) return;
  if (const char* reason = reason_to_refuse(name)) return fail("option " + text + " is refused: " + reason);
  const char* const effect = reason_without_effect(name);
  options_.warnings.push_back(effect == nullptr ? "unknown option " + name + " passed over"
                                                : "option " + name + " has no effect: " + effect);
}

void Parser::option_list(const std::string& text) {
  for (const std::string& each : split_options(text)) option(each);
}

void Parser::options_file(const std::string& path) {
  if (in_file_) return fail("options file " + path + ": an options file cannot name another");
  const auto refuse = [&](sys::Errno problem) { fail("options file " + path + ": " + std::strerror(problem.value)); };
  const auto file = sys::open_path(path, O_RDONLY);
  if (!file) return refuse(file.error());
  const auto text = sys::read_whole(file->get(), longest_options_file);
  if (!text) return refuse(text.error());
  in_file_ = true;
  for (const std::string& line : split(*text, '\n', Escapes::keep)) option(line);
  in_file_ = false;
}

bool Parser::flag(const std::string& word, const std::string* next) {
  if (word == "-f") {
    options_.foreground = true;
  } else if (word == "-d" || word == "--debug") {
    options_.foreground = options_.debug = true;
  } else if (word == "-h" || word == "--help") {
    options_.show_help = true;
  } else if (word == "-V" || word == "--version") {
    options_.show_version = true;
  } else if (word == "-o" || word == "--options-file") {
    if (next == nullptr) {
      fail(word + " needs a value after it");
      return false;
    }
    word == "-o" ? option_list(*next) : options_file(*next);
    return true;
  } else if (word.starts_with("-o")) {
    option_list(word.substr(2));
  } else if (word.starts_with("--options-file=")) {
    options_file(word.substr(std::strlen("--options-file=")));
  } else {
    options_.warnings.push_back("unknown option " + word + " passed over");
  }
  return false;
}

void Parser::arguments(const std::vector<std::string>& words) {
  bool only_words = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_words || word.size() < 2 || word.front() != '-') {
      words_.push_back(word);
    } else if (word == "--") {
      only_words = true;
    } else if (flag(word, i + 1 < words.size() ? &words[i + 1] : nullptr)) {
      ++i;
    }
  }
}

void Parser::finish() {
  if (words_.empty()) fail("no mount point was given; see laminafs --help");
  if (words_.size() > 2) fail("too many arguments: " + words_.back());
  if (!words_.empty()) options_.mountpoint = words_.back();
  if (!words_.empty() && options_.mountpoint.empty()) fail("the mount point is an empty string; name a directory");
  // mount(8) names a source first; that of "laminafs#" is empty.
  if (words_.size() == 2 && !words_.front().empty()) options_.source = words_.front();
  if (lowers_.empty()) fail("no lowerdir= was given; see laminafs --help");
  for (const std::string& lower : lowers_) {
    if (lower.empty()) fail("lowerdir= has an empty item");
  }
  if (!indexes_.empty() && indexes_.size() != lowers_.size()) {
    fail("lowerindex= names " + std::to_string(indexes_.size()) + " indexes for " + std::to_string(lowers_.size()) +
         " lowers");
  }
  if (options_.overlay.upper.empty() != options_.overlay.work.empty()) fail("upperdir= and workdir= go together");
  options_.has_indexes = !indexes_.empty();
  if (const char* reason = incompatibility(options_)) fail(reason);
  // Layers with indexes are of a store, whose marks are the kernel's.
  options_.overlay.whiteout_files = whiteout_files_.value_or(indexes_.empty());
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    options_.overlay.lowers.push_back(
        {lowers_[i], i < indexes_.size() ? indexes_[i] : "", options_.overlay.whiteout_files});
  }
  // All other listings bring attributes, and their numbers: Session::init().
  options_.overlay.listed_numbers = !options_.filter.read_set.empty();
  if (options_.overlay.upper.empty()) options_.mount_flags |= MS_RDONLY;
  if (!options_.server.xattrs) options_.server.access_lists = false;
  options_.overlay.access_times = (options_.mount_flags & MS_NOATIME) == 0;
  options_.overlay.directory_access_times = (options_.mount_flags & (MS_NOATIME | MS_NODIRATIME)) == 0;
}

}  // namespace

DaemonOptions parse_arguments(const std::vector<std::string>& arguments, std::string& error) {
  DaemonOptions options;
  options.allow_other = ::geteuid() == 0;
  Parser parser(options, error);
  parser.arguments(arguments);
  if (!options.show_help && !options.show_version) parser.finish();
  return options;
}

}  // namespace lamina::daemon
