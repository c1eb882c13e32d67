#include "sandbox/spec.h"

#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>

#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

constexpr std::size_t largest_spec = 4u << 20;
constexpr int decimal = 10;
constexpr int octal = 8;

std::string read_all(int file) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = pread(file, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (count < 0) fail("cannot read what the sandbox needs");
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > largest_spec) fail("cannot read what the sandbox needs", EFBIG);
  }
}

class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  bool more() const { return !rest_.empty(); }

  std::string next() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) fail("the description of the sandbox is cut off", EINVAL);
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return field;
  }

  std::uint64_t number(int base = decimal) {
    const std::string field = next();
    char* end = nullptr;
    errno = 0;
    const auto value = strtoull(field.c_str(), &end, base);
    if (errno != 0 || field.empty() || *end != '\0')
      fail("the description of the sandbox has '" + field + "' for a number", EINVAL);
    return value;
  }

  unsigned id() { return static_cast<unsigned>(number()); }

  rlim_t limit() {
    if (rest_.substr(0, 2) != std::string_view("-\0", 2)) return number();
    rest_.remove_prefix(2);
    return RLIM_INFINITY;
  }

 private:
  std::string_view rest_;
};

Place place_of(Fields& fields) {
  static const std::map<std::string, Place::Kind, std::less<>> kinds = {
      {"proc", Place::Kind::proc}, {"dev", Place::Kind::dev}, {"run", Place::Kind::run}, {"tmp", Place::Kind::tmp}};
  const std::string name = fields.next();
  const auto kind = kinds.find(name);
  if (kind == kinds.end()) fail("the description of the sandbox has an unknown place '" + name + "'", EINVAL);
  Place place{kind->second, fields.next(), ""};
  place.size = fields.next();
  return place;
}

Directory directory_of(Fields& fields) {
  Directory directory;
  directory.path = fields.next();
  directory.mode = static_cast<mode_t>(fields.number(octal));
  directory.uid = fields.id();
  directory.gid = fields.id();
  return directory;
}

Limit limit_of(Fields& fields) {
  Limit limit;
  limit.resource = static_cast<int>(fields.number());
  limit.soft = fields.limit();
  limit.hard = fields.limit();
  return limit;
}

void bound_of(Fields& fields, std::uint64_t& bound, bool& asked) {
  bound = fields.number();
  asked = fields.next() == "asked";
}

Content content_of(Fields& fields) {
  Content content;
  content.path = fields.next();
  content.content = fields.next();
  return content;
}

using Reader = std::function<void(Fields&, Spec&)>;

const std::map<std::string, Reader, std::less<>>& readers() {
  static const std::map<std::string, Reader, std::less<>> all = {
      {"root", [](Fields& f, Spec& s) { s.root = f.next(); }},
      {"place", [](Fields& f, Spec& s) { s.places.push_back(place_of(f)); }},
      {"shm", [](Fields& f, Spec& s) { s.shm_size = f.next(); }},
      {"show",
       [](Fields& f, Spec& s) {
         Shown shown{f.next(), ""};
         shown.path = f.next();
         s.shown.push_back(shown);
       }},
      {"cover", [](Fields& f, Spec& s) { s.covers.push_back(content_of(f)); }},
      {"directory", [](Fields& f, Spec& s) { s.directories.push_back(directory_of(f)); }},
      {"file", [](Fields& f, Spec& s) { s.files.push_back(content_of(f)); }},
      {"host-name", [](Fields& f, Spec& s) { s.host_name = f.next(); }},
      {"working-directory", [](Fields& f, Spec& s) { s.working_directory = f.next(); }},
      {"set", [](Fields& f, Spec& s) { s.environment.push_back(f.next()); }},
      {"capability", [](Fields& f, Spec& s) { s.capabilities.push_back(f.id()); }},
      {"keep-capability", [](Fields& f, Spec& s) { s.kept_capabilities.push_back(f.id()); }},
      {"limit", [](Fields& f, Spec& s) { s.limits.push_back(limit_of(f)); }},
      {"processes", [](Fields& f, Spec& s) { bound_of(f, s.bounds.processes, s.bounds.processes_asked); }},
      {"memory", [](Fields& f, Spec& s) { bound_of(f, s.bounds.memory, s.bounds.memory_asked); }},
      {"processors", [](Fields& f, Spec& s) { bound_of(f, s.bounds.processors, s.bounds.processors_asked); }},
      {"user",
       [](Fields& f, Spec& s) {
         s.uid = f.id();
         s.gid = f.id();
       }},
      {"group", [](Fields& f, Spec& s) { s.groups.push_back(f.id()); }},
      {"own-users",
       [](Fields& f, Spec& s) {
         s.own_users = f.next() == "always" ? Spec::OwnUsers::always : Spec::OwnUsers::where_possible;
       }},
      {"host-network", [](Fields&, Spec& s) { s.host_network = true; }},
      {"gains-privileges", [](Fields&, Spec& s) { s.gains_privileges = true; }},
      {"input", [](Fields&, Spec& s) { s.input = true; }},
      {"terminal", [](Fields&, Spec& s) { s.terminal = true; }},
  };
  return all;
}

}  // namespace

Spec read_spec(int file) {
  Spec spec;
  const std::string text = read_all(file);
  for (Fields fields(text); fields.more();) {
    const std::string word = fields.next();
    const auto reader = readers().find(word);
    if (reader == readers().end()) fail("the description of the sandbox has an unknown word '" + word + "'", EINVAL);
    reader->second(fields, spec);
  }
  return spec;
}

}  // namespace lamina::sandbox
