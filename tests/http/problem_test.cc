#include "service/http/problem.h"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("a problem says everything once", "[problem]") {
  Reply reply = problem(Code::rate_limited, "too many \"streams\"\n", "r1", 7);
  CHECK(reply.status == 429);
  CHECK(reply.content_type == "application/problem+json");
  CHECK(reply.headers == HeaderList{{"Retry-After", "7"}});
  auto body = nlohmann::json::parse(reply.body);
  CHECK(body["status"] == 429);
  CHECK(body["code"] == "rate_limited");
  CHECK(body["title"] == "Rate limited");
  CHECK(body["detail"] == "too many \"streams\"\n");
  CHECK(body["request_id"] == "r1");
  CHECK(body["type"].get<std::string>().ends_with("rate_limited"));
  CHECK(body.size() == 6);
}

TEST_CASE("bytes that are no UTF-8 cannot break it", "[problem]") {
  Reply reply = problem(Code::invalid_request, "field \"\xff\xfe\"", "r1");
  CHECK(nlohmann::json::accept(reply.body));
  CHECK(reply.headers.empty());
}

TEST_CASE("every code has its row", "[problem]") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Code::version_not_supported); ++i) {
    auto code = static_cast<Code>(i);
    CHECK(status_of(code) >= 400);
    CHECK(status_of(code) < 600);
    CHECK_FALSE(title_of(code).empty());
    names.insert(name_of(code));
  }
  CHECK(names.size() == static_cast<size_t>(Code::version_not_supported) + 1);
  CHECK(status_of(Code::invalid_request) == 400);
  CHECK(status_of(Code::gone) == 410);
  CHECK(status_of(Code::misdirected) == 421);
  CHECK(status_of(Code::head_too_large) == 431);
  CHECK(status_of(Code::request_timeout) == 408);
  CHECK(status_of(Code::log_unavailable) == 503);
}
