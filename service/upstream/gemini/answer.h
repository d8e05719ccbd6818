// GeminiAnswer: puts the chunks of one Gemini answer together: whole characters, numbered tool calls, the signatures
// the model wants back, the finish reason. It is independent of SSE and HTTP.
//
// A function call arrives whole, and its arguments are passed on in one piece. A signature follows the part it belongs
// to. Parts that are neither text nor a call (inlineData, executableCode, codeExecutionResult, …) are skipped, and
// left_out() names them: the log has no event for them, and requests that ask for images or audio are refused
// (request.h).
// Bounds: 1,024 tool calls, 1 MiB of one signature.
#pragma once

#include <string>
#include <string_view>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/end_mark.h"
#include "service/upstream/gemini/chunk.h"
#include "service/upstream/left_out.h"
#include "service/upstream/own_recorder.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class GeminiAnswer final {
 public:
  explicit GeminiAnswer(CallHandler& handler) : handler_(handler), own_(handler) {}

  OwnRecorder& own() { return own_; }  // off until it is begun

  enum class Taken {
    chunk,
    not_json,
    error,      // the payload has the details
    partial,    // a call in pieces, which the relay never asks for
    nameless,   // a call without a name
    too_large,  // more than the bounds allow
    gone,       // a handler destroyed the answer
  };
  Taken take(std::string_view payload);

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool stopped() const { return mark_.stopped() || blocked_; }  // the body's end completes the answer
  bool marked() const { return mark_.marked() || blocked_; }    // and so does a while without more
  bool empty() const { return !mark_.has_content() && !own_.shown(); }
  bool begun() const { return begun_; }
  std::string_view error() const { return error_; }  // a candidate's, as the body of an error; "": none
  // The kinds of parts that were skipped, where the reason does not explain an answer without others; else "".
  std::string_view left_out() const;
  bool explained() const;   // the reason says why an answer may be empty
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const std::string& id() const { return id_; }  // "" until it is known

 private:
  bool hand_on_own(std::string_view payload, std::string_view parts);  // false: the answer was destroyed
  Taken take_parts(std::string_view raw);
  Taken take_part(const GeminiPart& part);
  Taken take_call(const GeminiPart& part);
  void take_usage(std::string_view raw);
  bool say(const GeminiPart& part);  // false: the answer was destroyed
  Taken say_signature(std::string_view raw, int tool);

  CallHandler& handler_;
  OwnRecorder own_;
  transport::Lifeline line_;
  std::string scratch_;  // the readers'
  std::string joined_;   // the joiners'
  json::Joiner text_, reasoning_;
  int tools_ = 0;
  bool begun_ = false, blocked_ = false;
  EndMark mark_;
  std::string id_, finish_reason_, finish_message_, error_;
  LeftOut left_out_;
  GeminiUsage counted_;
  Usage usage_;
};

}  // namespace tokenrelay::upstream
