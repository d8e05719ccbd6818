#include "service/http/percent.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("decoding", "[percent]") {
  CHECK(percent_decode("a%2Fb%20c+d") == "a/b c+d");
  CHECK(percent_decode("%E2%82%ac") == "\xe2\x82\xac");
  CHECK(percent_decode("%252F") == "%2F");  // once, not twice
  CHECK(percent_decode("100%") == "100%");
  CHECK(percent_decode("%4") == "%4");
  CHECK(percent_decode("%zz%41") == "%zzA");
}

TEST_CASE("well encoded paths", "[percent]") {
  CHECK(well_encoded("/a%2fb"));
  CHECK(well_encoded("/"));
  for (const char* bad : {"/%", "/%4", "/%zz", "/%0", "/%00", "/a%"}) CHECK_FALSE(well_encoded(bad));
}

TEST_CASE("normal paths", "[percent]") {
  CHECK(normalise_path("/v1/%73tream%73/%7e%2fa%e9") == "/v1/streams/~%2Fa%E9");
  CHECK(normalise_path("/%2573") == "/%2573");
}

TEST_CASE("queries", "[percent]") {
  CHECK(parse_query("") == Pairs{});
  CHECK(parse_query("a=1&b=2") == Pairs{{"a", "1"}, {"b", "2"}});
  CHECK(parse_query("a=1=2&&=x&c&a=%26+%2B") == Pairs{{"a", "1=2"}, {"", "x"}, {"c", ""}, {"a", "& +"}});
  CHECK(parse_query("a=%zz%") == Pairs{{"a", "%zz%"}});
}
