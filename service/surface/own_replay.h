// OwnReplay: what an encoder does with each event of the log when the stream may hold its provider's own events, and
// the client speaks the provider's protocol: sends it as the provider did, or leaves it out since such an event has
// said it, or translates it, as for any other provider.
//
// A stream whose start event is marked `own` begins undecided, because a fallback may have answered in another
// protocol: the first event that says something decides. A steer ends it: what follows is another answer, which no
// event of the first one's provider announces, so the rest is translated, inside what is open. Threads: one reader's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/upstream/own_event.h"
#include "storage/event.h"

namespace tokenrelay::surface {

class OwnReplay {
 public:
  // `kind`: of the upstreams that speak the client's protocol.
  explicit OwnReplay(std::string_view kind) : kind_(kind) {}

  // The answer's id is the relay's, by which its clients know the stream: where an event has a string at this path,
  // `id` stands in its place.
  void serve(std::vector<std::string_view> path, const std::string& id);

  enum class Step {
    skip,
    event,      // json() is the provider's event
    delta,      // json() is one, around this event's text
    translate,  // the event is the encoder's
    begin,      // so it is, and so is the start event, which was skipped
  };
  Step take(storage::EventKind kind, std::string_view payload);

  const std::string& json() const { return json_; }  // until the next take()
  // Of a delta: its text, a view into the event's payload, and which shape it has: neighbours of one may be joined.
  std::string_view said() const { return said_; }
  uint64_t shape() const { return shapes_; }
  std::string delta_json(std::string_view said) const;  // with another text
  size_t hole() const { return before_.size(); }        // where in that the text stands
  uint64_t call() const { return call_; }
  bool began() const { return state_ == State::own; }     // the provider's events are being sent
  bool was_own() const { return state_ == State::over; }  // they were, up to a steer
  size_t held_bytes() const { return json_.size() + before_.size() + after_.size(); }

 private:
  enum class State { unstarted, undecided, own, over, translated };

  struct Span {
    size_t at = 0, size = 0;  // 0: none
  };
  Span served_span(std::string_view json) const;
  void serve_event();
  void serve_shape();
  Step take_own(std::string_view payload);
  Step take_neutral(storage::EventKind kind, std::string_view payload);

  const std::string_view kind_;
  std::vector<std::string_view> path_;  // of the id
  std::string id_;                      // as JSON
  State state_ = State::unstarted;
  std::string json_, pieces_;
  std::string_view said_;
  std::optional<upstream::OwnEvent::Voice> voice_;  // of the shape that is in force
  uint64_t call_ = 0, shapes_ = 0;
  std::string before_, after_;
};

// A provider's word may stand in an `event:` line.
bool is_event_name(std::string_view word);

// Whether a start event is of a request that went up as it was, to a provider of this kind.
bool is_own_start(std::string_view payload, std::string_view kind);

}  // namespace tokenrelay::surface
