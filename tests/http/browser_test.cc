#include "service/http/browser.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace tokenrelay::http;

namespace {

std::string value(const HeaderList& headers, std::string_view name) {
  auto at = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
  return at == headers.end() ? "(none)" : at->second;
}

Request from(const std::string& origin, const std::string& method = "GET") {
  Request request;
  request.method = method;
  if (!origin.empty()) request.headers.emplace_back("origin", origin);
  return request;
}

const std::string allow_origin = "Access-Control-Allow-Origin";

}  // namespace

TEST_CASE("loopback hosts", "[browser]") {
  for (const char* good : {"localhost", "LocalHost:8080", "localhost.", "localhost.:80", "127.0.0.1", "127.0.0.1:1",
                           "127.1.2.3", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]"}) {
    INFO(good);
    CHECK(is_loopback_host(good));
  }
  for (const char* bad : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1.nip.io",
                          "128.0.0.1", "0.0.0.0", "[::2]", "[::1", "[::1]x", "::1", "localhost..", "127.1"}) {
    INFO(bad);
    CHECK_FALSE(is_loopback_host(bad));
  }
}

TEST_CASE("CORS headers go to the origins that are listed", "[browser]") {
  const std::vector<std::string> listed = {"https://app.example", "http://localhost:3000"};
  auto headers = cors_headers(from("https://app.example"), listed);
  CHECK(value(headers, allow_origin) == "https://app.example");
  CHECK(value(headers, "Access-Control-Allow-Credentials") == "true");
  CHECK(value(headers, "Access-Control-Expose-Headers") ==
        "Location, Stream-Id, Request-Id, Retry-After, X-Request-Id, X-Should-Retry");
  CHECK(value(headers, "Vary") == "Origin");
  for (const char* foreign : {"https://evil.example", "https://app.example.evil", "http://app.example", "null", ""}) {
    auto none = cors_headers(from(foreign), listed);
    CHECK(none == HeaderList{{"Vary", "Origin"}});
  }
  CHECK(cors_headers(from("https://app.example"), {}).empty());
}

TEST_CASE("any origin, without credentials", "[browser]") {
  auto headers = cors_headers(from("https://whoever.example"), {"*"});
  CHECK(value(headers, allow_origin) == "*");
  CHECK(value(headers, "Access-Control-Allow-Credentials") == "(none)");
  CHECK(value(headers, "Vary") == "(none)");
  CHECK(cors_headers(from(""), {"*"}).empty());
}

TEST_CASE("preflights", "[browser]") {
  const std::vector<std::string> listed = {"https://app.example"};
  Request request = from("https://app.example", "OPTIONS");
  CHECK_FALSE(preflight(request, listed));  // OPTIONS alone is none
  request.headers.emplace_back("access-control-request-method", "POST");
  auto reply = preflight(request, listed);
  REQUIRE(reply);
  CHECK(reply->status == 204);
  CHECK(value(reply->headers, "Access-Control-Allow-Headers") == "Last-Event-ID");
  CHECK(value(reply->headers, "Access-Control-Allow-Methods").find("DELETE") != std::string::npos);
  CHECK(value(reply->headers, "Access-Control-Max-Age") == "600");
  request.headers.emplace_back("access-control-request-headers", "content-type, x-a,bad name,authorization");
  CHECK(value(preflight(request, listed)->headers, "Access-Control-Allow-Headers") ==
        "content-type, x-a, authorization, Last-Event-ID");
  request.headers.back().second = "last-event-id";
  CHECK(value(preflight(request, listed)->headers, "Access-Control-Allow-Headers") == "last-event-id");
  CHECK(preflight(request, {"*"}));
  CHECK_FALSE(preflight(request, {}));
  CHECK_FALSE(preflight(request, {"https://other.example"}));
}
