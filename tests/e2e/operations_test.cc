// Operations: metrics, health, request ids, the log, a port of their own.
#include <signal.h>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

ModelServer::Answer answer(const std::string& text) {
  return [text](ModelServer::Call& call) {
    call.text(text);
    call.finish();
  };
}

Strings lines_with(const std::string& log, const std::string& needle) {
  Strings out;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.find(needle) != std::string::npos) out.push_back(line);
  }
  return out;
}

}  // namespace

TEST_CASE("metrics are well-formed, and count what happened", "[operations]") {
  ModelServer model(answer("hello"));
  Relay relay({.upstream = model.upstream()});
  for (int i = 0; i < 3; ++i) {
    const std::string id = relay.create({{"prompt", "p"}, {"model", "unlisted-" + std::to_string(i)}});
    SseConnection reader(relay.port(), events_request(id));
    reader.rest();
  }
  relay.get("/v1/streams/strm_unknown_to_all/events");
  const auto metrics = relay.get("/metrics");
  CHECK(metrics.status == 200);
  CHECK(metrics.head.get("Content-Type").value_or("").starts_with("text/plain"));
  TempDir dir;
  write_text(dir / "metrics", metrics.body);
  const Ran checked = run_program({"sh", "-c", "promtool check metrics < " + (dir / "metrics").string()}, 20s);
  INFO(checked.out << checked.err);
  CHECK(checked.status == 0);
  CHECK((checked.out + checked.err).empty());  // promtool's advice is on its output, with status 0
  CHECK(metrics.body.find("strm_") == std::string::npos);
  CHECK(metrics.body.find("unlisted-") == std::string::npos);  // client-chosen names fold into "other"
  CHECK(metrics.body.find("completed") != std::string::npos);
}

TEST_CASE("health and readiness", "[operations]") {
  Relay relay;
  CHECK(relay.get("/healthz").status == 200);
  CHECK(relay.get("/readyz").status == 200);
  CHECK(fetch(relay.port(), {.method = "HEAD", .target = "/healthz"}).status == 200);
}

TEST_CASE("an admin port takes them over", "[operations]") {
  const uint16_t admin = unused_port();
  Relay relay({.config = "admin_listen = \"127.0.0.1:" + std::to_string(admin) + "\"\n"});
  for (const auto* path : {"/healthz", "/readyz", "/metrics"}) {
    INFO(path);
    CHECK(fetch(admin, {.target = path}).status == 200);
    CHECK(fetch(admin, {.target = path, .fields = {{"Host", "10.1.2.3:9090"}}}).status == 200);
    CHECK(relay.get(path).status == 404);
  }
  CHECK(fetch(admin, {.target = "/v1/streams"}).status == 404);
  CHECK(relay.get("/v1/streams").status == 200);
}

TEST_CASE("every response carries a Request-Id: the client's, if it is sane", "[operations]") {
  Relay relay;
  const std::string id = relay.create();
  for (const std::string& target :
       Strings{"/healthz", "/v1/streams", "/v1/streams/" + id, "/v1/streams/" + id + "/events", "/nothing", "/"}) {
    INFO(target);
    auto ask = [&](const Fields& fields) {
      HttpConnection connection(relay.port());
      connection.send(Request{.target = target, .fields = fields});
      return connection.read_head().value_or(Head{}).get("Request-Id").value_or("");
    };
    const auto a = ask({}), b = ask({});
    CHECK_FALSE(a.empty());
    CHECK(a != b);
    CHECK(ask({{"Request-Id", "client-7.A_b"}}) == "client-7.A_b");
    for (const std::string& insane : Strings{std::string(1000, 'a'), "two words", "a\"b", "a\\b", "<script>", "\x7f",
                                             "caf\xc3\xa9", "a%0d%0aX:1"}) {
      const auto got = ask({{"Request-Id", insane}});
      INFO(insane);
      CHECK(got != insane);
      CHECK_FALSE(got.empty());
    }
  }
}

TEST_CASE("one log line a request, with its id; no prompt, no answer, no key", "[operations]") {
  ModelServer model(answer("private-answer-991"));
  Relay relay({.upstream = model.upstream(), .env = {{"OPENAI_API_KEY", "sk-private-key-992"}}});
  const auto made =
      relay.post("/v1/streams", {{"prompt", "private-prompt-993"}, {"metadata", {{"m", "private-metadata-994"}}}},
                 {{"Request-Id", "rid-create"}});
  REQUIRE(made.status == 201);
  const std::string id = made.json().at("id");
  REQUIRE(relay.wait_status(id, "completed"));
  relay.get("/v1/streams/" + id + "/events", {{"Request-Id", "rid-read"}});
  relay.get("/v1/streams/none?token=private-query-995",
            {{"Request-Id", "rid-miss"}, {"Authorization", "Bearer private-996"}});
  relay.post("/v1/streams", {{"prompt", 5}, {"private-field-997", 1}}, {{"Request-Id", "rid-bad"}});
  REQUIRE(wait_until([&] { return !lines_with(relay.log(), "rid-bad").empty(); }, 5s));
  REQUIRE(relay.stop() == 0);
  for (const std::string& rid : Strings{"rid-create", "rid-read", "rid-miss", "rid-bad"}) {
    const auto lines = lines_with(relay.log(), rid);
    INFO(rid << "\n" << relay.log());
    CHECK(lines.size() == 1);
  }
  for (const auto* secret : {"private-answer-991", "private-key-992", "private-prompt-993", "private-metadata-994",
                             "private-query-995", "private-996"}) {
    INFO(secret);
    CHECK((relay.log() + relay.output()).find(secret) == std::string::npos);
  }
}

TEST_CASE("prompts are logged if asked for", "[operations]") {
  Relay relay({.config = "[log]\nprompts = true\n"});
  const std::string id = relay.create({{"prompt", "a-prompt-998"}});
  REQUIRE(relay.stop() == 0);
  const auto lines = lines_with(relay.log(), "a-prompt-998");
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().find(id) != std::string::npos);
}

TEST_CASE("a logged prompt stays on its line and moves no terminal", "[operations]") {
  Relay relay({.config = "[log]\nprompts = true\n"});
  const std::string hostile = "mark\x1b[2J\x7f\xc2\x85\xc2\x9b\xe2\x80\xa8\xe2\x80\xa9\n\r end";
  relay.create({{"messages", Json::array({{{"role", "user"}, {"content", hostile}}})}});
  relay.create({{"prompt", hostile}});
  relay.post("/v1/chat/completions", {{"messages", Json::array({{{"role", "user"}, {"content", hostile}}})}});
  REQUIRE(relay.stop() == 0);
  CHECK(lines_with(relay.log(), "mark").size() == 3);
  CHECK(lines_with(relay.log(), " end").size() == 3);
  for (const auto* raw : {"\x1b", "\x7f", "\xc2\x85", "\xc2\x9b", "\xe2\x80\xa8", "\xe2\x80\xa9", "\r"}) {
    CHECK(relay.log().find(raw) == std::string::npos);
  }
}

TEST_CASE("no core file is written unless asked for", "[operations]") {
  const bool asked = GENERATE(false, true);
  Relay relay({.config = asked ? "core_dumps = true\n" : "default_model = \"demo\"\n"});
  auto soft_limit = [](const std::string& process) {
    const auto lines = lines_with(read_text("/proc/" + process + "/limits"), "Max core file size");
    std::istringstream words(lines.at(0).substr(std::string("Max core file size").size()));
    std::string soft;
    words >> soft;
    return soft;
  };
  CHECK(soft_limit(std::to_string(relay.process().pid())) == (asked ? soft_limit("self") : "0"));
}

TEST_CASE("a log line cannot be forged", "[operations]") {
  Relay relay;
  relay.get("/v1/streams/x%0aforged-line-1", {{"User-Agent", "a%0aforged-line-2"}, {"Request-Id", "x\tforged"}});
  relay.get("/v1/streams/x%1b[31mforged");
  REQUIRE(relay.stop() == 0);
  for (const auto& line : lines_with(relay.log(), "forged-line")) CHECK_FALSE(line.starts_with("forged-line"));
  CHECK(relay.log().find('\x1b') == std::string::npos);
}

TEST_CASE("metrics do not grow with streams, nor do descriptors and threads", "[operations]") {
  ModelServer model(answer("x"));
  Relay relay({.upstream = model.upstream()});
  auto round = [&] {
    for (int i = 0; i < 50; ++i) {
      const std::string id = relay.create({{"prompt", "p"}, {"model", "m" + std::to_string(i)}});
      SseConnection reader(relay.port(), events_request(id));
      reader.rest();
    }
    return lines_with(relay.get("/metrics").body, "").size();
  };
  const auto before = round();
  const auto threads = relay.process().threads(), descriptors = relay.process().descriptors();
  CHECK(round() <= before + 20);
  CHECK(relay.process().threads() == threads);
  CHECK(relay.process().descriptors() <= descriptors + 5);
}

TEST_CASE("log.format = json: each line is an object, a request's with its fields", "[operations]") {
  Relay relay({.config = "[log]\nformat = \"json\"\nlevel = \"debug\"\n"});
  relay.get("/v1/streams/strm_%22quoted%22");
  relay.get("/healthz");
  relay.post("/v1/streams", {{"prompt", "x"}});
  relay.process().signal(SIGHUP);
  REQUIRE(wait_until([&] { return relay.log().find("configuration reloaded") != std::string::npos; }, 5s));
  REQUIRE(wait_until([&] { return relay.log().find("\"path\":\"/healthz\"") != std::string::npos; }, 5s));
  const std::string log = relay.log();
  std::istringstream in(log.substr(0, log.rfind('\n')));  // whole lines: it is being written
  size_t requests = 0, others = 0;
  for (std::string line; std::getline(in, line);) {
    INFO(line);
    const Json object = Json::parse(line, nullptr, false);
    REQUIRE(object.is_object());
    CHECK(object.value("time", "").size() == 24);
    CHECK(!object.value("level", "").empty());
    if (!object.contains("path")) {
      CHECK(object.at("message").is_string());
      ++others;
      continue;
    }
    ++requests;
    CHECK(object.at("status").is_number_integer());
    CHECK(object.at("duration_ms").is_number());
    for (const char* field : {"method", "route", "request_id", "client"}) CHECK(object.at(field).is_string());
  }
  CHECK(requests >= 3);
  CHECK(others >= 2);
}

TEST_CASE("a reader that is cut because it takes nothing is counted", "[operations]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 400; ++i) call.text(std::string(60'000, 'x'));
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwrite_stall_ms = 300\n"});
  const std::string id = relay.create();
  HttpConnection slow(relay.port());
  slow.send("GET /v1/streams/" + id + "/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");  // and reads nothing
  const auto cut = [&] {
    return relay.get("/metrics").body.find("tokenrelay_cuts_total{reason=\"slow_reader\"} 1") != std::string::npos;
  };
  CHECK(wait_until(cut, 30s));
}

TEST_CASE("a turn of the loop shows in the metrics", "[operations]") {
  Relay relay;
  CHECK(relay.metric("tokenrelay_loop_turn_seconds_count") > 0);
  CHECK(relay.metric("tokenrelay_loop_stall_seconds") >= 0);
  CHECK(relay.metric("tokenrelay_loop_stall_cpu_seconds") <= relay.metric("tokenrelay_loop_stall_seconds"));
}
