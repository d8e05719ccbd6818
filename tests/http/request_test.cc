#include "service/http/request.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("the first header and query value of a name", "[request]") {
  Request request;
  request.headers = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  request.query = {{"q", "x"}, {"q", "y"}, {"e", ""}};
  CHECK(request.header("a") == "1");
  CHECK_FALSE(request.header("c"));
  CHECK(request.query_value("q") == "x");
  CHECK(request.query_value("e") == "");
  CHECK_FALSE(request.query_value("z"));
}

TEST_CASE("what Accept names", "[request]") {
  auto accepts = [](const std::string& value) {
    Request request;
    request.headers = {{"accept", value}};
    return request.accepts("text/event-stream");
  };
  CHECK(accepts("text/event-stream"));
  CHECK(accepts("application/json, Text/Event-Stream"));
  CHECK(accepts("application/json;q=0.5,text/event-stream; charset=utf-8;q=0.1"));
  CHECK(accepts("text/*"));
  CHECK(accepts("text/event-stream;q=1.000"));
  CHECK_FALSE(accepts("*/*"));
  CHECK_FALSE(accepts("application/json"));
  CHECK_FALSE(accepts("text/event-stream;q=0"));
  CHECK_FALSE(accepts("text/event-stream;q=0.000, */*"));
  CHECK_FALSE(accepts("text/*, text/event-stream;q=0"));
  CHECK_FALSE(accepts("text/event-streams"));
  CHECK_FALSE(accepts(""));
  CHECK_FALSE(Request{}.accepts("text/event-stream"));
  Request twice;
  twice.headers = {{"accept", "application/json"}, {"accept", "text/event-stream"}};
  CHECK(twice.accepts("text/event-stream"));
  CHECK(twice.accepts("application/json"));
}
