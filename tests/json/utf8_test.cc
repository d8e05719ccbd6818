#include "service/json/utf8.h"

#include "tests/support/catch.h"

namespace json = tokenrelay::json;
using Kind = json::Utf8Step::Kind;

TEST_CASE("valid_utf8 accepts every code point and nothing else") {
  std::string all;
  for (uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    std::string one;
    json::append_utf8(one, code_point);
    const json::Utf8Step step = json::utf8_step(one, 0);
    if (step.kind != Kind::valid || step.length != one.size())
      FAIL("code point " << code_point);  // a million REQUIREs are slow
    all += one;
  }
  CHECK(json::valid_utf8(all));
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "ok\xE2\x82", "\xE2\x82 ", "a plain start and then \xF0\x9F\x98"}) {
    INFO(bad);
    CHECK_FALSE(json::valid_utf8(bad));
  }
  CHECK(json::valid_utf8(""));
}

TEST_CASE("a sequence cut by the end is told from a wrong one") {
  CHECK(json::utf8_step("\xF0\x9F\x98", 0).kind == Kind::cut_short);
  CHECK(json::utf8_step("\xF0\x9F\x98", 0).length == 3);
  CHECK(json::utf8_step("\xE2x", 0).kind == Kind::invalid);
  CHECK(json::utf8_step("\xF0\x80", 0).length == 1);
}

TEST_CASE("utf8_prefix ends at a code point's end") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";  // 1 + 2 + 3 + 4 + 1 bytes
  const size_t ends[] = {0, 1, 3, 6, 10, 11};
  for (size_t max = 0; max <= text.size() + 2; ++max) {
    size_t expected = 0;
    for (const size_t end : ends)
      if (end <= max) expected = end;
    CHECK(json::utf8_prefix(text, max) == expected);
  }
}

TEST_CASE("ascii_prefix finds the first other byte at every place") {
  for (size_t at = 0; at < 40; ++at) {
    std::string text(40, 'x');
    text[at] = '\xC3';
    CHECK(json::ascii_prefix(text) == at);
  }
  CHECK(json::ascii_prefix(std::string(17, 'x')) == 17);
}
