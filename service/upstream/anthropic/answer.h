// AnthropicAnswer: puts the events of one Messages answer together: whole characters, numbered tool calls, what the
// model wants back unchanged, the finish reason. It is independent of SSE and HTTP.
//
// A delta says what it is, whatever kind its block has: text in a block of a tool is text. Arguments go to the open
// call of their index, else to the only open one; others end the run, as they would be lost. A signature is joined and
// passed on when its block ends, byte for byte. A tool call without arguments gets "{}". Blocks of server tools and of
// unknown types are skipped; left_out() names them. `output_tokens` is taken only at the message's end: the value in
// message_start is a guess, and would be reported as the count of an answer that was cut. Bounds: 64 open blocks, 1,024
// tool calls, 1 MiB of one signature, 8 MiB of signatures and of arguments that blocks began with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/anthropic/event.h"
#include "service/upstream/end_mark.h"
#include "service/upstream/left_out.h"
#include "service/upstream/own_recorder.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class AnthropicAnswer final {
 public:
  explicit AnthropicAnswer(CallHandler& handler) : handler_(handler), own_(handler) {}

  OwnRecorder& own() { return own_; }  // off until it is begun

  enum class Taken {
    event,
    end,  // message_stop, or a whole message
    not_json,
    error,      // the payload has the details
    nameless,   // a tool call without a name
    homeless,   // arguments that belong to no open tool call
    too_large,  // more than the bounds allow
    gone,       // a handler destroyed the answer
  };
  // `name` is the event's, "" without one.
  Taken take(std::string_view payload, std::string_view name = {});

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  const EndMark& mark() const { return mark_; }
  bool empty() const { return !mark_.has_content() && !own_.shown(); }
  bool begun() const { return begun_; }
  // The kinds of blocks that were skipped, where the reason does not explain an answer without others; else "".
  std::string_view left_out() const;
  bool explained() const;   // the reason says why an answer may be empty
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const std::string& id() const { return id_; }  // of the message; "" until it is known

 private:
  struct Block {
    int64_t index;
    AnthropicBlock::Kind kind;
    int tool = 0;               // tool_use: its number
    std::string opaque;         // thinking: the signature; redacted_thinking: the data
    std::string input;          // tool_use: from its start; used at its end unless pieces have arrived
    bool has_input = false;     // a piece has arrived
    std::string own_signature;  // the first signature_delta, as it was sent
    int signatures = 0;         // how many
    std::string start;          // the text of its start; a first delta that repeats it is dropped
    json::Joiner text, reasoning, arguments;
  };
  enum class Said { text, reasoning, arguments };

  // The event being taken, as it was sent. False: the answer was destroyed.
  bool hand_on_own(bool shows) { return own_.event(payload_, shows); }
  bool hand_on_own(const AnthropicDelta& delta, OwnEvent::Voice voice, int tool);

  bool hand_on_signature(const Block& block);

  Taken take_kind(const AnthropicEvent& event);
  Taken start_block(int64_t index, std::string_view raw);
  Taken take_delta(int64_t index, std::string_view raw);
  Taken take_text(int64_t index, const AnthropicDelta& delta);
  Taken take_signature(int64_t index, const AnthropicDelta& delta);
  Taken take_input(int64_t index, const AnthropicDelta& delta);
  Taken start_tool(int64_t index, const AnthropicBlock& start);
  Taken stop_block(int64_t index);
  Taken take_whole(std::string_view raw);
  Block* open_block(int64_t index);
  Block* only_open(AnthropicBlock::Kind kind);
  bool holds_too_much(const Block& latest) const;
  Block* add_block(int64_t index, AnthropicBlock::Kind kind);
  std::string_view text_of(std::string_view raw);  // the text of a JSON string; valid until the next call
  void take_message(const AnthropicMessage& message, bool ended);
  void take_usage(std::string_view raw, bool ended);

  // False: the answer was destroyed.
  bool say(Block& block, Said what, std::string_view piece);
  bool hand_on(Said what, int tool, std::string_view whole);
  bool hand_on_rest(Block& block);
  bool finish(Block block);
  bool finish_all();
  bool say_opaque(std::string_view type, std::string_view data);

  CallHandler& handler_;
  OwnRecorder own_;
  transport::Lifeline line_;
  std::string_view payload_;  // being taken
  std::string scratch_;       // the readers'
  std::string joined_;        // the joiners'
  std::vector<Block> blocks_;
  int tools_ = 0;
  bool begun_ = false;
  EndMark mark_;
  std::string id_, stop_reason_, stop_sequence_;
  LeftOut left_out_;
  AnthropicUsage counted_;
  Usage usage_;
};

}  // namespace tokenrelay::upstream
