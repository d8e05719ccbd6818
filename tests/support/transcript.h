// Transcript: what a client of the native stream holds after it has processed some events.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sse_parser.h"

namespace tokenrelay::support {

struct Transcript {
  struct ToolCall {
    std::string id, name, arguments;
  };
  std::string text, reasoning;
  std::map<int, ToolCall> tool_calls;  // by index
  std::vector<Json> upstream, steer;
  std::optional<Json> start, done;
  std::string verdict;  // of the last `resumed`
  std::string last_id;
  int dones = 0, resets = 0;

  void add(const SseEvent& event);  // a `reset` verdict discards, as the contract tells clients to
};

Transcript transcript_of(const std::vector<SseEvent>& events);

}  // namespace tokenrelay::support
