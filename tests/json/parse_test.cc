#include "service/json/parse.h"

#include <chrono>

#include "tests/support/catch.h"

namespace json = tokenrelay::json;

static std::string error_of(std::string_view text, int depth = 64) {
  const auto value = json::parse(text, depth);
  return value ? "accepted" : value.error().message;
}

TEST_CASE("parse keeps values, types and the order of members") {
  const auto value = json::parse(R"( {"b":[1,-2,3.5,true,null,"\ud83d\ude00é"],"a":{}} )");
  REQUIRE(value);
  CHECK(json::dump(*value) == "{\"b\":[1,-2,3.5,true,null,\"\xF0\x9F\x98\x80é\"],\"a\":{}}");
  CHECK(json::parse("12")->is_number_unsigned());
}

TEST_CASE("parse says where and what, without the content") {
  CHECK(error_of("{\"secret\" 1}") == "line 1, column 12: unexpected number literal; expected ':'");
  CHECK(error_of("{\n  \"a\": 1,\n  \"b\": tru\n}").substr(0, 7) == "line 3,");
  CHECK(error_of("{\"a\":\"secret").find("secret") == std::string::npos);
  CHECK(error_of("[1,2] x").substr(0, 17) == "line 1, column 7:");
  CHECK(error_of("{\"a\":1,\"a\":2}") == "line 1, column 10: duplicate key in an object");
  CHECK(error_of("").substr(0, 17) == "line 1, column 1:");
}

TEST_CASE("parse refuses what RFC 8259 does not know") {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "[1,]",
                          "{\"a\":1,}",
                          "{a:1}",
                          "'a'",
                          "01",
                          "+1",
                          ".5",
                          "1.",
                          "NaN",
                          "nul",
                          "// c\n1",
                          "\"\\x\"",
                          "\"a\tb\"",
                          "\"\\ud83d\"",
                          "\"\\ude00\\ud83d\"",
                          "\"\xFF\"",
                          "\"\xED\xA0\x80\"",
                          "1 2",
                          "{\"a\":1}{}"}) {
    INFO(bad);
    CHECK_FALSE(json::parse(bad).has_value());
  }
  CHECK_FALSE(json::parse(std::string_view("{}\0{", 4)).has_value());
  CHECK(error_of("1e999") == "line 1, column 5: number out of range");
}

TEST_CASE("parse bounds the depth, and only the depth") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(json::parse(nested(64)).has_value());
  CHECK(error_of(nested(65)) == "line 1, column 65: nested deeper than 64");
  CHECK_FALSE(json::parse(std::string(200 << 10, '[')).has_value());
  CHECK(json::parse(nested(3), 3).has_value());
  CHECK_FALSE(json::parse(nested(4), 3).has_value());
}

TEST_CASE("a hundred thousand keys in one object are read in linear time") {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  text.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  const auto value = json::parse(text);
  REQUIRE(value);
  CHECK(value->size() == 100'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));  // quadratic takes over a minute
}

TEST_CASE("more values than allowed are refused where the first of them begins") {
  const json::Limits ten(64, 10);
  CHECK(json::parse("[1,2,3,4,5,6,7,8,9]", ten));  // the array counts
  CHECK(json::parse(R"({"a":[1,{"b":null}],"c":"","d":true,"e":2,"f":[]})", ten));
  const auto over = json::parse("[1,2,3,4,5,6,7,8,9,0]", ten);
  REQUIRE_FALSE(over);
  CHECK(over.error().message == "line 1, column 21: more than 10 values");
  std::string arrays = "[";
  for (int i = 0; i < 200'000; ++i) arrays += "[],";
  arrays.back() = ']';
  CHECK(json::parse(arrays));
  CHECK_FALSE(json::parse(arrays, {64, 100'000}));
}

TEST_CASE("dump never throws") {
  CHECK(json::dump(json::Value("a\xFF")) == "\"a\xEF\xBF\xBD\"");
}

TEST_CASE("a member's text, or nothing where there is none") {
  const json::Value object = {{"a", "text"}, {"b", 1}, {"c", ""}};
  CHECK(json::word(object, "a") == "text");
  CHECK(json::word(object, "b").empty());
  CHECK(json::word(object, "c").empty());
  CHECK(json::word(object, "d").empty());
  CHECK(json::word(json::Value::array({"a"}), "a").empty());
  CHECK(json::word(json::Value(), "a").empty());
}
