// ResponsesAnswer: puts the events of one response together: whole characters, numbered tool calls, what arrives only
// at an item's end, the finish reason. It is independent of SSE and HTTP (DIALECTS.md, Responses).
//
// Everything is reported once: deltas as they come; of what repeats as a whole what was said (a part's `.done`, its
// item's, the response's at the end) only the rest that was not said yet. Reasoning is the summary or the text,
// whichever an item begins with, with a blank line between parts. A call is reported once it has a name.
// Bounds: 4,096 items, 8 MiB of arguments held back until the name arrives; beyond them too_large.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/transport/lifeline.h"
#include "service/upstream/own_recorder.h"
#include "service/upstream/responses/event.h"
#include "service/upstream/responses/items.h"

namespace tokenrelay::upstream {

class ResponsesAnswer {
 public:
  explicit ResponsesAnswer(CallHandler& handler) : handler_(handler), own_(handler) {}

  OwnRecorder& own() { return own_; }  // off until it is begun

  enum class Taken { event, end, error, not_json, too_large, gone };  // gone: a handler destroyed the answer

  // `name` is the event's, which counts where the payload has no type.
  Taken take(std::string_view payload, std::string_view name = {});

  // The connection was lost and there is a new one: events up to sequence() are skipped, and on_seam is called before
  // the first one after them.
  void taken_up(std::string_view reason) {
    known_ = sequence_;
    seam_ = reason;
  }

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool begun() const { return begun_; }
  bool empty() const { return !text_.anything() && !said_reasoning_ && tools_ == 0 && !own_.shown(); }
  // What cannot be reported: "an item of …", or "".
  std::string_view other() const { return own_.on() ? std::string_view() : other_; }
  bool is_incomplete() const { return status_ == "incomplete"; }
  const std::string& id() const { return id_; }  // "" until it is known
  std::optional<int64_t> sequence() const { return sequence_; }
  uint64_t taken() const { return taken_; }  // events that were new
  Outcome outcome() const;                   // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const ProviderError& error() const { return error_; }

 private:
  using Voice = OpenItem::Voice;

  Taken not_json(std::string_view payload);
  Taken fail(std::string_view payload);
  // The event as it was sent, before what it says. False: the answer was destroyed.
  bool hand_on_own(std::string_view payload, const ResponsesEvent& event);
  std::optional<OwnRecorder::Piece> own_piece(const ResponsesEvent& event);
  Taken take_event(const ResponsesEvent& event);
  Taken take_state(std::string_view raw, std::string_view type);
  bool take_part(const ResponsesEvent& event, Voice voice, bool done);
  bool take_arguments(const ResponsesEvent& event, bool done);
  bool take_item(const ResponsesEvent& event, bool done);
  void note_other(std::string_view type);

  bool take_output(std::string_view raw);
  bool settle_answer(std::string_view text);
  bool settle_call(const ResponsesItem& content, bool may_be_new);
  bool settle(OpenItem& item, const ResponsesItem& content);
  bool settle_parts(OpenItem& item, Voice voice, std::string_view raw);
  bool settle_opaque(const ResponsesItem& content);

  OpenItem* item_at(const ItemPlace& place);
  bool say_part(OpenItem& item, Voice voice, int64_t index, std::string_view piece, bool done);
  bool say(OpenItem& item, std::string_view whole);
  bool say_arguments(OpenItem& item, std::string_view raw, bool done);
  bool name_call(OpenItem& item, std::string_view raw_name);
  bool hand_on(OpenItem& item, std::string_view whole);

  CallHandler& handler_;
  OwnRecorder own_;
  transport::Lifeline line_;
  std::string scratch_;  // the reader's
  std::string joined_;   // the joiners'
  OpenItems items_;
  Said text_;  // of all items
  std::string id_, other_;
  std::optional<int64_t> sequence_, known_;
  std::optional<std::string> seam_;
  uint64_t taken_ = 0;
  int tools_ = 0;
  size_t held_bytes_ = 0;  // of arguments without a name
  bool begun_ = false, said_reasoning_ = false, said_opaque_ = false, too_large_ = false;
  std::string status_, incomplete_reason_;
  Usage usage_;
  ProviderError error_;
};

}  // namespace tokenrelay::upstream
