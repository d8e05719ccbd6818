// Where a request goes and what is sent there.
#include "service/client/request_head.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using client::HttpRequest;

namespace {

std::string text_of(const std::string& url, std::vector<std::string> headers = {}) {
  HttpRequest request;
  request.url = url;
  request.headers = std::move(headers);
  request.body = std::make_shared<std::string>("{}");
  return client::request_head(request, *client::parse_target(url));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("a request's bytes") {
  CHECK(text_of("http://Example.com/v1/chat?a=b#c", {"Content-Type: application/json"}) ==
        "POST /v1/chat?a=b HTTP/1.1\r\nHost: Example.com\r\nUser-Agent: tokenrelay\r\nAccept: */*\r\n"
        "Accept-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n");
  const std::string text =
      text_of("https://[::1]:8443", {"accept: text/event-stream", "Content-Length: 7", "host: x", "X: a\r\nY: b",
                                     "Empty:", "no colon", "Transfer-Encoding: x"});
  CHECK(contains(text, "POST / HTTP/1.1\r\nHost: [::1]:8443\r\nUser-Agent"));
  CHECK(contains(text, "accept: text/event-stream\r\n"));
  CHECK(contains(text, "Content-Length: 2\r\n"));
  for (const char* gone : {"*/*", "Length: 7", "host: x", "Y: b", "Empty", "no colon", "Transfer"}) {
    INFO(gone);
    CHECK_FALSE(contains(text, gone));
  }
  HttpRequest get;
  get.method = HttpRequest::Method::get;
  CHECK_FALSE(contains(client::request_head(get, *client::parse_target("http://x/")), "Content-Length"));
}

TEST_CASE("where a URL leads") {
  const auto target = client::parse_target("https://API.example.com/v1/x?y=z");
  REQUIRE(target);
  CHECK(target->origin.tls);
  CHECK(target->origin.host == "api.example.com");
  CHECK(contains(target->origin.connect_url, ":443/"));
  CHECK(target->path == "/v1/x?y=z");
  CHECK(client::parse_target("http://[::1]:8000/")->origin.host == "::1");
  CHECK(client::parse_target("http://h:80/")->origin == client::parse_target("http://h/x")->origin);
  CHECK_FALSE(client::parse_target("http://h/")->origin == client::parse_target("https://h:80/")->origin);
  for (const char* none : {"", "ftp://h/", "file:///etc/passwd", "h", "http://", "http://h:x/", "http://h h/"}) {
    INFO(none);
    CHECK_FALSE(client::parse_target(none));
  }
}
