// Same protocol in and out: what the client gets is what the provider sent, streamed, whole, read again after a kill;
// and what the relay makes of an answer that did not go on as it began.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Lines = std::vector<std::string>;

const std::string key = "sk-relays-own-key";

Response post(Relay& relay, const std::string& target, const std::string& body, Fields fields = {}) {
  fields.emplace_back("Content-Type", "application/json");
  return fetch(relay.port(), {"POST", target, fields, body}, 20s);
}

Lines data_of(const std::string& body) {
  Lines out;
  for (size_t at = body.find("data: "); at != body.npos; at = body.find("data: ", at + 1)) {
    out.push_back(body.substr(at + 6, body.find('\n', at) - at - 6));
  }
  return out;
}

// Messages' events, with their names.
void say(ModelServer::Call& call, const Lines& events) {
  for (const auto& event : events) {
    const std::string type = Json::parse(event).at("type");
    if (!call.send("event: " + type + "\ndata: " + event + "\n\n")) return;
  }
}

const std::string start = R"({"type":"message_start","message":{"id":"msg_theirs","model":"m-1","content":[],)"
                          R"("stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1,"new":1.0}}})";
const std::string text_start = R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})";
std::string delta(const std::string& text) {
  return R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":")" + text + R"("}})";
}
const std::string tool_start = R"({"type":"content_block_start","index":1,"content_block":)"
                               R"({"type":"server_tool_use","id":"srv_1","name":"web_search","input":{}}})";
const std::string tool_input = R"({"type":"content_block_delta","index":1,"delta":)"
                               R"({"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}})";
const std::string citation =
    R"({"type":"content_block_delta","index":0,"delta":)"
    R"({"type":"citations_delta","citation":{"url":"https://x","n":12345678901234567890123}}})";
const std::string last = R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},)"
                         R"("usage":{"output_tokens":9,"server_tool_use":{"web_search_requests":1}}})";
const std::string stop = R"({"type":"message_stop"})";
std::string stop_of(int index) {
  return R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}";
}

const Lines whole = {start,      text_start, delta("Hel"), delta("lo \\n\\ud83d\\ude00"),
                     citation,   stop_of(0), tool_start,   tool_input,
                     stop_of(1), last,       stop};

RelayOptions of(const ModelServer& model) {
  return {.config =
              "[limits]\nupstream_retries = 2\n[[upstream]]\nkind = \"anthropic\"\n"
              "base_url = \"http://127.0.0.1:" +
              std::to_string(model.port()) + "\"\n",
          .env = {{"ANTHROPIC_API_KEY", key}}};
}

std::string asked(bool stream) {
  return std::string(R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":)") +
         (stream ? "true}" : "false}");
}

}  // namespace

TEST_CASE("the provider's events reach its client as they were, streamed and whole", "[own_answer]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head(200, "text/event-stream",
              {{"request-id", "req_theirs"}, {"anthropic-ratelimit-requests-remaining", "7"}, {"set-cookie", "a=b"}});
    say(call, whole);
    call.end();
  });
  Relay relay(of(model));
  const Response streamed = post(relay, "/v1/messages", asked(true));
  REQUIRE(streamed.status == 200);
  const std::string id = streamed.head.get("stream-id").value_or("");
  const std::string shown = "msg_" + id.substr(5);  // the relay's, by which its clients know the stream
  Lines got = data_of(streamed.body);
  for (auto& line : got) line = Json::parse(line).dump();  // the text is the same, its escapes may differ
  Lines want = whole;
  want[0].replace(want[0].find("msg_theirs"), 10, shown);
  want[0].replace(want[0].find("\"content\""), 0, R"("type":"message","role":"assistant","stop_sequence":null,)");
  for (auto& line : want) line = Json::parse(line).dump();
  CHECK(got == want);
  CHECK(streamed.body.find("12345678901234567890123") != std::string::npos);
  CHECK(streamed.head.get("upstream-request-id") == "req_theirs");
  CHECK(streamed.head.get("anthropic-ratelimit-requests-remaining") == "7");
  CHECK_FALSE(streamed.head.get("set-cookie"));

  const Json state = relay.state(id);
  CHECK(state.at("text") == "Hello \n\xf0\x9f\x98\x80");
  CHECK(state.at("upstream_request_id") == "req_theirs");
  CHECK(state.at("upstream_response_id") == "msg_theirs");
  const Response native = relay.get("/v1/streams/" + id + "/events");
  CHECK(native.body.find("server_tool_use") == std::string::npos);
  CHECK(native.body.find("event: done") != std::string::npos);

  const Response at_once = post(relay, "/v1/messages", asked(false));
  REQUIRE(at_once.status == 200);
  const Json message = at_once.json();
  CHECK(message.at("id") == "msg_" + at_once.head.get("stream-id").value_or("strm_").substr(5));
  CHECK(message.at("content").at(0).at("text") == "Hello \n\xf0\x9f\x98\x80");
  CHECK(message.at("content").at(0).at("citations").at(0).at("url") == "https://x");
  CHECK(message.at("content").at(1).at("input") == Json{{"query", "x"}});
  CHECK(message.at("usage").at("server_tool_use").at("web_search_requests") == 1);
  CHECK(message.at("usage").at("input_tokens") == 3);
  CHECK(at_once.head.get("upstream-request-id") == "req_theirs");
  CHECK(relay.metric("tokenrelay_upstream_own_events_total") > 0);
}

TEST_CASE("an answer of the provider's own is read again from every event, after a kill, too", "[own_answer]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head();
    say(call, whole);
    call.end();
  });
  Relay relay(of(model));
  const Response first = post(relay, "/v1/messages", asked(true));
  const Lines all = data_of(first.body);
  REQUIRE(all.size() == whole.size());
  Lines ids;
  for (size_t at = first.body.find("\nid: "); at != first.body.npos; at = first.body.find("\nid: ", at + 1)) {
    ids.push_back(first.body.substr(at + 5, first.body.find('\n', at + 5) - at - 5));
  }
  REQUIRE(ids.size() == whole.size());
  relay.kill_now();
  relay.start();
  for (size_t i = 0; i < ids.size(); ++i) {
    INFO(ids[i]);
    const Response rest = post(relay, "/v1/messages", asked(true), {{"Last-Event-ID", ids[i]}});
    REQUIRE(rest.status == 200);
    CHECK(data_of(rest.body) == Lines(all.begin() + static_cast<ptrdiff_t>(i) + 1, all.end()));
  }
  CHECK(model.calls() == 1);
}

TEST_CASE("a try that failed before it said anything leaves nothing in the answer", "[own_answer]") {
  ModelServer model;
  const std::string overloaded = R"({"type":"error","error":{"type":"overloaded_error","message":"later"}})";
  model.answer([&](ModelServer::Call& call) {
    call.head();
    say(call, {start, text_start, overloaded});
    call.end();
  });
  model.answer([](ModelServer::Call& call) {
    call.head();
    say(call, whole);
    call.end();
  });
  Relay relay(of(model));
  const Response answer = post(relay, "/v1/messages", asked(true));
  CHECK(data_of(answer.body).size() == whole.size());
  CHECK(answer.body.find("overloaded") == std::string::npos);
  CHECK(model.calls() == 2);
}

TEST_CASE("an error in mid-stream is the provider's own, without the relay's key", "[own_answer]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head();
    say(call, {start, text_start, delta("Hel"),
               R"({"type":"error","error":{"type":"new_error","message":"of )" + key + R"(","more":1}})"});
    call.end();
  });
  Relay relay(of(model));
  const Response answer = post(relay, "/v1/messages", asked(true));
  const Lines got = data_of(answer.body);
  REQUIRE(got.size() == 4);
  CHECK(got[3] == R"({"type":"error","error":{"type":"new_error","message":"of ***","more":1}})");
  const Response at_once = post(relay, "/v1/messages", asked(false));
  CHECK(at_once.status == 502);
  CHECK(at_once.body.find(key) == std::string::npos);
}

TEST_CASE("an empty answer is shown as the provider ended it", "[own_answer]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head();
    say(call,
        {start, R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":0}})", stop});
    call.end();
  });
  Relay relay(of(model));
  const Response streamed = post(relay, "/v1/messages", asked(true));
  CHECK(streamed.status == 200);
  CHECK(data_of(streamed.body).size() == 3);
  const Response at_once = post(relay, "/v1/messages", asked(false));
  CHECK(at_once.status == 200);
  CHECK(at_once.json().at("stop_reason") == "end_turn");
}

TEST_CASE("a steered answer goes on under the provider's message; whole, it is the relay's", "[own_answer]") {
  ModelServer model;
  model.answer([](ModelServer::Call& call) {
    call.head();
    say(call, {start, text_start, delta("so far")});
    call.wait_released();
  });
  model.answer([](ModelServer::Call& call) {
    call.head();
    say(call, {start, text_start, delta(" and on"), stop_of(0), last, stop});
    call.end();
  });
  Relay relay(of(model));
  HttpConnection client(relay.port());
  client.send({"POST", "/v1/messages", {{"Content-Type", "application/json"}}, asked(true)});
  const auto head = client.read_head();
  REQUIRE(head);
  const std::string id = head->get("stream-id").value_or("");
  REQUIRE(wait_until([&] { return relay.state(id).value("text", "") == "so far"; }, 10s));
  REQUIRE(relay.post("/v1/streams/" + id + "/steer", {{"content", "shorter"}}).status == 202);
  REQUIRE(relay.wait_status(id, "completed"));
  const Lines got = data_of(client.read_body(10s));
  REQUIRE(got.size() == 7);
  CHECK(Json::parse(got[0]).at("message").at("model") == "m-1");
  CHECK(got[2] == delta("so far"));
  CHECK(got[3] == delta(" and on"));
  CHECK(got[4] == stop_of(0));
  CHECK(Json::parse(got[5]).at("usage").at("output_tokens") == 9 + 2);  // the first generation's are an estimate
  CHECK(got[6] == stop);
  CHECK(relay.state(id).at("text") == "so far and on");
}
