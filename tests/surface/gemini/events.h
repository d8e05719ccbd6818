// Events of a log by hand, and what the Gemini surface makes of them.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "service/relay/event_codec.h"
#include "service/surface/gemini/encoder.h"

namespace tokenrelay::surface {

struct GeminiLogEvent {
  storage::EventKind kind;
  std::string payload;
  uint64_t merged = 1;
};

inline GeminiLogEvent gemini_call(uint64_t index, const std::string& arguments) {
  const std::string id = "c" + std::to_string(index);
  return {storage::EventKind::tool_call, relay::encode_tool_call({index, id, "f", arguments})};
}
inline GeminiLogEvent gemini_done(const std::string& status, const std::string& more) {
  return {storage::EventKind::done, R"({"status":")" + status + "\"" + more + "}"};
}

inline std::string gemini_bytes(const std::vector<GeminiLogEvent>& events, bool as_array) {
  const auto encoder = make_gemini_encoder({"id", "m"}, as_array);
  const std::vector<relay::Run> runs = {{"run0", 1}};
  std::string out;
  relay::Seq seq = 0;
  for (const auto& event : events) encoder->append(out, runs, seq += event.merged, event.kind, event.payload);
  return out;
}

// The chunks, in order.
inline std::vector<json::Value> gemini_told(const std::vector<GeminiLogEvent>& events) {
  const std::string out = gemini_bytes(events, false);
  std::vector<json::Value> found;
  for (size_t at = 0; at < out.size();) {
    const size_t end = out.find("\n\n", at);
    found.push_back(json::parse(out.substr(at + 6, end - at - 6)).value());
    at = end + 2;
  }
  return found;
}

inline std::vector<json::Value> parts_of(const std::vector<json::Value>& chunks) {
  std::vector<json::Value> parts;
  for (const auto& chunk : chunks) {
    if (!chunk.contains("candidates")) continue;
    for (const auto& part : chunk["candidates"][0]["content"]["parts"]) parts.push_back(part);
  }
  return parts;
}

// A log of any shape that has ended well: kinds in any order, calls side by side.
inline std::vector<GeminiLogEvent> gemini_random_log(std::mt19937& random) {
  using storage::EventKind;
  std::vector<GeminiLogEvent> log = {{EventKind::start, R"({"model":"m"})"}};
  for (size_t i = random() % 30; i > 0; --i) {
    switch (random() % 4) {
      case 0:
        log.push_back({EventKind::text, "t" + std::to_string(i)});
        break;
      case 1:
        log.push_back({EventKind::reasoning, "r" + std::to_string(i)});
        break;
      case 2:
        log.push_back({EventKind::opaque, R"({"provider":"p","type":"signature","data":"d"})"});
        break;
      default:
        break;
    }
  }
  for (uint64_t call = 0, calls = random() % 4; call < calls; ++call) {
    log.push_back(gemini_call(call, random() % 2 ? "" : "{\"a\":"));
    if (log.back().payload.back() != ':') log.push_back(gemini_call(call, "{\"a\":"));
    if (random() % 3 == 0) log.push_back({EventKind::text, "between"});
    log.push_back(gemini_call(call, random() % 4 ? "1" : ""));
    if (random() % 3 == 0) log.push_back({EventKind::reasoning, "within"});
    log.push_back(gemini_call(call, "}"));
  }
  log.push_back(gemini_done("completed", R"(,"finish_reason":"tool_calls")"));
  return log;
}

// Neighbours that a reader who is behind may get as one, merged at random.
inline std::vector<GeminiLogEvent> gemini_merged(const std::vector<GeminiLogEvent>& log, std::mt19937& random) {
  std::vector<GeminiLogEvent> out;
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

}  // namespace tokenrelay::surface
