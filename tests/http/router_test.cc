#include "service/http/router.h"

#include <stdexcept>

#include "tests/support/catch.h"

using namespace tokenrelay::http;

namespace {

Handler says(std::string text) {
  return [text = std::move(text)](const Request& request) -> Outcome {
    Reply reply;
    reply.body = text;
    for (const auto& capture : request.captures) reply.body += "|" + capture;
    return reply;
  };
}

struct Fixture {
  Router router;
  Request request;

  Fixture() {
    router.add("GET", R"(/v1/streams/([^/]+)/events)", "/v1/streams/{id}/events", says("events"));
    router.add("GET", "/v1/streams", "/v1/streams", says("list"));
    router.add("POST", "/v1/streams", "/v1/streams", says("create"));
    router.add("GET", R"(/v1/streams/([^/]+))", "/v1/streams/{id}", says("state"));
    router.add("DELETE", R"(/v1/streams/([^/]+))", "/v1/streams/{id}", says("delete"));
    router.add("PUT", R"(/v1/(a+)/(b*))", "/v1/two", says("two"));
    router.add("GET", "/throws", "/throws", [](const Request&) -> Outcome { throw std::runtime_error("a secret"); });
    router.add("GET", "/throws-int", "/throws-int", [](const Request&) -> Outcome { throw 5; });
  }

  Reply ask(const std::string& method, const std::string& path) {
    request = {};
    request.method = method;
    request.path = path;
    request.request_id = "r1";
    Outcome outcome = router.dispatch(request);
    REQUIRE(std::holds_alternative<Reply>(outcome));
    return std::get<Reply>(std::move(outcome));
  }

  std::string allow(const Reply& reply) {
    for (const auto& [name, value] : reply.headers) {
      if (name == "Allow") return value;
    }
    return "(none)";
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "routes by method and path", "[router]") {
  CHECK(ask("GET", "/v1/streams").body == "list");
  CHECK(request.route == "/v1/streams");
  CHECK(ask("POST", "/v1/streams").body == "create");
  CHECK(ask("GET", "/v1/streams/strm_1").body == "state|strm_1");
  CHECK(request.route == "/v1/streams/{id}");
  CHECK(ask("DELETE", "/v1/streams/strm_1").body == "delete|strm_1");
  CHECK(ask("GET", "/v1/streams/strm_1/events").body == "events|strm_1");
  CHECK(ask("PUT", "/v1/aa/b").body == "two|aa|b");
  CHECK(ask("PUT", "/v1/a/").body == "two|a|");
}

TEST_CASE_METHOD(Fixture, "HEAD is served by the GET handler, which sees the method", "[router]") {
  CHECK(ask("HEAD", "/v1/streams").body == "list");
  CHECK(request.method == "HEAD");
}

TEST_CASE_METHOD(Fixture, "an encoded slash is no border", "[router]") {
  CHECK(ask("GET", "/v1/streams/a%2Fevents").body == "state|a/events");
  CHECK(ask("GET", "/v1/streams/a%252Fevents").body == "state|a%2Fevents");
  CHECK(ask("GET", "/v1/streams/a%25").body == "state|a%");
  CHECK(ask("GET", "/v1/streams/%E2%82%AC+%41").body == "state|\xe2\x82\xac+A");
  CHECK(ask("GET", "/v1/%73treams").body == "list");
  CHECK(ask("GET", "/v1%2Fstreams").status == 404);
  CHECK(ask("GET", "/v1/streams/%u0041").body == "state|%u0041");  // httplib would decode this
}

TEST_CASE_METHOD(Fixture, "404 and 405", "[router]") {
  Reply missing = ask("GET", "/nothing");
  CHECK(missing.status == 404);
  CHECK(missing.content_type == "application/problem+json");
  CHECK(missing.body.find("\"r1\"") != std::string::npos);
  CHECK(request.route.empty());
  CHECK(ask("GET", "*").status == 404);
  CHECK(ask("GET", "/v1/streams/").status == 404);
  CHECK(ask("GET", "/V1/streams").status == 404);
  Reply other = ask("DELETE", "/v1/streams");
  CHECK(other.status == 405);
  CHECK(allow(other) == "GET, HEAD, POST");
  CHECK(allow(ask("POST", "/v1/streams/x")) == "GET, HEAD, DELETE");
  for (const char* method : {"OPTIONS", "TRACE", "BREW", "PATCH", "get", "PRI"}) {
    INFO(method);
    CHECK(ask(method, "/v1/streams").status == 405);
    CHECK(ask(method, "/nothing").status == 404);
  }
}

TEST_CASE_METHOD(Fixture, "what a handler throws is told to nobody", "[router]") {
  for (const char* path : {"/throws", "/throws-int"}) {
    Reply reply = ask("GET", path);
    CHECK(reply.status == 500);
    CHECK(reply.body.find("secret") == std::string::npos);
    CHECK(reply.body.find("internal") != std::string::npos);
    for (const auto& [name, value] : reply.headers) CHECK(value.find("secret") == std::string::npos);
  }
  CHECK(ask("GET", "/v1/streams").body == "list");  // and the router goes on
}

TEST_CASE_METHOD(Fixture, "nothing of the client's but the path reaches httplib", "[router]") {
  // A form body over 8 KiB is httplib's 413, a multipart body is parsed by it, REMOTE_ADDR is believed.
  request.method = "POST";
  request.path = "/v1/streams";
  request.body = std::string(20'000, 'x');
  request.headers = {{"content-type", "application/x-www-form-urlencoded"},
                     {"remote_addr", "6.6.6.6"},
                     {"range", "bytes=0-1"},
                     {"accept-encoding", "br"},
                     {"content-encoding", "br"}};
  Outcome outcome = router.dispatch(request);
  CHECK(std::get<Reply>(outcome).body == "create");
  CHECK(request.body.size() == 20'000);
}

TEST_CASE_METHOD(Fixture, "a path at its limit, every byte encoded", "[router]") {
  std::string path = "/v1/streams/";
  while (path.size() + 3 <= 1024) path += "%2F";
  CHECK(ask("GET", path).body.size() > 300);
}

TEST_CASE_METHOD(Fixture, "a handler may take over or name a coroutine", "[router]") {
  router.add("GET", "/take", "/take", [](const Request&) -> Outcome { return Takeover([](TakenConnection) {}); });
  router.add("GET", "/later", "/later", [](const Request&) -> Outcome {
    return [](int status) -> asio::awaitable<Answer> {
      Reply reply;
      reply.status = status;
      co_return reply;
    }(202);
  });
  request.method = "GET";
  request.path = "/take?x=1&y";
  Outcome taken = router.dispatch(request);
  CHECK(std::holds_alternative<Takeover>(taken));
  CHECK(request.path == "/take");
  CHECK(request.query_value("x") == "1");
  request.path = "/later";
  Outcome later = router.dispatch(request);
  CHECK(std::holds_alternative<asio::awaitable<Answer>>(later));
}
