// The page at "/" and its files, embedded in the binary.
#include "service/api/api.h"
#include "service/web/assets.h"

namespace tokenrelay::api {
namespace {

// `.` is the only character in our paths that has a meaning in a pattern.
std::string literal(std::string_view path) {
  std::string out;
  for (const char c : path) out += c == '.' ? std::string("\\.") : std::string(1, c);
  return out;
}

http::Reply serve(const web::Asset& asset, const http::Request& request) {
  http::HeaderList headers = {{"Content-Security-Policy", std::string(web::content_security_policy)},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cache-Control", "no-cache"},
                              {"ETag", std::string(asset.etag)}};
  if (request.header("if-none-match") == asset.etag) return http::Reply{304, std::move(headers), "", ""};
  return http::Reply{200, std::move(headers), std::string(asset.bytes), std::string(asset.content_type)};
}

}  // namespace

void add_page_routes(http::Router& router) {
  for (const auto& asset : web::assets()) {
    router.add("GET", literal(asset.path), std::string(asset.path),
               [&asset](const http::Request& request) -> http::Outcome { return serve(asset, request); });
  }
}

}  // namespace tokenrelay::api
