// The rules of a filter and its globs: any text as rules; any pattern and path, beside a plainer matcher; rules that
// are written as JSON and must be the same when they are read.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "filter/byte_string.h"
#include "filter/glob.h"
#include "filter/rules.h"
#include "fuzz/input.h"
#include "fuzz/plain_glob.h"

namespace {

using lamina::filter::Decision;
using lamina::filter::Glob;
using lamina::filter::Rules;
using lamina::fuzz::Input;
using lamina::fuzz::PlainGlob;
using lamina::fuzz::require;

// Without empty components, as paths of a mount are.
std::string path_from(std::string_view text) {
  std::string path;
  for (const char byte : text) {
    if (byte != '/' || (!path.empty() && path.back() != '/')) path += byte;
  }
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

// The way to a path is open where it is covered.
template <typename MayCoverBelow>
void check_ways(const std::string& path, const MayCoverBelow& may_cover_below) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    require(may_cover_below(std::string_view(path).substr(0, slash)));
  }
  require(may_cover_below(""));
}

void any_text(Input& input) {
  const std::string path = path_from(input.text());
  std::string explanation;
  const auto rules = Rules::parse(input.rest(), explanation);
  require(rules.ok() == explanation.empty());
  if (rules.ok() && rules->decide(path) == Decision::protect) {
    check_ways(path, [&](std::string_view above) { return rules->may_protect_below(above); });
  }
}

void pattern_and_paths(Input& input) {
  const std::string pattern = "/" + std::string(input.text());
  std::string explanation;
  const auto glob = Glob::compile(pattern, explanation);
  require(glob.ok() == explanation.empty());
  if (!glob.ok()) return;
  // With many alternatives the plain matcher takes too long.
  constexpr std::size_t most = 64;
  if (glob->alternatives() > most) return;
  const PlainGlob plain(pattern);
  do {
    const std::string path = path_from(input.text().substr(0, 64));
    const bool covered = glob->covers(path);
    require(covered == plain.covers(path));
    if (covered) check_ways(path, [&](std::string_view above) { return glob->may_cover_below(above); });
  } while (!input.empty());
}

void round_trip(Input& input) {
  const std::string path = path_from(input.text());
  constexpr std::array<std::string_view, 3> decisions = {"capture", "ephemeral", "protect"};
  std::string json = R"({"version":1,"rules":[)";
  std::vector<Glob> globs;
  Decision expected = Decision::capture;
  bool decided = false;
  bool valid = true;
  const char* separator = "";
  while (!input.empty()) {
    const std::size_t decision = input.byte() % decisions.size();
    const std::string pattern = (decision == 0 ? "" : "/") + std::string(input.text());
    json += std::string(separator) + R"({"decision":")" + std::string(decisions[decision]) + R"(","match":)";
    lamina::filter::append_json_string(json, pattern);
    json += "}";
    separator = ",";
    std::string problem;
    const auto glob = Glob::compile(pattern, problem);
    valid = valid && glob.ok();
    if (decided || !glob.ok() || !glob->covers(path)) continue;
    decided = true;
    expected = static_cast<Decision>(decision);
  }
  std::string explanation;
  const auto rules = Rules::parse(json + "]}", explanation);
  require(rules.ok() == valid);
  if (valid) require(rules->decide(path) == expected);
}

// A byte string survives JSON unchanged.
void byte_string(std::string_view bytes) {
  std::string json;
  lamina::filter::append_json_string(json, bytes);
  const auto parsed = nlohmann::json::parse(lamina::filter::prepare_json(json), nullptr, false);
  require(parsed.is_string());
  const auto back = lamina::filter::from_parsed(parsed.get_ref<const std::string&>());
  if (bytes.find('\0') == std::string_view::npos) require(back.has_value() && *back == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  switch (input.byte() % 4) {
    case 0:
      any_text(input);
      break;
    case 1:
      round_trip(input);
      break;
    case 2:
      byte_string(input.rest());
      break;
    default:
      pattern_and_paths(input);
  }
  return 0;
}
