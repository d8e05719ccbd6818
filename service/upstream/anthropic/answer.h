// AnthropicAnswer: puts the events of one Messages answer together: whole characters, numbered tool calls, what the
// model wants back unchanged, the finish reason. It is independent of SSE and HTTP.
//
// A signature is joined and passed on when its block ends, byte for byte. A tool call without arguments gets "{}".
// Blocks of server tools and of unknown types are skipped. `output_tokens` is taken only at the message's end: the
// value in message_start is a guess, and would be reported as the count of an answer that was cut. Bounds: 64 open
// blocks, 1,024 tool calls, 1 MiB of one signature.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/anthropic/event.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class AnthropicAnswer final {
 public:
  explicit AnthropicAnswer(CallHandler& handler) : handler_(handler) {}

  enum class Taken {
    event,
    end,  // message_stop, or a whole message
    not_json,
    error,      // the payload has the details
    too_large,  // more than the bounds allow
    gone,       // a handler destroyed the answer
  };
  Taken take(std::string_view payload);

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool begun() const { return begun_; }
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }

 private:
  struct Block {
    int64_t index;
    AnthropicBlock::Kind kind;
    int tool = 0;            // tool_use: its number
    std::string opaque;      // thinking: the signature; redacted_thinking: the data
    std::string input;       // tool_use: from its start; used at its end unless pieces have arrived
    bool has_input = false;  // a piece has arrived
    json::Joiner joiner;
  };

  Taken start_block(int64_t index, std::string_view raw);
  Taken take_delta(int64_t index, std::string_view raw);
  Taken take_piece(Block& block, const AnthropicDelta& delta);
  Taken stop_block(int64_t index);
  Taken take_whole(std::string_view raw);
  Block* open_block(int64_t index);
  Block* add_block(int64_t index, AnthropicBlock::Kind kind);
  std::string_view text_of(std::string_view raw);  // the text of a JSON string; valid until the next call
  void take_message(const AnthropicMessage& message, bool ended);
  void take_usage(std::string_view raw, bool ended);

  // False: the answer was destroyed.
  bool say(Block& block, std::string_view piece);
  bool hand_on(const Block& block, std::string_view whole);
  bool finish(Block block);
  bool finish_all();
  bool say_opaque(std::string_view type, std::string_view data);

  CallHandler& handler_;
  transport::Lifeline line_;
  std::string scratch_;  // the readers'
  std::string joined_;   // the joiners'
  std::vector<Block> blocks_;
  int tools_ = 0;
  bool begun_ = false;
  std::string stop_reason_;
  AnthropicUsage counted_;
  Usage usage_;
};

}  // namespace tokenrelay::upstream
