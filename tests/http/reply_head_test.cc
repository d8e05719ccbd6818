#include "service/http/reply_head.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("dates", "[reply_head]") {
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(1'795'248'000'123) == "Sat, 21 Nov 2026 08:00:00 GMT");
  CHECK(http_date(1'795'248'000'999) == "Sat, 21 Nov 2026 08:00:00 GMT");
  CHECK(http_date(1'795'248'001'000) == "Sat, 21 Nov 2026 08:00:01 GMT");
}

TEST_CASE("a whole head", "[reply_head]") {
  Reply reply;
  reply.status = 201;
  reply.headers = {{"Location", "/v1/streams/s"}};
  reply.body = "{}";
  reply.content_type = "application/json";
  CHECK(reply_head(reply, {{"Request-Id", "r1"}}, 0, "close") ==
        "HTTP/1.1 201 Created\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nRequest-Id: r1\r\nLocation: /v1/streams/s\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
  reply = {};
  reply.status = 204;
  CHECK(reply_head(reply, {}, 0, "") == "HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n");
}

TEST_CASE("no value can split a response", "[reply_head]") {
  std::string out;
  append_header(out, "Location", "/a\r\nSet-Cookie: x");
  append_header(out, "Bad Name", "x");
  append_header(out, "A\r\nB", "x");
  append_header(out, "X", std::string("a\0b", 3));
  CHECK(out.empty());
  append_header(out, "X", "fine");
  CHECK(out == "X: fine\r\n");
}
