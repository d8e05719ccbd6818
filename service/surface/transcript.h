// Transcript: a stream's events as the items of one answer, in order: what a surface needs to write the answer whole.
//
// A pure function of the log. `steer` and `upstream` events are invisible: text goes on in the same item. But a tool
// call made before a steer is void: its generation was closed, and its result would not be used.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/json/parse.h"
#include "service/relay/excerpts.h"
#include "service/relay/usage.h"
#include "service/surface/own_replay.h"
#include "storage/event.h"

namespace tokenrelay::surface {

struct Item {
  enum class Kind { text, reasoning, tool_call, opaque };
  Kind kind = Kind::text;
  std::string text;  // text, reasoning; a tool call's arguments
  uint64_t index = 0;
  std::string id, name;  // tool_call
  json::Value opaque;    // {"provider","type","data",…} (upstream.h, on_opaque)
  bool voided = false;   // a tool call before a steer, or what belongs to it: left out of answers
  relay::Excerpts::Place place = {};
};

// The terminal event, parsed.
struct Done {
  std::string status;             // completed, cancelled, failed, interrupted
  std::string finish_reason;      // stop, length, tool_calls, content_filter, other; "" if not completed
  std::string finish_reason_raw;  // the provider's reason, if finish_reason is `other`
  std::string stop_sequence;      // "": none, or not said
  upstream::Usage usage;
  std::optional<relay::StreamError> error;

  bool counted() const { return usage.input_tokens || usage.output_tokens; }
  bool failed() const { return status == "failed" || status == "interrupted"; }
};
Done read_done(std::string_view payload);

// A part of an answer as its provider sent it: an event, or a run of deltas of one shape with their joined text.
struct OwnPart {
  std::string json;  // of deltas: with "" as the text
  size_t hole = 0;   // of deltas: where in json the text belongs, between its quotes; 0: an event
  std::string text;
  uint64_t shape = 0;
  relay::Excerpts::Place place = {};
};

struct Transcript {
  json::Value start;  // the start event
  std::vector<Item> items;
  std::optional<Done> done;

  // Without it, all is held; with it, long texts are marks (relay/excerpts.h), and long arguments, too, unless
  // `keeps_arguments`: some protocols need them parsed.
  std::shared_ptr<relay::Excerpts> excerpts;
  bool keeps_arguments = false;

  // For a client of its provider's protocol: what the provider sent (own_replay.h). Set before the first event.
  std::optional<OwnReplay> own;
  std::vector<OwnPart> own_parts;
  bool (*keeps_own)(std::string_view json) = nullptr;  // if set: only these events are kept, and no deltas
  // The answer is whole in own_parts: it began as the provider's own, and no steer came.
  bool is_own() const { return own && own->began(); }
  // The provider's events in order, as JSON; of a run of deltas one, with all its text.
  void each_own(const std::function<void(json::Value event)>& take) const;

  // Adjacent deltas of one kind, and all pieces of one tool call, become one item. The payload is what the events after
  // `after` up to `seq` say, which differ by more than one if deltas were merged.
  void add(storage::Seq after, storage::Seq seq, storage::EventKind kind, std::string_view payload);
  void add(storage::EventKind kind, std::string_view payload) { add(0, 0, kind, payload); }

  std::string text() const;  // all text items joined
  std::string reasoning() const;

 private:
  void add_own(storage::Seq after, storage::Seq seq, storage::EventKind kind, std::string_view payload);
  void grow(Item& item, const relay::Excerpt& events, std::string_view piece);
};

}  // namespace tokenrelay::surface
