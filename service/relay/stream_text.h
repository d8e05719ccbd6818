// StreamText: the sum of a stream's events: text, reasoning and tool calls of all generations.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/relay/excerpts.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Stream;

struct ToolCall {
  uint64_t index = 0;
  std::string id, name, arguments;
  Excerpts::Place place = {};
};

struct StreamText {
  std::string text, reasoning;
  std::vector<ToolCall> tool_calls;  // by index
  storage::Seq last_seq = 0;         // everything up to here is in it

  // Without it, all is held; with it, long texts are marks (excerpts.h).
  std::shared_ptr<Excerpts> excerpts;

  void add(storage::Seq seq, storage::EventKind kind, std::string_view payload);

 private:
  void append(std::string& said, Excerpts::Place& place, storage::EventKind kind, uint64_t call,
              std::string_view piece);

  Excerpts::Place text_place_, reasoning_place_;
};

struct ReadBounds {
  std::shared_ptr<Excerpts> excerpts;     // see StreamText
  std::function<bool(size_t held)> fits;  // asked after each event how many bytes may be held; false ends the reading
};

// Reads what is durable now from the log, block by block. The result is null if the log could not be read, or if
// something did not fit.
void read_stream_text(const std::shared_ptr<Stream>& stream, ReadBounds bounds,
                      std::function<void(std::shared_ptr<const StreamText>)> done);

}  // namespace tokenrelay::relay
