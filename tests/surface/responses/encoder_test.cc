// The Responses surface's events: their order, their numbers whatever was merged, and what they add up to.
#include <random>

#include "tests/support/catch.h"
#include "tests/surface/responses/events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;
using Log = std::vector<LogEvent>;

bool is_delta(const Value& event) {
  return event["type"].get_ref<const std::string&>().ends_with(".delta");
}

// A log of any shape: kinds in any order, calls side by side, things that no surface shows.
Log random_log(std::mt19937& random, size_t padding = 0) {
  static const std::vector<std::string> endings = {
      R"({"status":"completed","finish_reason":"stop"})", R"({"status":"completed","finish_reason":"length"})",
      R"({"status":"cancelled"})", R"({"status":"failed","error":{"code":"upstream_error","message":"m"}})"};
  Log log = {start_event()};
  uint64_t calls = 0, steered = 0;
  for (size_t i = random() % 30; i > 0; --i) {
    const std::string piece = "p" + std::to_string(i) + std::string(padding, 'x');
    switch (random() % 7) {
      case 0:
      case 1:
        log.push_back(text_event(piece));
        break;
      case 2:
        log.push_back(reasoning_event(piece));
        break;
      case 3:
        log.push_back(call_event(calls++, random() % 2 ? piece : ""));
        break;
      case 4:
        if (calls > steered) log.push_back(call_event(steered + random() % (calls - steered), piece));
        break;
      case 5:
        log.push_back(opaque_event(R"({"provider":"p","type":"signature","data":"d"})"));
        break;
      case 6:
        log.push_back({EventKind::steer, R"({"content":"c"})"});
        steered = calls;  // another generation: its calls have other numbers
        break;
    }
  }
  log.push_back({EventKind::done, endings[random() % endings.size()]});
  return log;
}

// Neighbours that a reader who is behind may get as one, merged at random.
Log merged_at_random(const Log& log, std::mt19937& random) {
  Log out;
  for (const auto& event : log) {
    const bool merges = !out.empty() && out.back().kind == event.kind &&
                        relay::mergeable(event.kind, out.back().payload, event.payload) && random() % 2;
    if (!merges) {
      out.push_back(event);
      continue;
    }
    out.back().payload += relay::merge_part(event.kind, event.payload);
    out.back().merged += event.merged;
  }
  return out;
}

// What a client that follows the protocol holds at the end; every event must find the place it speaks of.
std::map<std::string, std::string> accumulated(const std::vector<Value>& events) {
  std::map<std::string, std::string> open, closed;
  for (const auto& event : events) {
    const std::string type = event["type"].get<std::string>();
    if (type == "response.output_item.added") {
      CHECK(open.size() + closed.size() == event["output_index"].get<size_t>());
      CHECK(open.emplace(event["item"]["id"], "").second);
    } else if (is_delta(event)) {
      REQUIRE(open.count(event["item_id"]) == 1);
      open[event["item_id"]] += event["delta"].get<std::string>();
    } else if (type.ends_with("_text.done") || type.ends_with("arguments.done")) {
      const bool call = type.ends_with("arguments.done");
      CHECK(event[call ? "arguments" : "text"] == open.at(event["item_id"]));
    } else if (type == "response.output_item.done") {
      const std::string id = event["item"]["id"];
      REQUIRE(open.count(id) == 1);
      closed[id] = open[id];
      open.erase(id);
    }
  }
  closed.merge(open);
  return closed;
}

std::string said_in(const Value& item) {
  if (item["type"] == "message") return item["content"][0]["text"];
  if (item["type"] == "function_call") return item["arguments"];
  return item["summary"].empty() ? "" : item["summary"][0]["text"];
}

TEST_CASE("Responses: the events of a plain answer") {
  const auto events =
      told({start_event(), reasoning_event("Hm"), text_event("Hel"), text_event("lo"), completed_event()});
  CHECK(types_of(events) ==
        std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added",
                                 "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
                                 "response.reasoning_summary_text.done", "response.reasoning_summary_part.done",
                                 "response.output_item.done", "response.output_item.added",
                                 "response.content_part.added", "response.output_text.delta",
                                 "response.output_text.delta", "response.output_text.done",
                                 "response.content_part.done", "response.output_item.done", "response.completed"});
  CHECK(events[10] == Value{{"type", "response.output_text.delta"},
                            {"sequence_number", 10},
                            {"item_id", "msg_abc_1"},
                            {"output_index", 1},
                            {"content_index", 0},
                            {"delta", "Hel"},
                            {"logprobs", Value::array()}});
  const Value& response = events.back()["response"];
  CHECK(response["id"] == "resp_abc");
  CHECK(response["metadata"] == Value{{"k", "v"}});
  CHECK(response["usage"]["total_tokens"] == 12);
}

TEST_CASE("Responses: any log gives a sequence that adds up to its own final object") {
  std::mt19937 random(20261121);
  for (int round = 0; round < 300; ++round) {
    const auto events = told(random_log(random));
    for (size_t i = 0; i < events.size(); ++i) REQUIRE(events[i]["sequence_number"] == i);
    auto held = accumulated(events);
    std::map<std::string, Value> output;
    for (const auto& item : events.back()["response"]["output"]) output[item["id"]] = item;
    for (const auto& event : events) {
      if (event["type"] != "response.output_item.done") continue;
      const std::string id = event["item"]["id"];
      const auto item = output.find(id);
      if (item != output.end()) {
        CHECK(event["item"] == item->second);
      } else {  // a call that a steer closed
        CHECK(event["item"]["type"] == "function_call");
        CHECK(event["item"]["status"] == "incomplete");
        held.erase(id);
      }
    }
    REQUIRE(held.size() == output.size());
    for (const auto& [id, item] : output) CHECK(held.at(id) == said_in(item));
  }
}

TEST_CASE("Responses: merged deltas carry their last number, and everything else is the same") {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    const Log log = random_log(random);
    const auto whole = told(log);
    const auto merged = told(merged_at_random(log, random));
    size_t next = 0;
    for (const auto& event : merged) {
      const size_t last = event["sequence_number"].get<size_t>();
      REQUIRE(last >= next);
      REQUIRE(last < whole.size());
      Value expected = whole[last];
      if (is_delta(event)) {
        std::string text;
        for (size_t i = next; i <= last; ++i) text += whole[i]["delta"].get<std::string>();
        expected["delta"] = text;
      } else {
        REQUIRE(last == next);
      }
      CHECK(event == expected);
      next = last + 1;
    }
    CHECK(next == whole.size());
  }
}

TEST_CASE("Responses: what follows any number") {
  std::mt19937 random(5);
  const Log log = random_log(random);
  const auto whole = told(log);
  for (size_t number = 0; number < whole.size(); ++number) {
    const auto encoder = make_responses_encoder(some_facts());
    encoder->skip_to(number);
    CHECK(told(log, *encoder) == std::vector<Value>(whole.begin() + static_cast<long>(number) + 1, whole.end()));
  }
}

TEST_CASE("Responses: how an answer ends") {
  struct Case {
    std::string done, type, status;
    Value details, error;
  };
  const std::vector<Case> cases = {
      {R"({"status":"completed","finish_reason":"tool_calls"})", "response.completed", "completed", {}, {}},
      {R"({"status":"completed","finish_reason":"other"})", "response.completed", "completed", {}, {}},
      {R"({"status":"completed","finish_reason":"length"})",
       "response.incomplete",
       "incomplete",
       {{"reason", "max_output_tokens"}},
       {}},
      {R"({"status":"completed","finish_reason":"content_filter"})",
       "response.incomplete",
       "incomplete",
       {{"reason", "content_filter"}},
       {}},
      {R"({"status":"cancelled"})", "response.incomplete", "cancelled", {}, {}},
      {R"({"status":"failed","error":{"code":"c","message":"m"}})",
       "response.failed",
       "failed",
       {},
       {{"code", "server_error"}, {"message", "m"}}},
      {R"({"status":"interrupted","error":{"code":"relay_restarted","message":"m"}})",
       "response.failed",
       "failed",
       {},
       {{"code", "server_error"}, {"message", "m"}}},
  };
  // In its own protocol, an end without a reason that others know was an incomplete one.
  const auto at_home = [](const std::string& raw) {
    const std::string start = R"({"model":"m","provider":"openai-responses","surface":"responses"})";
    const std::string done = R"({"status":"completed","finish_reason":"other","finish_reason_raw":")" + raw + "\"}";
    const auto events = told({{EventKind::start, start}, text_event("half"), {EventKind::done, done}});
    CHECK(events.back()["type"] == "response.incomplete");
    CHECK(events.back()["response"]["status"] == "incomplete");
    return events.back()["response"]["incomplete_details"];
  };
  CHECK(at_home("tired") == Value{{"reason", "tired"}});
  CHECK(at_home("incomplete").is_null());
  for (const auto& one : cases) {
    INFO(one.done);
    const auto events = told({start_event(), text_event("half"), {EventKind::done, one.done}});
    const Value& response = events.back()["response"];
    CHECK(events.back()["type"] == one.type);
    CHECK(response["status"] == one.status);
    CHECK(response["incomplete_details"] == one.details);
    CHECK(response["error"] == one.error);
    CHECK(response["output"][0]["status"] == (one.status == "completed" ? "completed" : "incomplete"));
    if (one.status != "failed") continue;
    const Value& error = events[events.size() - 2];
    CHECK(error["type"] == "error");
    CHECK(error["message"] == "m");
    CHECK(error["sequence_number"] == events.size() - 2);
  }
}

TEST_CASE("Responses: a call that was cancelled in the middle is never done") {
  const auto types = types_of(told({start_event(), call_event(0, R"({"a":)"), done_event("cancelled", "")}));
  CHECK(std::count(types.begin(), types.end(), "response.output_item.done") == 0);
  CHECK(types.back() == "response.incomplete");
}

TEST_CASE("Responses: what a provider wants back is a reasoning item's encrypted content") {
  const std::string signature = R"({"provider":"anthropic","type":"signature","data":"sig"})";
  const std::string redacted = R"({"provider":"anthropic","type":"redacted_thinking","data":"xx"})";
  const auto events =
      told({start_event(), reasoning_event("Hm"), opaque_event(signature), opaque_event(redacted), completed_event()});
  const Value& output = events.back()["response"]["output"];
  REQUIRE(output.size() == 2);
  CHECK(output[0]["encrypted_content"] == signature);
  CHECK(output[0]["summary"][0]["text"] == "Hm");
  CHECK(output[1]["encrypted_content"] == redacted);
  CHECK(output[1]["summary"] == Value::array());
}

std::string bytes_of(const Log& log, Encoder& encoder) {
  const std::vector<relay::Run> runs = {{"run0", 1}};
  std::string out;
  relay::Seq seq = 0;
  for (const auto& event : log) encoder.append(out, runs, seq += event.merged, event.kind, event.payload);
  return out;
}

// What Pieces does, with a log by hand in which nothing is merged.
std::string with_excerpts(const std::string& bytes, const relay::Excerpts& excerpts, const Log& log) {
  std::string out;
  size_t at = 0;
  for (auto found = excerpts.find(bytes, 0); found.excerpt != nullptr; found = excerpts.find(bytes, at)) {
    out += bytes.substr(at, found.at - at);
    at = found.at + excerpts.mark_bytes();
    for (relay::Seq seq = found.excerpt->after + 1; seq <= found.excerpt->upto; ++seq) {
      const auto& event = log[seq - 1];
      if (event.kind != found.excerpt->kind) continue;
      const auto call = relay::decode_tool_call(event.payload);
      if (event.kind != EventKind::tool_call) out += event.payload;
      if (event.kind == EventKind::tool_call && call->index == found.excerpt->call) out += call->arguments;
    }
  }
  return out + bytes.substr(at);
}

TEST_CASE("Responses: an encoder that holds no long text writes the same events, with marks for the log's text") {
  std::mt19937 random(7);
  int marked = 0;
  for (int round = 0; round < 300; ++round) {
    const Log log = random_log(random, 700);
    const auto draw = [&](void* into, size_t bytes) {
      for (size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(into)[i] = static_cast<unsigned char>(random());
    };
    const auto excerpts = std::make_shared<relay::Excerpts>(draw, 2'000);
    const auto holding = make_responses_encoder(some_facts());
    const auto leaving_out = make_responses_encoder(some_facts(), excerpts);
    const std::string whole = bytes_of(log, *holding);
    const Log merged = merged_at_random(log, random);
    const bool merge = round % 2 != 0;
    const std::string left_out = bytes_of(merge ? merged : log, *leaving_out);
    CHECK((leaving_out->take_excerpts() != nullptr) == excerpts->any());
    CHECK(leaving_out->take_excerpts() == nullptr);
    marked += excerpts->any();
    if (!excerpts->any()) continue;
    CHECK(leaving_out->held_bytes() < holding->held_bytes());
    const auto last = [](const std::string& bytes) { return bytes.substr(bytes.rfind("\nevent: ")); };
    if (merge) CHECK(with_excerpts(last(left_out), *excerpts, log) == last(whole));
    if (!merge) CHECK(with_excerpts(left_out, *excerpts, log) == whole);
  }
  CHECK(marked > 100);
}

}  // namespace
}  // namespace tokenrelay::surface
