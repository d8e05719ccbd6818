// A log by hand, and the wire events that a encoder makes of it.
#pragma once

#include <string>
#include <vector>

#include "service/json/parse.h"
#include "service/relay/event_codec.h"
#include "service/surface/encoder.h"

namespace tokenrelay::surface {

struct Logged {
  storage::EventKind kind;
  std::string payload;
  uint64_t merged = 1;
};
using Written = std::vector<Logged>;

inline Logged text(std::string delta, uint64_t merged = 1) {
  return {storage::EventKind::text, std::move(delta), merged};
}
inline Logged reasoning(std::string delta, uint64_t merged = 1) {
  return {storage::EventKind::reasoning, std::move(delta), merged};
}
inline Logged call(uint64_t index, std::string_view arguments, uint64_t merged = 1) {
  const std::string id = "call_" + std::to_string(index);
  return {storage::EventKind::tool_call, relay::encode_tool_call({index, id, "weather", arguments}), merged};
}
inline Logged event(storage::EventKind kind, std::string json) {
  return {kind, std::move(json)};
}
inline Logged started(const std::string& more = "") {
  return event(storage::EventKind::start, R"({"model":"m","provider":"fake")" + more + "}");
}
inline Logged done(const std::string& members) {
  return event(storage::EventKind::done, "{" + members + "}");
}
inline Logged completed(const std::string& reason = "stop") {
  return done(R"("status":"completed","finish_reason":")" + reason +
              R"(","usage":{"input_tokens":7,"output_tokens":5,"source":"provider"})");
}

inline std::string bytes_of(const Written& log, Encoder& encoder) {
  const std::vector<relay::Run> runs = {{"aaaaaaaaaa", 1, 1'000'000}};
  std::string out;
  relay::Seq seq = 0;
  for (const auto& one : log) encoder.append(out, runs, seq += one.merged, one.kind, one.payload);
  return out;
}

// The `data` of each block, as text.
inline std::vector<std::string> data_of(std::string_view bytes) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto line = bytes.substr(0, end);
    if (line.starts_with("data: ")) out.emplace_back(line.substr(6));
    bytes.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace tokenrelay::surface
