#include "service/json/write.h"

#include <nlohmann/json.hpp>
#include <random>

#include "service/json/parse.h"
#include "service/json/utf8.h"
#include "tests/support/catch.h"

namespace json = tokenrelay::json;

static std::string written(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

TEST_CASE("append_string escapes what must be escaped") {
  CHECK(written("") == "\"\"");
  CHECK(written("plain") == "\"plain\"");
  CHECK(written("a\"b\\c\n\r\t\b\f") == R"("a\"b\\c\n\r\t\b\f")");
  CHECK(written(std::string("\0\x1F\x7F", 3)) == "\"\\u0000\\u001f\\u007f\"");
  CHECK(written("\xE2\x80\xA8|\xE2\x80\xA9") == R"("\u2028|\u2029")");
  CHECK(written("\xC2\x80\xC2\x85\xC2\x9F\xC2\xA0") == "\"\\u0080\\u0085\\u009f\xC2\xA0\"");
  CHECK(written("\xE2\x80\xA7\xE2\x80\xAA\xE2\x81\xA8\xC3\x85") == "\"\xE2\x80\xA7\xE2\x80\xAA\xE2\x81\xA8\xC3\x85\"");
  CHECK(written("\xE2\x82\xAC\xF0\x9F\x98\x80") == "\"\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST_CASE("append_string replaces invalid UTF-8 and appends to what is there") {
  CHECK(written("a\xFFz") == "\"a\xEF\xBF\xBDz\"");
  CHECK(written("cut \xF0\x9F\x98") == "\"cut \xEF\xBF\xBD\"");
  std::string out = "{";
  json::append_string(out, "k");
  CHECK(out == "{\"k\"");
}

TEST_CASE("whole objects are escaped as single strings are") {
  const unsigned seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr std::string_view pieces[] = {"a",
                                         "\x7F",
                                         "\xC2\x84",
                                         "\xC2\x85",
                                         "\xC2\xA0",
                                         "\xC3\x85",
                                         "\xE2\x80\x99",
                                         "\xE2\x80\xA8",
                                         "\xE2\x80\xA9",
                                         "\xF0\x9F\x98\x80",
                                         "\n",
                                         "\"",
                                         "0123456789",
                                         ""};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i > 0; --i) text += pieces[random() % std::size(pieces)];
    REQUIRE(json::dump({{text, text}}) == "{" + written(text) + ":" + written(text) + "}");
  }
  CHECK(json::dump({{"a", {1, nullptr, "\xFF"}}}) == "{\"a\":[1,null,\"\xEF\xBF\xBD\"]}");
}

TEST_CASE("what append_string writes reads back as the same text, on one line") {
  const unsigned seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 20; ++i) {
      uint32_t code_point = random() % (random() % 2 ? 0x80 : 0x110000);
      if (code_point >= 0xD800 && code_point < 0xE000) code_point = '"';
      json::append_utf8(text, code_point);
    }
    const std::string out = written(text);
    for (const std::string_view end : {"\r", "\n", "\x7F", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
      REQUIRE(out.find(end) == out.npos);
    }
    REQUIRE(nlohmann::json::parse(out).get<std::string>() == text);
  }
}
