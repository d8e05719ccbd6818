// ResponsesAnswer: puts the events of one response together: whole characters, numbered tool calls, what arrives only
// at an item's end, the finish reason. It is independent of SSE and HTTP (DIALECTS.md, Responses).
//
// Everything is reported once: from deltas; else from a part's `.done`; else from its item's; else from the response at
// the end. Reasoning is the summary or the text, whichever an item begins with, with a blank line between parts.
// Bounds: 4,096 items, 1,024 parts in one, 8 MiB of arguments held back until the name arrives; beyond them too_large.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/transport/lifeline.h"
#include "service/upstream/responses/event.h"

namespace tokenrelay::upstream {

class ResponsesAnswer {
 public:
  explicit ResponsesAnswer(CallHandler& handler) : handler_(handler) {}

  enum class Taken { event, end, error, not_json, too_large, gone };  // gone: a handler destroyed the answer

  Taken take(std::string_view payload);

  // The connection was lost and there is a new one: events up to sequence() are skipped, and on_seam is called before
  // the first one after them.
  void taken_up(std::string_view reason) {
    known_ = sequence_;
    seam_ = reason;
  }

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool begun() const { return begun_; }
  const std::string& id() const { return id_; }  // "" until it is known
  std::optional<int64_t> sequence() const { return sequence_; }
  uint64_t taken() const { return taken_; }  // events that were new
  Outcome outcome() const;                   // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const ProviderError& error() const { return error_; }

 private:
  enum class Voice { text, summary, reasoning };
  struct Part {
    Voice voice;
    int64_t index;
    bool said = false;
    json::Joiner joiner;
  };
  struct Item {
    int64_t index;  // the upstream's output_index, or -1
    std::string id;
    bool added = false;
    std::vector<Part> parts;
    std::optional<Voice> reasoning_voice;
    bool is_tool = false;
    int number = -1;                  // of a tool call, once it is announced
    std::string call_id, name, held;  // held: arguments that arrived before the name
    bool has_arguments = false;
    json::Joiner arguments;
  };
  struct Scope {  // what of a complete item may still be reported
    bool text = true, reasoning = true, tools = true, opaque = true;
  };

  Taken take_event(const ResponsesEvent& event);
  Taken take_state(std::string_view raw, std::string_view type);
  bool take_item(const ResponsesEvent& event, bool done);
  bool take_output(std::string_view raw);
  bool settle(Item& item, const ResponsesItem& content, const Scope& scope);
  bool settle_parts(Item& item, Voice voice, std::string_view raw);
  bool settle_opaque(const ResponsesItem& content);

  Item& item_of(const ResponsesEvent& event);
  Item& new_item(const ResponsesEvent& event);
  Part& part_of(Item& item, Voice voice, int64_t index);
  bool say_part(Item& item, Voice voice, int64_t index, std::string_view raw, bool only_if_silent);
  bool say(Item& item, Part& part, std::string_view whole);
  bool close_part(Item& item, Part& part);
  bool say_arguments(Item& item, std::string_view raw, bool only_if_silent);
  bool name_tool(Item& item, const ResponsesItem& content);
  bool announce(Item& item);
  bool hand_on(Item& item, std::string_view whole);

  CallHandler& handler_;
  transport::Lifeline line_;
  std::string scratch_;  // the reader's
  std::string joined_;   // the joiners'
  std::vector<Item> items_;
  std::string id_;
  std::optional<int64_t> sequence_, known_;
  std::optional<std::string> seam_;
  uint64_t taken_ = 0;
  int tools_ = 0;
  bool begun_ = false, said_text_ = false, said_reasoning_ = false, said_opaque_ = false, too_large_ = false;
  std::string status_, incomplete_reason_;
  Usage usage_;
  ProviderError error_;
};

}  // namespace tokenrelay::upstream
