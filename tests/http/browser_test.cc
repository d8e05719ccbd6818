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

TEST_CASE("headers that guard every answer", "[browser]") {
  HeaderList plain;
  append_guard_headers(plain, false, parse_origin("http://relay.example"));
  CHECK(value(plain, "X-Content-Type-Options") == "nosniff");
  CHECK(value(plain, "Cross-Origin-Resource-Policy") == "same-origin");
  CHECK(value(plain, "Strict-Transport-Security") == "(none)");
  HeaderList tls;
  append_guard_headers(tls, true, parse_origin("https://relay.example"));
  CHECK(value(tls, "Strict-Transport-Security") == "max-age=31536000");
  HeaderList localhost;  // its other ports are other programs
  append_guard_headers(localhost, true, parse_origin("https://localhost:8443"));
  CHECK(value(localhost, "Strict-Transport-Security") == "(none)");
}
