#include "service/text/ascii.h"

#include "tests/support/catch.h"

using namespace tokenrelay::text;

TEST_CASE("case and white space, of ASCII alone", "[text]") {
  CHECK(same_text("Keep-Alive", "keep-ALIVE"));
  CHECK_FALSE(same_text("a", "ab"));
  CHECK_FALSE(same_text("ab", "a"));
  CHECK(lower("AbC-1\xc3\x84") == "abc-1\xc3\x84");
  CHECK(trim(" \t a b\t ") == "a b");
  CHECK(trim(" \t ").empty());
  CHECK(trim("a\r\n") == "a\r\n");
  CHECK(strip("\r\n a b \r\n") == "a b");
  CHECK(strip("\n").empty());
  CHECK(is_digit('0'));
  CHECK_FALSE(is_digit('a'));
}
