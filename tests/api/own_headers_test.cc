// What of a client's head goes up, and that no credential does.
#include "service/api/own_headers.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using api::headers_up;
using api::query_up;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

http::Request with_headers(Pairs headers) {
  http::Request request;
  request.headers = std::move(headers);
  return request;
}

}  // namespace

TEST_CASE("headers that SDKs send to their own provider go up") {
  CHECK(headers_up(with_headers({{"anthropic-beta", "a"},
                                 {"user-agent", "x"},
                                 {"anthropic-beta", "b"},
                                 {"openai-organization", "org"},
                                 {"x-codex-turn", "1"},
                                 {"session_id", "s"},
                                 {"x-title", ""}}),
                   {}) ==
        Pairs{{"anthropic-beta", "a, b"}, {"openai-organization", "org"}, {"x-codex-turn", "1"}, {"session_id", "s"}});
}

TEST_CASE("a configured name goes up, in any case") {
  CHECK(headers_up(with_headers({{"x-team", "chat"}, {"x-other", "o"}}), {"X-Team"}) == Pairs{{"x-team", "chat"}});
}

TEST_CASE("no credential goes up, whatever is configured") {
  const Pairs secrets = {{"authorization", "Bearer k"}, {"x-api-key", "k"},        {"api-key", "k"},
                         {"x-goog-api-key", "k"},       {"cookie", "a=b"},         {"proxy-authorization", "k"},
                         {"x-tokenrelay-key", "k"},     {"anthropic-api-key", "k"}};
  std::vector<std::string> all;
  for (const auto& [name, value] : secrets) all.push_back(name);
  CHECK(headers_up(with_headers(secrets), all).empty());
}

TEST_CASE("the query goes up, without what the relay reads and without credentials") {
  http::Request request;
  request.query = {{"beta", "true"}, {"alt", "sse"}, {"key", "secret"}, {"access_token", "t"}, {"a b", "c&d=é"}};
  CHECK(query_up(request) == "beta=true&a%20b=c%26d%3D%C3%A9");
  CHECK(query_up({}).empty());
}
