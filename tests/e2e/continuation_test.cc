// Continuation: a relay is killed in mid-answer, and the next one goes on with it where the upstream keeps it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;
using Call = ModelServer::Call;

const std::string token = "resp_never_shown";

std::string event(const std::string& type, const Json& members) {
  Json payload = members;
  payload["type"] = type;
  return "event: " + type + "\ndata: " + payload.dump() + "\n\n";
}

std::string created() {
  return event("response.created", {{"sequence_number", 0}, {"response", {{"id", token}, {"status", "in_progress"}}}});
}

std::string text(int number, const std::string& delta) {
  return event("response.output_text.delta",
               {{"sequence_number", number}, {"output_index", 1}, {"content_index", 0}, {"delta", delta}});
}

std::string call_item(const char* what, int number, int place, const std::string& arguments) {
  return event(std::string("response.output_item.") + what,
               {{"sequence_number", number},
                {"output_index", place},
                {"item", {{"type", "function_call"}, {"call_id", "c1"}, {"name", "f"}, {"arguments", arguments}}}});
}

// The first part of the answer, and the whole of it.
const std::string said =
    created() +
    event("response.reasoning_text.delta", {{"sequence_number", 1}, {"output_index", 0}, {"delta", "thinking"}}) +
    text(2, "Hello ") + text(3, "wörld");
const std::string whole =
    said + text(4, ", again.") + call_item("added", 5, 2, "") + call_item("done", 6, 2, R"({"a":1})") +
    event("response.completed",
          {{"sequence_number", 7},
           {"response",
            {{"id", token}, {"status", "completed"}, {"usage", {{"input_tokens", 5}, {"output_tokens", 9}}}}}});

Script stalled(const std::string& sse) {
  return {script::send(script::head() + script::chunk(sse)), script::stall()};
}

RelayOptions background(const ModelServer& upstream) {
  return {.config = "[[upstream]]\nkind = \"openai-responses\"\nbackground = true\nbase_url = \"" +
                    upstream.base_url() + "\"\n"};
}

// Reads until `text` is there; the id of the last event then.
std::string read_until(Relay& relay, const std::string& id, const std::string& text) {
  SseConnection reader(relay.port(), events_request(id));
  Transcript seen;
  while (seen.text != text) {
    const auto event = reader.next(20s);
    REQUIRE(event);
    seen.add(*event);
  }
  return seen.last_id;
}

Transcript read_to_end(Relay& relay, const std::string& id, const std::string& cursor = "") {
  SseConnection reader(relay.port(), events_request(id, cursor));
  const auto events = reader.rest(60s);
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  for (const auto& event : events) {  // it says where to find the answer only once it is over
    CHECK((event.name == "done" || event.data.find(token) == std::string::npos));
  }
  auto all = transcript_of(events);
  REQUIRE(all.done);
  CHECK(all.dones == 1);
  return all;
}

// A port that somebody else listens on.
struct Taken {
  explicit Taken(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(descriptor, 1) == 0);
  }
  ~Taken() { close(descriptor); }
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE("a generation goes on after kill -9, and nothing is missing or there twice", "[continuation]") {
  ModelServer upstream;
  upstream.answer(
      [](Call& call) { call.play(call.seen().head.starts_with("GET ") ? script::raw_stream(whole) : stalled(said)); });
  Relay relay(background(upstream));
  const std::string id = relay.create({{"model", "m"}, {"prompt", "p"}});
  const std::string cursor = read_until(relay, id, "Hello wörld");
  relay.kill_now();
  relay.start();

  const auto all = read_to_end(relay, id);
  CHECK(all.text == "Hello wörld, again.");
  CHECK(all.reasoning == "thinking");
  REQUIRE(all.tool_calls.size() == 1);
  CHECK(all.tool_calls.at(0).id == "c1");
  CHECK(all.tool_calls.at(0).arguments == R"({"a":1})");
  REQUIRE(all.upstream.size() == 1);
  CHECK(all.upstream[0] == Json{{"attempt", 2}, {"reason", "relay_restarted"}});
  CHECK(all.done->at("status") == "completed");
  CHECK(all.done->at("finish_reason") == "tool_calls");
  CHECK(all.done->at("usage") == Json{{"input_tokens", 5}, {"output_tokens", 9}, {"source", "provider"}});

  const auto rest = read_to_end(relay, id, cursor);
  CHECK(rest.verdict == "exact");
  CHECK(rest.text == ", again.");
  CHECK(relay.state(id).at("text") == "Hello wörld, again.");
  CHECK(relay.state(id).at("upstream_response_id") == token);
  REQUIRE(upstream.calls() == 2);
  CHECK(upstream.call(1).head.starts_with("GET /v1/responses/" + token + "?stream=true"));
}

TEST_CASE("killed twice, and steered in between: the last generation is the one that goes on", "[continuation]") {
  ModelServer upstream;
  std::atomic<bool> goes_on{false};
  upstream.answer([&](Call& call) {
    const auto& seen = call.seen();
    if (goes_on) return call.play(script::raw_stream(whole));
    if (seen.head.find("/cancel ") != std::string::npos) return call.refuse(200, "{}");
    const bool first = seen.head.starts_with("POST ") && seen.body.find("shorter") == std::string::npos;
    call.play(stalled(first ? created() + text(1, "Dear ") : said));
  });
  Relay relay(background(upstream));
  const std::string id = relay.create({{"model", "m"}, {"prompt", "p"}});
  read_until(relay, id, "Dear ");
  REQUIRE(relay.post("/v1/streams/" + id + "/steer", {{"content", "shorter"}}).status == 202);
  read_until(relay, id, "Dear Hello wörld");
  relay.kill_now();
  relay.start();
  goes_on = true;  // killed again at once: it may not even have asked for the answer
  relay.kill_now();
  relay.start();
  const auto all = read_to_end(relay, id);
  CHECK(all.text == "Dear Hello wörld, again.");
  CHECK(all.done->at("status") == "completed");
  REQUIRE(all.upstream.size() == 2);
  CHECK(all.upstream[1].at("attempt") == 3);
}

TEST_CASE("an answer that the upstream has lost is interrupted", "[continuation]") {
  ModelServer upstream;
  upstream.answer([](Call& call) {
    if (call.seen().head.starts_with("GET ")) return call.refuse(404, R"({"error":{"message":"no such response"}})");
    call.play(stalled(said));
  });
  Relay relay(background(upstream));
  const std::string id = relay.create({{"model", "m"}, {"prompt", "p"}});
  read_until(relay, id, "Hello wörld");
  relay.kill_now();
  relay.start();
  const auto all = read_to_end(relay, id);
  CHECK(all.text == "Hello wörld");
  CHECK(all.done->at("status") == "interrupted");
  CHECK(all.done->at("error").at("code") == "relay_restarted");
}

TEST_CASE("a stream that was steered more often than a lower limit allows takes no more", "[continuation]") {
  ModelServer upstream;
  upstream.answer([](Call& call) {
    if (call.seen().head.find("/cancel ") != std::string::npos) return call.refuse(200, "{}");
    call.play(stalled(said));
  });
  Relay relay(background(upstream));
  const std::string id = relay.create({{"model", "m"}, {"prompt", "p"}});
  read_until(relay, id, "Hello wörld");
  std::string seen = "Hello wörld";
  for (const char* how : {"shorter", "longer"}) {
    REQUIRE(relay.post("/v1/streams/" + id + "/steer", {{"content", how}}).status == 202);
    read_until(relay, id, seen += "Hello wörld");
  }
  relay.create({{"model", "m"}, {"prompt", "p"}});  // durable: so is the last generation's token
  relay.kill_now();
  write_text(relay.config_file(), background(upstream).config + "[limits]\nsteers = 1\n");
  relay.start();
  const auto taken_up = [&] {
    for (size_t i = 0; i < upstream.calls(); ++i) {
      if (upstream.call(i).head.starts_with("GET ")) return true;
    }
    return false;
  };
  REQUIRE(wait_until(taken_up, 20s));
  const auto refused = relay.post("/v1/streams/" + id + "/steer", {{"content", "again"}});
  INFO(refused.body);
  CHECK(refused.status == 409);
  CHECK(refused.json().value("code", "") == "steer_limit");
}

TEST_CASE("a start that cannot have its port appends nothing to a stream that could go on", "[continuation]") {
  ModelServer upstream;
  upstream.answer(
      [](Call& call) { call.play(call.seen().head.starts_with("GET ") ? script::raw_stream(whole) : stalled(said)); });
  Relay relay(background(upstream));
  const std::string id = relay.create({{"model", "m"}, {"prompt", "p"}});
  read_until(relay, id, "Hello wörld");
  relay.create({{"model", "m"}, {"prompt", "p"}});
  const uint16_t port = relay.port();
  relay.kill_now();
  {
    const Taken taken(port);
    const Ran refused = run_program({TOKENRELAY_BINARY, "serve", "--config", relay.config_file().string(), "--listen",
                                     "127.0.0.1:" + std::to_string(port), "--data", relay.data().string()},
                                    20s);
    INFO(refused.err);
    CHECK(refused.status == 1);
  }
  relay.start();
  const auto all = read_to_end(relay, id);
  CHECK(all.text == "Hello wörld, again.");
  REQUIRE(all.upstream.size() == 1);
  CHECK(all.upstream[0].at("attempt") == 2);
}
