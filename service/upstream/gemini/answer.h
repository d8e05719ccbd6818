// GeminiAnswer: the chunks of one Gemini answer, put together: whole characters, tool calls with their numbers, the
// signatures the model wants back, how it finished. Knows nothing of SSE or HTTP.
//
// A function call comes whole, and its arguments are handed on in one piece. A signature goes out right after the part
// it stands on. Parts that are neither text nor a call (inlineData, executableCode, codeExecutionResult, …) are
// skipped: the log has no words for them, and requests that ask for pictures or sound are refused (gemini_request.h).
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
    error,      // the payload says what
    partial,    // a call in pieces, which no request asks for
    too_large,  // more than the bounds allow
    gone,       // a handler destroyed the answer
  };
  Taken take(std::string_view payload);

  // At the end: hands on what was held back. False: gone.
  bool flush();

  bool marked() const { return !finish_reason_.empty() || blocked_; }  // it may end here
  bool begun() const { return begun_; }
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }

 private:
  Taken take_parts(std::string_view raw);
  Taken take_part(const GeminiPart& part);
  Taken take_call(const GeminiPart& part);
  void take_usage(std::string_view raw);
  bool say(const GeminiPart& part);  // false: gone
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
