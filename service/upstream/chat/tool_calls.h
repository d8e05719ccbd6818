// ChatToolCalls: puts the pieces of an answer's tool calls together (DIALECTS.md, Chat Completions: tool calls).
//
// Servers number the calls of an answer, or number them all 0, or not at all; they repeat the name with every piece, or
// draw a new id for each. So a piece is given to the call with its id, else to the latest with its number, unless what
// that call has is a whole JSON value already, or its name is another.
//
// Promise: a call is announced with its name, never without; numbers are told in the order of announcing. "{}" in the
// piece that opens a call may stand before the real arguments, so it is held back: the call is announced without it,
// and told of it at the end if nothing else has come. Bounds: 1,024 calls; 8 MiB of ids, names and arguments that are
// held until a name is known. Beyond them the answer fails: a call must not lose a part, nor get another's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/chat/chunk.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// Whether the pieces of a JSON value so far are the whole of it. It looks at brackets and strings only.
class JsonEnd {
 public:
  void add(std::string_view piece);
  bool begun() const { return begun_; }
  bool whole() const { return begun_ && depth_ == 0; }

 private:
  int64_t depth_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false;
};

class ChatToolCalls {
 public:
  explicit ChatToolCalls(CallHandler& handler) : handler_(handler) {}

  // False: the handler destroyed the answer, or this is more than the bounds allow.
  bool take(const ToolPiece& piece);
  bool flush();  // false: the handler destroyed the answer

  // The number, as told, of the call that a piece of nothing but arguments goes on with; -1: it is no such piece.
  int goes_on(const ToolPiece& piece);

  bool any() const { return !calls_.empty(); }
  bool any_nameless() const;  // its arguments are nowhere

 private:
  struct ToolCall {
    int64_t choice, index;  // the upstream's; index -1: none
    std::string id, name;
    std::string held;           // arguments that arrived before the name
    int number = -1;            // as told; -1: not yet
    bool holds_braces = false;  // "{}" alone, which may be no argument
    bool named_again = false;   // once it was whole: what follows is another call
    JsonEnd end;
    json::Joiner joiner;
  };

  ToolCall* find(const ToolPiece& piece);
  ToolCall& add(const ToolPiece& piece);
  bool hold(std::string& into, std::string_view bytes);
  static bool continues(const ToolCall& call, const ToolPiece& piece);
  bool tell(ToolCall& call, std::string_view arguments);

  CallHandler& handler_;
  transport::Lifeline line_;
  std::vector<ToolCall> calls_;
  int told_ = 0;
  size_t held_bytes_ = 0;
  std::string joined_;  // the joiners'
};

}  // namespace tokenrelay::upstream
