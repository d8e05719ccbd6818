#include "service/http/grammar.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("tokens and field values", "[text]") {
  CHECK(is_token("X-Forwarded-For"));
  CHECK(is_token("!#$%&'*+-.^_`|~09azAZ"));
  for (const char* bad : {"", "a b", "a:", "\"a\"", "a/b", "(a)", "\xc3\xa9", "a\t"}) CHECK_FALSE(is_token(bad));
  CHECK(is_field_value("a b\tc \xc3\xa9"));
  CHECK_FALSE(is_field_value("a\r\nb"));
  CHECK_FALSE(is_field_value(std::string_view("a\0b", 3)));
  CHECK_FALSE(is_field_value("\x7f"));
}

TEST_CASE("case, trimming, lists", "[text]") {
  CHECK(same_text("Keep-Alive", "keep-ALIVE"));
  CHECK_FALSE(same_text("a", "ab"));
  CHECK(lower("AbC-1") == "abc-1");
  CHECK(trim(" \t a b \t ") == "a b");
  CHECK(trim(" \t ").empty());
  std::string_view list = " a , b;q=1,, c";
  CHECK(next_of(list) == "a");
  CHECK(next_of(list) == "b;q=1");
  CHECK(next_of(list).empty());
  CHECK(next_of(list) == "c");
  CHECK(list.empty());
}
