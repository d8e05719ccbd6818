// StreamText: the sum of a stream's events: text, reasoning and tool calls of all generations.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/event.h"

namespace tokenrelay::relay {

class Stream;

struct ToolCall {
  uint64_t index = 0;
  std::string id, name, arguments;
};

struct StreamText {
  std::string text, reasoning;
  std::vector<ToolCall> tool_calls;  // by index
  storage::Seq last_seq = 0;         // everything up to here is in it

  void add(storage::EventKind kind, std::string_view payload);
};

// Reads what is durable now from the log, block by block. The result is null if the log could not be read.
void read_stream_text(const std::shared_ptr<Stream>& stream,
                      std::function<void(std::shared_ptr<const StreamText>)> done);

}  // namespace tokenrelay::relay
