// GeminiAnswer: puts the chunks of one Gemini answer together: whole characters, numbered tool calls, the signatures
// the model wants back, the finish reason. It is independent of SSE and HTTP.
//
// A function call arrives whole, and its arguments are passed on in one piece. A signature follows the part it belongs
// to. Parts that are neither text nor a call (inlineData, executableCode, codeExecutionResult, …) are skipped: the log
// has no event for them, and requests that ask for images or audio are refused (request.h).
// Bounds: 1,024 tool calls, 1 MiB of one signature.
#pragma once

#include <string>
#include <string_view>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/gemini/chunk.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class GeminiAnswer final {
 public:
  explicit GeminiAnswer(CallHandler& handler) : handler_(handler) {}

  enum class Taken {
    chunk,
    not_json,
    error,      // the payload has the details
    partial,    // a call in pieces, which the relay never asks for
    too_large,  // more than the bounds allow
    gone,       // a handler destroyed the answer
  };
  Taken take(std::string_view payload);

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool marked() const { return !finish_reason_.empty() || blocked_; }  // the stream may end now
  bool begun() const { return begun_; }
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }

 private:
  Taken take_parts(std::string_view raw);
  Taken take_part(const GeminiPart& part);
  Taken take_call(const GeminiPart& part);
  void take_usage(std::string_view raw);
  bool say(const GeminiPart& part);  // false: the answer was destroyed
  Taken say_signature(std::string_view raw, int tool);

  CallHandler& handler_;
  transport::Lifeline line_;
  std::string scratch_;  // the readers'
  std::string joined_;   // the joiners'
  json::Joiner text_, reasoning_;
  int tools_ = 0;
  bool begun_ = false, blocked_ = false;
  std::string finish_reason_;
  GeminiUsage counted_;
  Usage usage_;
};

}  // namespace tokenrelay::upstream
