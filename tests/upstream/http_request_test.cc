#include "service/upstream/http_request.h"

#include "tests/support/catch.h"

using namespace tokenrelay::upstream;
using Lines = std::vector<std::string>;

namespace {

const std::string asked = "req_1";

}  // namespace

TEST_CASE("what every dialect's request says, and its own beside it") {
  ProviderOptions options;
  options.api_key = "sk-1";
  CHECK(request_headers(asked, options, {{"Authorization", bearer(options)}, {"x-empty", ""}}) ==
        Lines{"Content-Type: application/json", "Accept: text/event-stream", "Authorization: Bearer sk-1",
              "Request-Id: req_1", "X-Request-Id: req_1"});
  CHECK(request_headers("", options, {}, nullptr, false) == Lines{"Accept: text/event-stream"});
  options.api_key.clear();
  CHECK(bearer(options).empty());
}

TEST_CASE("a header that the configuration sets wins, in any case") {
  ProviderOptions options;
  options.headers = {{"ACCEPT", "x/y"}, {"x-tenant", "t"}};
  CHECK(request_headers(asked, options, {{"X-Tenant", "ours"}}) == Lines{"Content-Type: application/json",
                                                                         "Request-Id: req_1", "X-Request-Id: req_1",
                                                                         "ACCEPT: x/y", "x-tenant: t"});
}

TEST_CASE("a path is joined to a base URL, whatever slashes it ends in") {
  CHECK(joined_url("http://a/v1", "/x") == "http://a/v1/x");
  CHECK(joined_url("http://a/v1//", "/x") == "http://a/v1/x");
}
