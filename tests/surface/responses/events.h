// Events of a log by hand, and what the Responses surface makes of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/relay/event_codec.h"
#include "service/surface/responses/encoder.h"

namespace tokenrelay::surface {

struct LogEvent {
  storage::EventKind kind;
  std::string payload;
  uint64_t merged = 1;
};

inline LogEvent start_event() {
  return {storage::EventKind::start, R"({"model":"m","provider":"fake","surface":"responses"})"};
}
inline LogEvent text_event(std::string text) {
  return {storage::EventKind::text, std::move(text)};
}
inline LogEvent reasoning_event(std::string text) {
  return {storage::EventKind::reasoning, std::move(text)};
}
inline LogEvent call_event(uint64_t index, const std::string& arguments) {
  const std::string id = "call_" + std::to_string(index);
  return {storage::EventKind::tool_call, relay::encode_tool_call({index, id, "f", arguments})};
}
inline LogEvent opaque_event(std::string object) {
  return {storage::EventKind::opaque, std::move(object)};
}
inline LogEvent done_event(const std::string& status, const std::string& more) {
  return {storage::EventKind::done, R"({"status":")" + status + "\"" + more + "}"};
}
inline LogEvent completed_event() {
  return done_event("completed", R"(,"finish_reason":"stop","usage":{"input_tokens":7,"output_tokens":5})");
}

inline ResponseFacts some_facts() {
  return {"abc", "m", R"({"k":"v"})", 1'700'000'000};
}

// The `data` of each wire event, in order.
inline std::vector<json::Value> told(const std::vector<LogEvent>& events, Encoder& encoder) {
  const std::vector<relay::Run> runs = {{"run0", 1}};
  std::string out;
  relay::Seq seq = 0;
  for (const auto& event : events) encoder.append(out, runs, seq += event.merged, event.kind, event.payload);
  std::vector<json::Value> found;
  for (size_t at = out.find("\ndata: "); at != out.npos; at = out.find("\ndata: ", at)) {
    at += 7;
    found.push_back(json::parse(out.substr(at, out.find('\n', at) - at)).value());
  }
  return found;
}
inline std::vector<json::Value> told(const std::vector<LogEvent>& events) {
  const auto encoder = make_responses_encoder(some_facts());
  return told(events, *encoder);
}

inline std::vector<std::string> types_of(const std::vector<json::Value>& events) {
  std::vector<std::string> types;
  for (const auto& event : events) types.push_back(event["type"].get<std::string>());
  return types;
}

}  // namespace tokenrelay::surface
