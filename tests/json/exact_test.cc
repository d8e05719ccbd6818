// JSON read and written without a loss.
#include "service/json/exact.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using json::dump_exact;
using json::parse_exact;

TEST_CASE("exact: numbers keep their characters, members their order") {
  for (const char* text :
       {R"({"z":12345678901234567890123,"a":1.0,"b":1e-400,"c":-0,"d":1E+2,"e":18446744073709551615,"f":-7,"g":7})",
        R"([[],{},null,true,false,"",[1.50]])", "1.10", "\"x\""}) {
    INFO(text);
    const auto value = parse_exact(text);
    REQUIRE(value);
    CHECK(dump_exact(*value) == text);
  }
}

TEST_CASE("exact: halves of a character that come together are one, others are replaced") {
  auto first = parse_exact(R"({"t":"a\ud83d"})");
  const auto second = parse_exact(R"({"t":"\ude00b"})");
  REQUIRE((first && second));
  CHECK(dump_exact(*first) == "{\"t\":\"a\xef\xbf\xbd\"}");
  (*first)["t"].get_ref<std::string&>() += (*second)["t"].get_ref<const std::string&>();
  CHECK(dump_exact(*first) ==
        "{\"t\":\"a\xf0\x9f\x98\x80"
        "b\"}");
}

TEST_CASE("exact: broken and too deep text gives nothing; of two members of one name the last counts") {
  for (const char* text : {"", "{", "{\"a\":}", "1 2", "[1,]"}) CHECK_FALSE(parse_exact(text));
  CHECK_FALSE(parse_exact(std::string(1000, '[') + std::string(1000, ']')));
  CHECK(dump_exact(parse_exact(R"({"a":1,"b":2,"a":3})").value()) == R"({"a":3,"b":2})");
}
