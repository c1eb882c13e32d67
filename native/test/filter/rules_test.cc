#include "filter/rules.h"

#include "filter/byte_string.h"
#include "test/support/temporary_directory.h"

namespace lamina::filter {
namespace {

bool covers(std::string_view pattern, std::string_view path) {
  std::string explanation;
  const auto glob = Glob::compile(pattern, explanation);
  EXPECT_TRUE(glob.ok()) << explanation;
  return glob.ok() && glob->covers(path);
}

std::string problem(std::string_view pattern) {
  std::string explanation;
  EXPECT_TRUE(Glob::compile(pattern, explanation).failed_with(EINVAL)) << pattern;
  return explanation;
}

TEST(Glob, CoversADirectoryAndAllBelow) {
  EXPECT_TRUE(covers("/var/cache", "var/cache"));
  EXPECT_TRUE(covers("/var/cache", "var/cache/apt/archives"));
  EXPECT_FALSE(covers("/var/cache", "var/cached"));
  EXPECT_FALSE(covers("/var/cache", "var"));
  EXPECT_FALSE(covers("/var/cache", ""));
  EXPECT_TRUE(covers("/var/cache/", "var/cache/x"));
  EXPECT_TRUE(covers("/", ""));
  EXPECT_TRUE(covers("/", "any/thing"));
}

TEST(Glob, StarsStayInAComponentAndDoubleStarsDoNot) {
  EXPECT_TRUE(covers("/*.log", "a.log"));
  EXPECT_TRUE(covers("/*.log", ".log"));
  EXPECT_FALSE(covers("/*.log", "a/b.log"));
  EXPECT_TRUE(covers("/**/*.log", "b.log"));
  EXPECT_TRUE(covers("/**/*.log", "a/b/c.log"));
  EXPECT_FALSE(covers("/**/*.log", "a/b/c.txt"));
  EXPECT_TRUE(covers("/a/**/b", "a/b"));
  EXPECT_TRUE(covers("/a/**/b", "a/x/y/b/below"));
  EXPECT_FALSE(covers("/a/**/b", "x/a/b"));
  EXPECT_TRUE(covers("/a/**", "a"));
  EXPECT_TRUE(covers("/**", ""));
  EXPECT_TRUE(covers("/**/a/**/a/**/b", "a/a/a/a/a/a/b"));
  EXPECT_FALSE(covers("/**/a/**/a/**/b", "a/a/a/a/a/a/c"));
  EXPECT_TRUE(covers("/a*b*c", "axxbxxbc"));
  EXPECT_FALSE(covers("/a*b*c", "axxbxxb"));
  EXPECT_TRUE(covers("/*a*a*a*a*a*", std::string(200, 'a')));
  EXPECT_FALSE(covers("/*a*a*a*a*a*b", std::string(250, 'a')));
}

TEST(Glob, KnowsSetsCharactersAndBraces) {
  EXPECT_TRUE(covers("/a?c", "abc"));
  EXPECT_FALSE(covers("/a?c", "ac"));
  EXPECT_TRUE(covers("/a?c",
                     "a\xc3\xa4"
                     "c"))
      << "a character of two bytes";
  EXPECT_TRUE(covers("/a?c",
                     "a\xff"
                     "c"))
      << "a byte that is no UTF-8";
  EXPECT_TRUE(covers("/[a-cx]", "b"));
  EXPECT_FALSE(covers("/[a-cx]", "d"));
  EXPECT_TRUE(covers("/[!a-c]", "d"));
  EXPECT_FALSE(covers("/[^a-c]", "b"));
  EXPECT_TRUE(covers("/[]x]", "]"));
  EXPECT_TRUE(covers("/[a-]", "-"));
  EXPECT_TRUE(covers("/[\xc3\xa4-\xc3\xb6]", "\xc3\xa5"));
  EXPECT_TRUE(covers("/{a,b{1,2}}/c", "b2/c"));
  EXPECT_FALSE(covers("/{a,b{1,2}}/c", "b/c"));
  EXPECT_TRUE(covers("/{var/cache,tmp}/x", "var/cache/x"));
  EXPECT_TRUE(covers("/x{,.old}", "x"));
  EXPECT_TRUE(covers("/[{]a", "{a"));
  EXPECT_TRUE(covers("/\\*", "*"));
  EXPECT_FALSE(covers("/\\*", "a"));
  EXPECT_TRUE(covers("/\\{a,b\\}", "{a,b}"));
}

TEST(Glob, ExplainsWhatIsWrong) {
  EXPECT_EQ(problem("tmp"), "pattern \"tmp\" does not begin with /");
  EXPECT_EQ(problem("/{a,b"), "pattern \"/{a,b\" has a { without a }");
  EXPECT_EQ(problem("/[a-z"), "pattern \"/[a-z\" has a [ without a ]");
  EXPECT_EQ(problem("/[z-a]"), "pattern \"/[z-a]\" has a range that runs backwards");
  EXPECT_NE(problem("/a/../b").find("no path of a mount has"), std::string::npos);
  EXPECT_NE(problem("/a\\").find("backslash"), std::string::npos);
  std::string many = "/";
  for (int depth = 0; depth < 20; ++depth) many += "{a,b}";
  EXPECT_NE(problem(many).find("is 4,096 alternatives"), std::string::npos);
  std::string heavy = "/";
  for (int depth = 0; depth < 12; ++depth) heavy += "{a,b}";
  EXPECT_NE(problem(heavy + std::string(1000, '?')).find("is 262,144 bytes"), std::string::npos);
  std::string deep;
  for (int depth = 0; depth < 70; ++depth) deep += "/a";
  EXPECT_NE(problem(deep).find("is 63 components"), std::string::npos);
}

TEST(Rules, TheFirstThatCoversDecides) {
  std::string explanation;
  const auto rules = Rules::parse(R"({"version":1,"rules":[
      {"match":"/tmp/keep","decision":"capture"},
      {"match":"/{tmp,run}/**","decision":"ephemeral"},
      {"match":"/etc/machine-id","decision":"protect"}]})",
                                  explanation);
  ASSERT_TRUE(rules.ok()) << explanation;
  EXPECT_EQ(rules->decide("tmp/keep/x"), Decision::capture);
  EXPECT_EQ(rules->decide("tmp/other"), Decision::ephemeral);
  EXPECT_EQ(rules->decide("etc/machine-id"), Decision::protect);
  EXPECT_EQ(rules->decide("etc/passwd"), Decision::capture);
}

TEST(Rules, TakeNamesThatAreNoUtf8) {
  std::string explanation;
  const auto rules = Rules::parse(
      R"({"version":1,"rules":[{"match":"/\udcff\\\udcfe\ud83d\ude00","decision":"protect"}]})", explanation);
  ASSERT_TRUE(rules.ok()) << explanation;
  EXPECT_EQ(rules->decide("\xff\xfe\xf0\x9f\x98\x80"), Decision::protect);
}

TEST(Rules, ExplainWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "is not valid JSON"},
      {"{", "is not valid JSON"},
      {"[]", "is not an object"},
      {R"({"rules":[]})", "has no \"version\""},
      {R"({"version":2,"rules":[]})", "has version 2"},
      {R"({"version":"x\udcff","rules":[]})", "has version"},
      {R"({"version":[[1]],"rules":[]})", "has a version that is not a number"},
      {R"({"version":1})", "has no list"},
      {R"({"version":1,"rules":[],"extra":1})", "unknown key \"extra\""},
      {R"({"version":1,"rules":[1]})", "rule 1: is not an object"},
      {R"({"version":1,"rules":[{"match":"/a"}]})", "rule 1: has no string \"decision\""},
      {R"({"version":1,"rules":[{"match":"/a","decision":"drop"}]})", "rule 1: has the decision \"drop\""},
      {R"({"version":1,"rules":[{"match":"/a","decision":"capture"},{"match":"b","decision":"capture"}]})",
       "rule 2: pattern \"b\" does not begin with /"},
      {R"({"version":1,"rules":[{"match":"/a\u0000","decision":"capture"}]})", "rule 1: has a NUL"},
  };
  for (const auto& [text, expected] : cases) {
    std::string explanation;
    EXPECT_TRUE(Rules::parse(text, explanation).failed_with(EINVAL)) << text;
    EXPECT_NE(explanation.find(expected), std::string::npos) << text << " -> " << explanation;
  }
  const test::TemporaryDirectory root;
  std::string explanation;
  EXPECT_TRUE(Rules::load(root.path("none"), explanation).failed_with(ENOENT));
  EXPECT_EQ(explanation, "rules " + root.path("none") + ": No such file or directory");
}

TEST(JsonString, SurvivesEveryByte) {
  const auto written = [](std::string_view bytes) {
    std::string out;
    append_json_string(out, bytes);
    return out;
  };
  EXPECT_EQ(written("plain"), R"("plain")");
  EXPECT_EQ(written("\"\\\n\x01"), R"("\"\\\u000a\u0001")");
  EXPECT_EQ(written("\xc3\xa4\xff\x80"), "\"\xc3\xa4\\udcff\\udc80\"");
  EXPECT_EQ(written("\xc0\xaf"), R"("\udcc0\udcaf")") << "overlong";
  EXPECT_EQ(written("\xed\xb2\x80"), R"("\udced\udcb2\udc80")") << "a surrogate in UTF-8";
  EXPECT_EQ(written("\xf0\x9f\x98"), R"("\udcf0\udc9f\udc98")") << "cut off";
  EXPECT_EQ(written("\xf4\x90\x80\x80"), R"("\udcf4\udc90\udc80\udc80")") << "above U+10FFFF";
  EXPECT_EQ(written("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

}  // namespace
}  // namespace lamina::filter
