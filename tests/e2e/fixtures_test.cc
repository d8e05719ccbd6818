// Fixtures: recorded chat streams, through the relay, to the right text, reasoning, tool calls, usage and finish.
#include <map>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

Strings payloads_of(const std::string& name) {
  std::istringstream in(read_text(TOKENRELAY_SOURCE_DIR "/tests/fixtures/" + name));
  Strings out;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) out.push_back(line);
  }
  return out;
}

// What the recording says, read the plain way.
struct Expected {
  std::string text, reasoning, finish;
  std::map<int, Transcript::ToolCall> tool_calls;
  Json usage;
};

std::string string_in(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

Expected read_plainly(const Strings& payloads) {
  Expected out;
  for (const auto& payload : payloads) {
    const Json chunk = Json::parse(payload);
    if (chunk.contains("usage") && chunk["usage"].is_object()) out.usage = chunk["usage"];
    if (chunk["choices"].empty()) continue;
    const Json& choice = chunk["choices"][0];
    if (const auto finish = string_in(choice, "finish_reason"); !finish.empty()) out.finish = finish;
    const Json& delta = choice["delta"];
    out.text += string_in(delta, "content");
    out.reasoning += string_in(delta, "reasoning_content");
    for (const auto& call : delta.value("tool_calls", Json::array())) {
      auto& known = out.tool_calls[call["index"]];
      known.id += string_in(call, "id");
      known.name += string_in(call["function"], "name");
      known.arguments += string_in(call["function"], "arguments");
    }
  }
  return out;
}

std::string framed(const Strings& payloads, const std::string& line_end) {
  std::string out;
  for (const auto& p : payloads) out += "data: " + p + line_end + line_end;
  return out + "data: [DONE]" + line_end + line_end;
}

void check_stream(Relay& relay, const Expected& expected, const std::string& prompt) {
  SseConnection reader(relay.port(), events_request(relay.create({{"prompt", prompt}})));
  const auto all = transcript_of(reader.rest(30s));
  INFO(prompt);
  CHECK(reader.problems() == Strings{});
  CHECK(all.text == expected.text);
  CHECK(all.reasoning == expected.reasoning);
  REQUIRE(all.tool_calls.size() == expected.tool_calls.size());
  for (const auto& [index, call] : expected.tool_calls) {
    CHECK(all.tool_calls.at(index).id == call.id);
    CHECK(all.tool_calls.at(index).name == call.name);
    CHECK(all.tool_calls.at(index).arguments == call.arguments);
  }
  REQUIRE(all.done);
  CHECK(all.done->at("status") == "completed");
  CHECK(all.done->at("finish_reason") == expected.finish);
  CHECK(all.done->at("usage").at("source") == "provider");
  CHECK(all.done->at("usage").at("input_tokens") == expected.usage.at("prompt_tokens"));
  CHECK(all.done->at("usage").at("output_tokens") == expected.usage.at("completion_tokens"));
}

}  // namespace

TEST_CASE("every recorded chat stream, in pieces of every size", "[fixtures]") {
  const std::string name =
      GENERATE("openai-chat-text", "azure-chat-model-router", "deepseek-reasoning", "groq-tool-call");
  const auto payloads = payloads_of(name + ".chunks.txt");
  REQUIRE(!payloads.empty());
  const auto expected = read_plainly(payloads);
  REQUIRE(!(expected.text + expected.reasoning + std::to_string(expected.tool_calls.size())).empty());
  // The prompt says how to play it: "<piece> <lf|crlf|cr>".
  ModelServer model([&](ModelServer::Call& call) {
    std::istringstream how(call.prompt());
    size_t piece = 0;
    std::string ends;
    how >> piece >> ends;
    call.send_split(framed(payloads, ends == "crlf" ? "\r\n" : ends == "cr" ? "\r" : "\n"), piece);
    call.end();
  });
  Relay relay({.upstream = model.upstream()});
  for (const auto* how : {"1000000 lf", "1 lf", "2 crlf", "3 cr", "7 crlf", "113 lf", "1460 cr"})
    check_stream(relay, expected, how);
}

TEST_CASE("a body split in two at every byte", "[fixtures]") {
  Expected expected;
  expected.text = "é漢😀 \"q\" \\ \n😀";
  expected.reasoning = "ü";
  expected.finish = "stop";
  expected.usage = {{"prompt_tokens", 11}, {"completion_tokens", 7}};
  const std::string body =
      "\xef\xbb\xbf: comment\r\n\r\n"
      "data:{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"\\u00fc\"}}]}\r\n\r\n"
      "event: chunk\r\nid: 7\r\ndata: {\"choices\":[{\"index\":0,\r\ndata: \"delta\":{\"content\":\"é漢😀 \\\"q\\\" "
      "\\\\ \\n\"}}]}\n\n"
      "data:\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\"}}]}\r\r"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":11,"
      "\"completion_tokens\":7}}\n\n"
      "data: [DONE]\n\n";
  ModelServer model([&](ModelServer::Call& call) {
    const size_t at = std::stoul(call.prompt());
    call.send(body.substr(0, at));
    call.pause(3ms);
    if (at < body.size()) call.send(body.substr(at));
    call.end();
  });
  Relay relay({.upstream = model.upstream()});
  for (size_t at = 1; at <= body.size(); ++at) check_stream(relay, expected, std::to_string(at));
}

TEST_CASE("tool calls as the dialects send them", "[fixtures]") {
  struct Case {
    const char* name;
    Strings deltas;
    std::vector<Transcript::ToolCall> calls;
  };
  const std::vector<Case> cases = {
      {"no index", {R"([{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}])"}, {{"a", "f", "{}"}}},
      {"empty name repeated",
       {R"([{"index":0,"id":"a","function":{"name":"f","arguments":""}}])",
        R"([{"index":0,"function":{"name":"","arguments":"{}"}}])"},
       {{"a", "f", "{}"}}},
      {"name later",
       {R"([{"index":0,"id":"a","function":{"arguments":""}}])",
        R"([{"index":0,"function":{"name":"f","arguments":"{}"}}])"},
       {{"a", "f", "{}"}}},
      {"two interleaved",
       {R"([{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":"["}}])",
        R"([{"index":1,"function":{"arguments":"]"}},{"index":0,"function":{"arguments":":1}"}}])"},
       {{"a", "f", "{\"x\":1}"}, {"b", "g", "[]"}}},
  };
  ModelServer model([&](ModelServer::Call& call) {
    for (const auto& delta : cases.at(std::stoul(call.prompt())).deltas)
      call.chunk({{"tool_calls", Json::parse(delta)}});
    call.finish("tool_calls");
  });
  Relay relay({.upstream = model.upstream()});
  for (size_t i = 0; i < cases.size(); ++i) {
    SseConnection reader(relay.port(), events_request(relay.create({{"prompt", std::to_string(i)}})));
    const auto all = transcript_of(reader.rest());
    INFO(cases[i].name);
    REQUIRE(all.tool_calls.size() == cases[i].calls.size());
    size_t n = 0;
    for (const auto& [index, call] : all.tool_calls) {
      CHECK(call.id == cases[i].calls[n].id);
      CHECK(call.name == cases[i].calls[n].name);
      CHECK(call.arguments == cases[i].calls[n].arguments);
      ++n;
    }
    CHECK(all.done->at("finish_reason") == "tool_calls");
  }
}

TEST_CASE("reasoning, refusals and parts of content, as the dialects send them", "[fixtures]") {
  const Strings deltas = {R"({"reasoning":"r1 "})",
                          R"({"reasoning_content":"r2 ","content":null})",
                          R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"r3"}]}]})",
                          R"({"content":[{"type":"text","text":"t1 "}]})",
                          R"({"content":"t2 ","reasoning_content":null})",
                          R"({"refusal":"no"})"};
  ModelServer model([&](ModelServer::Call& call) {
    for (const auto& d : deltas) call.chunk(Json::parse(d));
    call.finish("stop");
  });
  Relay relay({.upstream = model.upstream()});
  SseConnection reader(relay.port(), events_request(relay.create()));
  const auto all = transcript_of(reader.rest());
  CHECK(all.reasoning == "r1 r2 r3");
  CHECK(all.text == "t1 t2 no");
  CHECK(all.done->at("status") == "completed");
}
