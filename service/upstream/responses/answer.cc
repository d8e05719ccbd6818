#include "service/upstream/responses/answer.h"

#include <algorithm>
#include <utility>

#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "service/json/write.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_items = 4096, max_parts = 1024, max_held_bytes = 8u << 20;
constexpr size_t max_id_bytes = 256, max_reason_bytes = 100;

std::vector<std::string_view> elements(std::string_view raw, std::string& scratch) {
  std::vector<std::string_view> all;
  json::Reader in(raw, scratch);
  if (in.peek() == json::Reader::Kind::array) in.array([&] { all.push_back(in.raw()); });
  return all;
}

bool is_any(std::string_view type, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), type) != names.end();
}

bool is_call(std::string_view item_type) {
  return item_type == "function_call" || item_type == "custom_tool_call";
}

}  // namespace

ResponsesAnswer::Taken ResponsesAnswer::take(std::string_view payload) {
  const ResponsesEvent event = read_responses_event(payload, scratch_);
  if (!event.is_json) return Taken::not_json;
  if (event.type.empty() && event.object == "response") {
    begun_ = true;
    return take_state(payload, {});
  }
  if (known_ && event.sequence && *event.sequence <= *known_) return Taken::event;
  transport::Lifeline::Watch watch(line_);
  if (const auto reason = std::exchange(seam_, std::nullopt)) {
    handler_.on_seam(*reason);
    if (watch.gone()) return Taken::gone;
  }
  if (event.type == "error" || (event.type.empty() && !event.error.empty())) {
    error_ = parse_error_body(payload);
    return Taken::error;
  }
  if (event.sequence) sequence_ = std::max(sequence_.value_or(*event.sequence), *event.sequence);
  ++taken_;
  const Taken taken = take_event(event);
  if (watch.gone()) return Taken::gone;
  return too_large_ ? Taken::too_large : taken;
}

ResponsesAnswer::Taken ResponsesAnswer::take_event(const ResponsesEvent& event) {
  const std::string_view type = event.type;
  const auto go_on = [](bool alive) { return alive ? Taken::event : Taken::gone; };
  const auto part = [&](Voice voice, std::string_view raw, bool done) {
    return go_on(say_part(item_of(event), voice, event.part_index, raw, done));
  };
  if (type == "response.output_text.delta" || type == "response.refusal.delta")
    return part(Voice::text, event.delta, false);
  if (type == "response.reasoning_summary_text.delta") return part(Voice::summary, event.delta, false);
  if (type == "response.reasoning_text.delta" || type == "response.reasoning.delta")
    return part(Voice::reasoning, event.delta, false);
  if (type == "response.function_call_arguments.delta" || type == "response.custom_tool_call_input.delta")
    return go_on(say_arguments(item_of(event), event.delta, false));
  if (type == "response.output_text.done" || type == "response.refusal.done")
    return part(Voice::text, event.text, true);
  if (type == "response.reasoning_summary_text.done") return part(Voice::summary, event.text, true);
  if (type == "response.reasoning_text.done" || type == "response.reasoning.done")
    return part(Voice::reasoning, event.text, true);
  if (type == "response.function_call_arguments.done" || type == "response.custom_tool_call_input.done")
    return go_on(say_arguments(item_of(event), event.arguments.empty() ? event.input : event.arguments, true));
  if (type == "response.output_item.added" || type == "response.output_item.done")
    return go_on(take_item(event, type.ends_with("done")));
  if (is_any(type, {"response.created", "response.queued", "response.in_progress", "response.completed",
                    "response.done", "response.incomplete", "response.failed", "response.cancelled"})) {
    begun_ = true;
    return take_state(event.response, type.substr(type.find('.') + 1));
  }
  return Taken::event;
}

// `type`: the end of the event's name ("completed"), or "" for a whole response that is not in an event.
ResponsesAnswer::Taken ResponsesAnswer::take_state(std::string_view raw, std::string_view type) {
  const ResponsesState state = read_responses_state(raw, scratch_);
  if (id_.empty() && state.id.size() <= max_id_bytes) id_ = state.id;
  if (state.usage.input_tokens || state.usage.output_tokens) usage_ = state.usage;
  if (is_any(type, {"created", "queued", "in_progress"})) return Taken::event;
  const bool known = is_any(state.status, {"completed", "incomplete", "failed", "cancelled"});
  status_ = known || type.empty() ? state.status : type;
  incomplete_reason_ = state.incomplete_reason;
  if (status_ == "failed" || status_ == "cancelled") {
    if (status_ == "cancelled") error_.message = "the response was cancelled at the upstream";
    json::Reader in(state.error, scratch_);
    if (auto said = state.error.empty() ? std::nullopt : read_error(in)) error_ = std::move(*said);
    return Taken::error;
  }
  if (type.empty() && !known) {
    error_.message = "the upstream's response is not finished";
    return Taken::error;
  }
  if (!take_output(state.output)) return Taken::gone;
  return too_large_ ? Taken::too_large : Taken::end;
}

// The items in a response count only if deltas brought nothing of their kind: some servers give them new indexes and
// ids, so the two cannot be matched.
bool ResponsesAnswer::take_output(std::string_view raw) {
  const Scope scope{!said_text_, !said_reasoning_, tools_ == 0, !said_opaque_};
  for (const std::string_view element : elements(raw, scratch_)) {
    if (items_.size() >= max_items) {
      too_large_ = true;
      return true;
    }
    items_.push_back({});
    items_.back().index = -2;  // never matches a lookup
    if (!settle(items_.back(), read_responses_item(element, scratch_), scope)) return false;
  }
  return true;
}

bool ResponsesAnswer::take_item(const ResponsesEvent& event, bool done) {
  const ResponsesItem content = read_responses_item(event.item, scratch_);
  ResponsesEvent place = event;
  if (place.item_id.empty() && content.id.size() > 2) place.item_id = content.id.substr(1, content.id.size() - 2);
  Item* item = &item_of(place);
  if (!done && item->added) item = &new_item(place);
  item->added = true;
  if (done) return settle(*item, content, {});
  return !is_call(content.type) || name_tool(*item, content);
}

bool ResponsesAnswer::settle(Item& item, const ResponsesItem& content, const Scope& scope) {
  if (content.type == "message" && scope.text) return settle_parts(item, Voice::text, content.content);
  if (content.type == "reasoning") {
    if (scope.reasoning && !settle_parts(item, Voice::summary, content.summary)) return false;
    if (scope.reasoning && !settle_parts(item, Voice::reasoning, content.content)) return false;
    return !scope.opaque || settle_opaque(content);
  }
  if (!is_call(content.type) || !scope.tools) return true;
  return name_tool(item, content) &&
         say_arguments(item, content.arguments.empty() ? content.input : content.arguments, true);
}

bool ResponsesAnswer::settle_parts(Item& item, Voice voice, std::string_view raw) {
  const auto parts = elements(raw, scratch_);
  for (size_t i = 0; i < parts.size() && !too_large_; ++i) {
    std::string_view text;
    json::Reader in(parts[i], scratch_);
    if (in.peek() != json::Reader::Kind::object) continue;
    in.object([&](std::string_view key) {
      if (key == "text" || key == "refusal") text = in.raw();
    });
    if (!say_part(item, voice, static_cast<int64_t>(i), text, true)) return false;
  }
  return true;
}

bool ResponsesAnswer::settle_opaque(const ResponsesItem& content) {
  const std::string data(responses_text(content.encrypted, scratch_));
  if (data.empty()) return true;
  said_opaque_ = true;
  std::string opaque = R"({"provider":"openai-responses","type":"encrypted_reasoning","id":)";
  json::append_string(opaque, responses_text(content.id, scratch_));
  opaque += ",\"data\":";
  json::append_string(opaque, data);
  opaque += '}';
  transport::Lifeline::Watch watch(line_);
  handler_.on_opaque(opaque);
  return !watch.gone();
}

// Finds the item by its output_index, else by its id. The latest first, since some servers number every item 0.
ResponsesAnswer::Item& ResponsesAnswer::item_of(const ResponsesEvent& event) {
  const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const Item& item) {
    return event.output_index ? item.index == *event.output_index : item.id == event.item_id;
  });
  return found != items_.rend() ? *found : new_item(event);
}

ResponsesAnswer::Item& ResponsesAnswer::new_item(const ResponsesEvent& event) {
  begun_ = true;
  if (items_.size() >= max_items) {
    too_large_ = true;
    return items_.back();
  }
  items_.push_back({});
  items_.back().index = event.output_index.value_or(-1);
  items_.back().id = event.item_id.substr(0, max_id_bytes);
  return items_.back();
}

ResponsesAnswer::Part& ResponsesAnswer::part_of(Item& item, Voice voice, int64_t index) {
  const auto found = std::find_if(item.parts.rbegin(), item.parts.rend(),
                                  [&](const Part& part) { return part.voice == voice && part.index == index; });
  if (found != item.parts.rend()) return *found;
  if (item.parts.size() >= max_parts) {
    too_large_ = true;
    return item.parts.back();
  }
  item.parts.push_back({voice, index, false, {}});
  return item.parts.back();
}

// `only_if_silent`: `raw` is the whole part at its end, for servers that send no deltas.
bool ResponsesAnswer::say_part(Item& item, Voice voice, int64_t index, std::string_view raw, bool only_if_silent) {
  if (too_large_) return true;
  if (voice != Voice::text && item.reasoning_voice.value_or(voice) != voice) return true;
  Part& part = part_of(item, voice, index);
  if (too_large_) return true;
  if (only_if_silent && part.said) return close_part(item, part);
  const std::string_view piece = responses_text(raw, scratch_);
  if (piece.empty()) return true;
  if (voice != Voice::text) item.reasoning_voice = voice;
  if (!say(item, part, part.joiner.next(piece, joined_))) return false;
  return !only_if_silent || close_part(item, part);
}

bool ResponsesAnswer::say(Item& item, Part& part, std::string_view whole) {
  const bool first = !part.said;
  part.said = true;  // even if only half a character has arrived
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  if (part.voice == Voice::text) {
    said_text_ = true;
    handler_.on_text(whole);
    return !watch.gone();
  }
  const bool next_item = item.parts.size() == 1;
  const bool apart = first && said_reasoning_ && (part.voice == Voice::summary || next_item);
  said_reasoning_ = true;
  handler_.on_reasoning(apart ? "\n\n" + std::string(whole) : whole);
  return !watch.gone();
}

bool ResponsesAnswer::close_part(Item& item, Part& part) {
  const std::string_view rest = part.joiner.flush();
  return rest.empty() || say(item, part, rest);
}

bool ResponsesAnswer::say_arguments(Item& item, std::string_view raw, bool only_if_silent) {
  if (too_large_) return true;
  item.is_tool = true;
  if (only_if_silent && item.has_arguments) return true;
  json::Reader in(raw, scratch_);
  // Usually a string; some servers send the object itself.
  const std::string_view piece = in.peek() == json::Reader::Kind::string ? in.string() : raw;
  if (piece.empty()) return true;
  item.has_arguments = true;
  const std::string_view whole = item.arguments.next(piece, joined_);
  if (item.number >= 0) return whole.empty() || hand_on(item, whole);
  too_large_ = item.held.size() + whole.size() > max_held_bytes;
  if (!too_large_) item.held += whole;
  return true;
}

bool ResponsesAnswer::name_tool(Item& item, const ResponsesItem& content) {
  item.is_tool = true;
  if (item.number >= 0) return true;
  if (item.call_id.empty()) item.call_id = json::repaired(responses_text(content.call_id, scratch_));
  if (item.name.empty()) item.name = json::repaired(responses_text(content.name, scratch_));
  return item.name.empty() || announce(item);
}

bool ResponsesAnswer::announce(Item& item) {
  item.number = tools_++;
  const std::string id = item.call_id, name = item.name, held = std::move(item.held);
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(item.number, id, name, held);
  return !watch.gone();
}

bool ResponsesAnswer::hand_on(Item& item, std::string_view whole) {
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(item.number, {}, {}, whole);
  return !watch.gone();
}

bool ResponsesAnswer::flush() {
  for (Item& item : items_) {
    for (Part& part : item.parts) {
      if (!close_part(item, part)) return false;
    }
    if (!item.is_tool) continue;
    const std::string_view rest = item.arguments.flush();
    if (item.number < 0) {
      item.held += rest;
      if (!announce(item)) return false;
    } else if (!rest.empty() && !hand_on(item, rest)) {
      return false;
    }
  }
  return true;
}

Outcome ResponsesAnswer::outcome() const {
  Outcome outcome;
  outcome.usage = usage_;
  outcome.finish_reason = tools_ > 0 ? FinishReason::tool_calls : FinishReason::stop;
  if (status_ != "incomplete") return outcome;
  if (incomplete_reason_ == "max_output_tokens" || incomplete_reason_ == "max_tokens") {
    outcome.finish_reason = FinishReason::length;
  } else if (incomplete_reason_ == "content_filter") {
    outcome.finish_reason = FinishReason::content_filter;
  } else {
    outcome.finish_reason = FinishReason::other;
    outcome.finish_reason_raw = raw_reason(incomplete_reason_.empty() ? status_ : incomplete_reason_);
  }
  return outcome;
}

}  // namespace tokenrelay::upstream
