#include "service/api/request_parts.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::api;

namespace {

http::Request request(std::vector<std::pair<std::string, std::string>> headers,
                      std::vector<std::pair<std::string, std::string>> query = {}) {
  http::Request request;
  request.headers = std::move(headers);
  request.query = std::move(query);
  return request;
}

}  // namespace

TEST_CASE("the cursor: the header wins over the query, empty is none", "[request_parts]") {
  const std::string a = "aaaaaaaaaa-1", b = "bbbbbbbbbb-2";
  CHECK_FALSE(read_cursor(request({})).value());
  CHECK((*read_cursor(request({{"last-event-id", a}})).value()).run == "aaaaaaaaaa");
  CHECK((*read_cursor(request({}, {{"last_event_id", b}})).value()).seq == 2);
  CHECK((*read_cursor(request({{"last-event-id", a}}, {{"last_event_id", b}})).value()).seq == 1);
  CHECK((*read_cursor(request({{"last-event-id", ""}}, {{"last_event_id", b}})).value()).seq == 2);
  CHECK_FALSE(read_cursor(request({{"last-event-id", ""}}, {{"last_event_id", ""}})).value());
}

TEST_CASE("a malformed cursor says which one it was", "[request_parts]") {
  CHECK(read_cursor(request({{"last-event-id", "x"}})).error() == "the Last-Event-ID header is not an event id");
  CHECK(read_cursor(request({}, {{"last_event_id", "x"}})).error() ==
        "the query parameter last_event_id is not an event id");
  CHECK_FALSE(read_cursor(request({{"last-event-id", "x"}}, {{"last_event_id", "bbbbbbbbbb-2"}})));  // never guessed
}

TEST_CASE("coalesce is 0 or 1", "[request_parts]") {
  CHECK(read_coalesce(request({})).value());
  CHECK(read_coalesce(request({}, {{"coalesce", "1"}})).value());
  CHECK_FALSE(read_coalesce(request({}, {{"coalesce", "0"}})).value());
  for (const char* bad : {"", "2", "true", "00", "0 "}) CHECK_FALSE(read_coalesce(request({}, {{"coalesce", bad}})));
}

TEST_CASE("what is plain JSON in UTF-8", "[request_parts]") {
  CHECK_FALSE(not_json(request({{"content-type", "Application/JSON; charset=utf-8"}})));
  CHECK_FALSE(not_json(request({{"content-type", "application/json; charset=\"UTF-8\""}})));
  CHECK_FALSE(not_json(request({{"content-type", "application/json \t;x"}})));
  CHECK_FALSE(not_json(request({{"content-type", "application/json"}, {"content-encoding", "Identity"}})));
  CHECK(not_json(request({{"content-type", "text/plain"}})));
  CHECK(not_json(request({{"content-type", "application/json; charset=latin1"}})));
  CHECK(not_json(request({{"content-type", "application/json"}, {"content-encoding", "gzip"}})));
  CHECK(not_json(request({})));
}

TEST_CASE("sha256 of the raw bytes (FIPS 180-2, appendix B.1)", "[request_parts]") {
  const std::string digest = sha256("abc");
  REQUIRE(digest.size() == 32);
  CHECK(static_cast<unsigned char>(digest[0]) == 0xba);
  CHECK(static_cast<unsigned char>(digest[31]) == 0xad);
  CHECK(sha256(std::string_view("a\0b", 3)) != sha256("a"));
}
