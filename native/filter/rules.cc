#include "filter/rules.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "filter/byte_string.h"
#include "sys/data.h"
#include "sys/open.h"

namespace lamina::filter {

namespace {

using nlohmann::json;

std::optional<Decision> decision_of(std::string_view name) {
  if (name == "capture") return Decision::capture;
  if (name == "ephemeral") return Decision::ephemeral;
  if (name == "protect") return Decision::protect;
  return std::nullopt;
}

// The first key of `object` that is not in `known`, or "".
std::string unknown_key(const json& object, std::initializer_list<std::string_view> known) {
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) return item.key();
  }
  return {};
}

// The string member `key`, or nothing.
const std::string* string_member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

std::string document_problem(const json& document) {
  if (document.is_discarded()) return "is not valid JSON";
  if (!document.is_object()) return R"(is not an object {"version": 1, "rules": [...]})";
  const auto version = document.find("version");
  if (version == document.end()) return "has no \"version\"";
  if (version->is_structured()) return "has a version that is not a number; this driver knows version 1";
  if (*version != 1)
    return "has version " + version->dump(-1, ' ', false, json::error_handler_t::replace) +
           "; this driver knows version 1";
  const auto rules = document.find("rules");
  if (rules == document.end() || !rules->is_array()) return "has no list \"rules\"";
  const std::string key = unknown_key(document, {"version", "rules"});
  return key.empty() ? "" : "has an unknown key \"" + key + "\"";
}

std::string rule_problem(const json& rule) {
  if (!rule.is_object()) return "is not an object";
  if (string_member(rule, "match") == nullptr) return "has no string \"match\"";
  const std::string* decision = string_member(rule, "decision");
  if (decision == nullptr) return "has no string \"decision\"";
  if (!decision_of(*decision))
    return "has the decision \"" + *decision + "\"; there are capture, ephemeral and protect";
  const std::string key = unknown_key(rule, {"match", "decision"});
  return key.empty() ? "" : "has an unknown key \"" + key + "\"";
}

}  // namespace

Result<Rules> Rules::parse(std::string_view text, std::string& explanation) {
  const json document = json::parse(prepare_json(text), nullptr, false);
  explanation = document_problem(document);
  if (!explanation.empty()) return sys::Errno{EINVAL};
  Rules rules;
  std::size_t number = 0;
  for (const json& rule : document["rules"]) {
    ++number;
    std::string problem = rule_problem(rule);
    if (problem.empty()) {
      const auto pattern = from_parsed(*string_member(rule, "match"));
      auto glob = pattern ? Glob::compile(*pattern, problem) : Result<Glob>(sys::Errno{EINVAL});
      if (!pattern) problem = "has a NUL in its \"match\"";
      if (glob.ok()) rules.rules_.push_back({std::move(*glob), *decision_of(*string_member(rule, "decision"))});
    }
    if (problem.empty()) continue;
    explanation = "rule " + std::to_string(number) + ": " + problem;
    return sys::Errno{EINVAL};
  }
  return rules;
}

Result<Rules> Rules::load(const std::string& path, std::string& explanation) {
  constexpr std::size_t limit = std::size_t{16} * 1024 * 1024;
  const auto file = sys::open_path(path, O_RDONLY);
  auto text = file.ok() ? sys::read_whole(file->get(), limit) : Result<std::string>(file.error());
  if (!text.ok()) {
    explanation = "rules " + path + ": " + std::strerror(text.error().value);
    return text.error();
  }
  auto rules = parse(*text, explanation);
  if (!rules.ok()) explanation = "rules " + path + ": " + explanation;
  return rules;
}

bool Rules::may_protect_below(std::string_view directory) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.decision == Decision::protect && rule.glob.may_cover_below(directory);
  });
}

Decision Rules::decide(std::string_view path) const {
  for (const Rule& rule : rules_) {
    if (rule.glob.covers(path)) return rule.decision;
  }
  return Decision::capture;
}

}  // namespace lamina::filter
