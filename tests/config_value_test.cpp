// Values, strict parsing, canonical text, durations, schedules, spelling and SHA-256.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/sha256.h"
#include "core/base/spelling.h"
#include "core/config/duration.h"
#include "core/config/parse.h"
#include "core/config/scalar.h"
#include "core/config/value.h"

namespace latent {
namespace {

std::string message_of(const std::string& text) {
  try {
    return "read as " + to_flow(parse_yaml(text, "f.yaml"));
  } catch (const UserError& e) {
    return e.what();
  }
}

TEST(ConfigValue, ReadsScalars) {
  const Value v = parse_yaml(
      "{a: true, b: 12, c: -0.5, d: 1e-4, e: text, f: '12', g: no, h: ~, i: .5, j: +3, k: 1.}",
      "f");
  EXPECT_EQ(to_flow(v),
            "{a: true, b: 12, c: -0.5, d: 1.0e-4, e: text, f: \"12\", g: \"no\", h: null, i: 0.5, "
            "j: 3, k: 1.0}");
  EXPECT_TRUE(v.at("a").as_bool());
  EXPECT_EQ(v.at("b").as_int(), 12);
  EXPECT_EQ(v.at("b").as_real(), 12.0);
  EXPECT_EQ(v.at("e").as_string(), "text");
  EXPECT_TRUE(v.at("e").is("text"));
  EXPECT_EQ(v.find("z"), nullptr);
  EXPECT_THROW(v.at("z"), UserError);
  EXPECT_THROW(v.at("e").as_int(), UserError);
}

TEST(ConfigValue, MarksSayWhereANodeWasWritten) {
  const Value v = parse_yaml("a:\n  b: [1, {c: 2}]\n", "f.yaml");
  EXPECT_EQ(to_string(v.at("a").at("b").list()[1].at("c").mark()), "f.yaml:2:14");
  EXPECT_EQ(to_string(v.entries()[0].mark), "f.yaml:1:1");
  EXPECT_EQ(to_string(parse_override_text("3", "--set a.b").mark()), "--set a.b");
}

TEST(ConfigValue, AnchorsAreCopied) {
  EXPECT_EQ(to_flow(parse_yaml("a: &x [1, 2]\nb: *x\n", "f")), "{a: [1, 2], b: [1, 2]}");
}

TEST(ConfigValue, RefusesWhatYamlReadersDisagreeAbout) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: is given twice, first in line 1"},
      {"x: {c: {k: 1, k: 2}}", "f.yaml:1:15: k: is given twice"},
      {"a: &b {c: 1}\nd: {<<: *b}\n", "f.yaml:2:5: merge keys (<<) are not read"},
      {"a: 010", "f.yaml:1:4: `010` is not the same number in every version of YAML"},
      {"a: 0x1F", "`0x1F` is not the same number"},
      {"a: -0o7", "`-0o7` is not the same number"},
      {"a:\n\tb: 1\n", "f.yaml:2:1: a tab in the indentation"},
      {"a: [1, 2", "f.yaml:1:1: not YAML: end of sequence flow not found"},
      {"a: {b: 1\nc: 2", "not YAML"},
      {"a: b: c", "f.yaml:1:5: not YAML: illegal map value"},
      {"a: 'x", "not YAML: illegal EOF in scalar"},
      {"a: *nowhere", "f.yaml:1:4: not YAML: the referenced anchor is not defined"},
      {"a: &x [*x]", "an alias within the very value"},
      {"a: 1\n b: 2", "f.yaml:2:3: not YAML"},
      {"a: 1\n---\nb: 2", "a second document"},
      {"a: !!int 3", "f.yaml:1:4: tags are not read"},
      {"? [1]\n: 2", "f.yaml:1:3: a list or map in the place of a key"},
      {"~: 2", "an empty key"},
      {"a: 1e999", "`1e999` is too large or too small"},
      {"a: 99999999999999999999", "is too large or too small"},
      {"a: 1\nb: \xff", "f.yaml: line 2: is not text in UTF-8"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_NE(message_of(text).find(expected), std::string::npos)
        << text << "\ngave: " << message_of(text);
}

TEST(ConfigValue, SurvivesNestingAndAliasBombs) {
  EXPECT_NE(message_of(std::string(5000, '[')).find("f.yaml"), std::string::npos);
  std::string blocks, bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 0; i < 3000; ++i) blocks += "- ";
  EXPECT_NE(message_of(blocks).find("not YAML"), std::string::npos);
  for (int i = 1; i < 12; ++i) {
    bomb += cat("a", i, ": &a", i, " [");
    for (int k = 0; k < 10; ++k) bomb += cat(k ? ", " : "", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(message_of(bomb).find("aliases make this file too large"), std::string::npos);
}

TEST(ConfigValue, TextReadsBackAsTheSameValue) {
  Value tree = Value::make_map();
  Value list = Value::make_list();
  for (const char* text :
       {"plain",       "10 epochs",   "5 %",     "true",   "no", "y",    "null",  "~",
        "12",          "1e3",         "010",     "0x1F",   "",   " x",   "x ",    "a: b",
        "a #b",        "[x]",         "{",       "- x",    "?",  "*a",   "&a",    "!t",
        "%d",          "@",           "`",       "'",      "\"", "a\nb", "tab\t", "caf\xc3\xa9",
        "back\\slash", "mnist/a.npz", "$HOME/x", "cuda:1", ",",  "#",    "-",     ".inf",
        "<<",          "\x01"})
    list.list().push_back(text);
  for (double real : {0.0, -0.5, 1e-4, 1e300, 5e-324, 0.1, 123456789.0, 1e22,
                      std::numeric_limits<double>::infinity()})
    list.list().push_back(real);
  list.list().push_back(int64_t{-9223372036854775807});
  list.list().push_back(Value::make_map());
  list.list().push_back(Value::make_list());
  tree.set("list", list);
  tree.set("yes", Value(true)).set_mark({"elsewhere", 1, 1});
  tree.set("12", Value());
  Value nested = Value::make_map();
  nested.set("inner", list);
  tree.set("map", nested);
  Value outer = Value::make_list({nested, list, Value::make_list({nested, list})});
  tree.set("maps", outer);
  EXPECT_EQ(parse_yaml(to_yaml(tree), "f"), tree) << to_yaml(tree);
  EXPECT_EQ(parse_yaml(to_flow(tree), "f"), tree);
  EXPECT_EQ(hash_of(parse_yaml(to_yaml(tree), "f")), hash_of(tree));
}

TEST(ConfigValue, IntegersAndRealsDiffer) {
  EXPECT_NE(Value(1), Value(1.0));
  EXPECT_EQ(to_flow(Value(1.0)), "1.0");
  EXPECT_EQ(real_text(1e-5), "1.0e-5");
  EXPECT_EQ(real_text(1e-10), "1.0e-10");
  EXPECT_EQ(real_text(2.5e-8), "2.5e-8");
}

TEST(ConfigValue, JsonKeepsTheOrder) {
  EXPECT_EQ(to_json(parse_yaml("{b: 1, a: [true, 0.5, x, ~]}", "f")).dump(),
            R"({"b":1,"a":[true,0.5,"x",null]})");
}

TEST(ConfigValue, Durations) {
  using Unit = Duration::Unit;
  EXPECT_EQ(parse_duration("10 epochs"), (Duration{Unit::epochs, 10}));
  EXPECT_EQ(parse_duration("1 epoch"), (Duration{Unit::epochs, 1}));
  EXPECT_EQ(parse_duration("0.5 epochs"), (Duration{Unit::epochs, 0.5}));
  EXPECT_EQ(parse_duration("5 %"), (Duration{Unit::percent, 5}));
  EXPECT_EQ(parse_duration("5%"), (Duration{Unit::percent, 5}));
  for (const char* text : {"", "epochs", "10", "10epochs", "10  epochs", "10 steps", "010 epochs",
                           "1 e", "ten epochs", "5 % x", "%"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  EXPECT_EQ(as_duration(Value(500)), (Duration{Unit::steps, 500}));
  EXPECT_THROW(as_duration(Value(0.5)), UserError);
  EXPECT_EQ(to_value(*parse_duration("1 epoch")), Value("1 epochs"));
  EXPECT_EQ(to_value(*parse_duration("2.5%")), Value("2.5 %"));
  EXPECT_EQ((Duration{Unit::steps, 500}).steps(214.8, 1000), 500);
  EXPECT_EQ((Duration{Unit::epochs, 10}).steps(55000.0 / 256, 100000), 2149);
  EXPECT_EQ((Duration{Unit::epochs, 3}).steps(10, 100), 30);
  EXPECT_EQ((Duration{Unit::percent, 10}).steps(10, 100), 10);
}

TEST(Spelling, DistanceAndNearest) {
  EXPECT_EQ(edit_distance("model", "modle"), 1);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  const std::string names[] = {"dense", "gaussian", "topk", "l1", "lp"};
  EXPECT_EQ(nearest_spelling("dnese", names), "dense");
  EXPECT_EQ(nearest_spelling("gausian", names), "gaussian");
  EXPECT_EQ(nearest_spelling("l2", names), "l1");
  EXPECT_EQ(nearest_spelling("convolution", names), "");
}

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesDoNotMatter) {
  for (size_t length : {1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 200}) {
    const std::string text(length, 'x');
    Sha256 hash;
    for (size_t i = 0; i < length; i += 7) hash.update(std::string_view(text).substr(i, 7));
    EXPECT_EQ(hash.hex(), sha256_hex(text)) << length;
    EXPECT_EQ(hash.hex(), sha256_hex(text)) << "asking twice, " << length;
  }
}

}  // namespace
}  // namespace latent
