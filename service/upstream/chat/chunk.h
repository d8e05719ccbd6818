// One payload of the Chat Completions dialect: a stream's chunk, a whole answer or an error (DIALECTS.md, Chat
// Completions).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/error.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

struct ToolPiece {
  int64_t choice = 0;
  std::optional<int64_t> index;  // not sent by some servers
  std::string_view id, name, arguments;
};

// Receives the content of all choices, in the payload's order: only one was asked for, and some servers put the calls
// of an answer into a second one. Pieces are as sent: they may end inside a character (json::Joiner). False from any of
// these: stop reading, the payload may be destroyed.
class ChunkSink {
 public:
  // What follows is of this choice, and is a piece of it (`delta`) or all of it so far (`message`).
  virtual void on_choice(int64_t index, bool is_whole) = 0;
  virtual bool on_content(std::string_view piece) = 0;  // text or a refusal
  virtual bool on_reasoning(std::string_view piece) = 0;
  virtual bool on_tool(const ToolPiece& piece) = 0;

 protected:
  ~ChunkSink() = default;
};

struct ChatChunk {
  bool is_json = false;
  bool stopped = false;                      // a sink returned false; the other members are not valid
  uint64_t seen = 0, finished = 0;           // choices by index; those from 63 on share a bit
  std::optional<std::string> finish_reason;  // of the first choice that has one; never empty
  std::string stop_sequence;                 // its; "": none, or not said
  std::string id;                            // at most 256 bytes; "": none
  bool has_content = false;
  bool has_image = false;  // or sound, which the relay cannot hand on
  std::optional<Usage> usage;
  std::optional<ProviderError> error;
};

// Sinks are called only if the whole payload is JSON. `scratch` is reused from call to call.
ChatChunk read_chat_chunk(std::string_view payload, std::string& scratch, ChunkSink& sink);

}  // namespace tokenrelay::upstream
