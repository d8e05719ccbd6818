// OwnRecorder: hands on a provider's events as it sent them, in the form that the log keeps (own_event.h), beside the
// neutral ones that a dialect makes of them.
//
// The dialect calls it before it says what the event says: event() for most, delta() for one that is nothing but a
// piece of text, reasoning or arguments. Of deltas in a row only the first costs an entry, the shape. Off until
// begin(). Attack: an upstream echoes the head of the request, with the relay's key, in an error: of events that tell
// of one the secrets are hidden. Threads: the loop's. False from any call: a handler destroyed the call.
#pragma once

#include <string>
#include <string_view>

#include "service/json/shape.h"
#include "service/transport/lifeline.h"
#include "service/upstream/own_event.h"
#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class OwnRecorder {
 public:
  explicit OwnRecorder(CallHandler& handler) : handler_(handler) {}

  void begin(const ProviderOptions& options) { options_ = &options; }
  bool on() const { return options_ != nullptr; }
  void end() { options_ = nullptr; }     // the rest has no such form: a whole answer instead of a stream
  bool shown() const { return shown_; }  // an event that shows something was handed on

  // A delta: the piece it says, as it stands between its quotes in the event.
  struct Piece {
    std::string_view said;
    OwnEvent::Voice voice;
    int call = 0;
  };
  // `shows`: a client sees part of the answer in it, so that the answer cannot begin anew (a retry). `number`: where
  // the event holds its sequence number, which is left out, as the relay counts for itself; "" without one.
  bool event(std::string_view payload, bool shows, std::string_view number = {});
  bool delta(std::string_view payload, const Piece& piece, std::string_view number = {});
  // Whether a delta has the shape of those before it, so that there is nothing to hand on.
  bool goes_on(std::string_view payload, const Piece& piece) const;

 private:
  bool hand_on(const OwnEvent& event, bool shows);
  std::string_view without_number(std::string_view payload, std::string_view number);

  CallHandler& handler_;
  transport::Lifeline line_;
  const ProviderOptions* options_ = nullptr;  // null: off
  bool shown_ = false;
  // Of the deltas that are being said.
  json::Shape shape_;
  bool shaped_ = false;
  OwnEvent::Voice voice_ = OwnEvent::Voice::text;
  int call_ = 0;
  std::string unnumbered_;  // reused
};

}  // namespace tokenrelay::upstream
