#include "service/json/write.h"

#include <nlohmann/json.hpp>
#include <random>

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
  CHECK(written("\xE2\x82\xAC\xF0\x9F\x98\x80") == "\"\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST_CASE("append_string replaces invalid UTF-8 and appends to what is there") {
  CHECK(written("a\xFFz") == "\"a\xEF\xBF\xBDz\"");
  CHECK(written("cut \xF0\x9F\x98") == "\"cut \xEF\xBF\xBD\"");
  std::string out = "{";
  json::append_string(out, "k");
  CHECK(out == "{\"k\"");
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
    REQUIRE(out.find_first_of("\r\n") == out.npos);
    REQUIRE(nlohmann::json::parse(out).get<std::string>() == text);
  }
}
