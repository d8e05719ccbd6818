#include "service/upstream/responses/answer.h"

#include <algorithm>
#include <utility>

#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "service/json/write.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_held_bytes = 8u << 20;
constexpr size_t max_id_bytes = 256;  // of the response, and of a type's name

bool is_any(std::string_view type, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), type) != names.end();
}

bool is_real_error(std::string_view raw, std::string& scratch) {
  if (raw.empty()) return false;
  json::Reader in(raw, scratch);
  return read_error(in).has_value();
}

bool names_error(std::string_view type) {
  return type == "error" || type.ends_with(".error");
}

ItemPlace place_of(const ResponsesEvent& event, ItemKind kind, bool closes) {
  return {kind, event.item_id, {}, event.output_index, closes};
}

}  // namespace

ResponsesAnswer::Taken ResponsesAnswer::take(std::string_view payload, std::string_view name) {
  ResponsesEvent event = read_responses_event(payload, scratch_);
  if (!event.is_json) return not_json(payload);
  if (event.type.empty() && event.object == "response") {
    begun_ = true;
    return take_state(payload, {});
  }
  if (event.type.empty()) event.type = name;
  if (known_ && event.sequence && *event.sequence <= *known_) return Taken::event;
  transport::Lifeline::Watch watch(line_);
  if (const auto reason = std::exchange(seam_, std::nullopt)) {
    handler_.on_seam(*reason);
    if (watch.gone()) return Taken::gone;
  }
  if (own_.on() && !hand_on_own(payload, event)) return Taken::gone;
  // Some put only the error's own object into an event of that name.
  const bool bare = name == "error" && !event.type.starts_with("response.");
  if (bare || names_error(event.type) || is_real_error(event.error, scratch_)) return fail(payload);
  if (event.sequence) sequence_ = std::max(sequence_.value_or(*event.sequence), *event.sequence);
  ++taken_;
  const Taken taken = take_event(event);
  if (watch.gone()) return Taken::gone;
  return too_large_ ? Taken::too_large : taken;
}

// Events that come before an answer, or beside it: it may still begin anew.
bool ResponsesAnswer::hand_on_own(std::string_view payload, const ResponsesEvent& event) {
  const std::string_view type = event.type;
  if (type.empty()) return true;  // no client could take it
  if (const auto piece = own_piece(event)) return own_.delta(payload, *piece, event.raw_sequence);
  bool shows = !is_any(type, {"response.created", "response.queued", "response.in_progress", "response.completed",
                              "response.done", "response.incomplete", "response.failed", "response.cancelled",
                              "response.content_part.added", "response.reasoning_summary_part.added", "keepalive"}) &&
               !names_error(type);
  if (type == "response.output_item.added") {
    const ItemKind kind = kind_of_item(read_responses_item(event.item, scratch_).type);
    shows = kind != ItemKind::message && kind != ItemKind::reasoning;
  }
  return own_.event(payload, shows, event.raw_sequence);
}

// A delta that the neutral events repeat word by word: the first of a part may come with a blank line before it.
std::optional<OwnRecorder::Piece> ResponsesAnswer::own_piece(const ResponsesEvent& event) {
  using OwnVoice = OwnEvent::Voice;
  const std::string_view type = event.type;
  if (!type.ends_with(".delta") || event.delta.size() < 3 || event.delta.front() != '"') return std::nullopt;
  const std::string_view said = event.delta.substr(1, event.delta.size() - 2);
  if (is_any(type, {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})) {
    const OpenItem* const call = items_.find(place_of(event, ItemKind::call, false));
    if (!call || call->number < 0) return std::nullopt;
    return OwnRecorder::Piece{said, OwnVoice::tool_call, call->number};
  }
  const bool text = is_any(type, {"response.output_text.delta", "response.refusal.delta"});
  const bool summary = type == "response.reasoning_summary_text.delta";
  if (!text && !summary && type != "response.reasoning_text.delta") return std::nullopt;
  const OpenItem* const item = items_.find(place_of(event, text ? ItemKind::message : ItemKind::reasoning, false));
  const Voice voice = text ? Voice::text : (summary ? Voice::summary : Voice::reasoning);
  if (!item || item->voice != voice || item->part != event.part_index) return std::nullopt;
  return OwnRecorder::Piece{said, text ? OwnVoice::text : OwnVoice::reasoning};
}

// Some proxies write their error's lines into an event that is not finished.
ResponsesAnswer::Taken ResponsesAnswer::not_json(std::string_view payload) {
  const size_t line = payload.rfind('\n');
  if (line == payload.npos) return Taken::not_json;
  const std::string_view last = payload.substr(line + 1);
  const ResponsesEvent event = read_responses_event(last, scratch_);
  if (!event.is_json || !(names_error(event.type) || is_real_error(event.error, scratch_))) return Taken::not_json;
  return fail(last);
}

ResponsesAnswer::Taken ResponsesAnswer::fail(std::string_view payload) {
  error_ = parse_error_body(payload);
  return Taken::error;
}

ResponsesAnswer::Taken ResponsesAnswer::take_event(const ResponsesEvent& event) {
  std::string_view type = event.type;
  const auto go_on = [](bool alive) { return alive ? Taken::event : Taken::gone; };
  if (is_any(type, {"response.created", "response.queued", "response.in_progress", "response.completed",
                    "response.done", "response.incomplete", "response.failed", "response.cancelled"})) {
    begun_ = true;
    return take_state(event.response, type.substr(type.find('.') + 1));
  }
  const bool done = type.ends_with(".done");
  if (type == "response.output_item.added" || type == "response.output_item.done") return go_on(take_item(event, done));
  if (!done && !type.ends_with(".delta")) return Taken::event;
  type = type.substr(0, type.rfind('.'));
  if (is_any(type, {"response.output_text", "response.refusal"})) return go_on(take_part(event, Voice::text, done));
  if (type == "response.reasoning_summary_text") return go_on(take_part(event, Voice::summary, done));
  if (is_any(type, {"response.reasoning_text", "response.reasoning"}))
    return go_on(take_part(event, Voice::reasoning, done));
  if (is_any(type, {"response.function_call_arguments", "response.custom_tool_call_input"}))
    return go_on(take_arguments(event, done));
  return Taken::event;
}

bool ResponsesAnswer::take_part(const ResponsesEvent& event, Voice voice, bool done) {
  const ItemKind kind = voice == Voice::text ? ItemKind::message : ItemKind::reasoning;
  OpenItem* const item = item_at(place_of(event, kind, done));
  if (!item) return true;
  return say_part(*item, voice, event.part_index, responses_text(done ? event.text : event.delta, scratch_), done);
}

bool ResponsesAnswer::take_arguments(const ResponsesEvent& event, bool done) {
  OpenItem* const item = item_at(place_of(event, ItemKind::call, done));
  if (!item) return true;
  if (!event.name.empty() && !name_call(*item, event.name)) return false;
  if (!done) return say_arguments(*item, event.delta, false);
  return say_arguments(*item, event.arguments.empty() ? event.input : event.arguments, true);
}

// `type`: the end of the event's name ("completed"), or "" for a whole response that is not in an event.
ResponsesAnswer::Taken ResponsesAnswer::take_state(std::string_view raw, std::string_view type) {
  const ResponsesState state = read_responses_state(raw, scratch_);
  if (id_.empty() && state.id.size() <= max_id_bytes) id_ = state.id;
  update_usage(usage_, state.usage);
  if (is_any(type, {"created", "queued", "in_progress"})) return Taken::event;
  const bool known = is_any(state.status, {"completed", "incomplete", "failed", "cancelled"});
  const bool ends_well = is_any(type, {"", "completed", "done"});
  status_ = ends_well && (known || type.empty()) ? state.status : type;
  if (is_real_error(state.error, scratch_)) status_ = "failed";
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

void ResponsesAnswer::note_other(std::string_view type) {
  other_ = "an item of the type " + std::string(type.substr(0, max_id_bytes));
}

bool ResponsesAnswer::take_item(const ResponsesEvent& event, bool done) {
  const ResponsesItem content = read_responses_item(event.item, scratch_);
  const std::string id(responses_text(content.id, scratch_)), call_id(responses_text(content.call_id, scratch_));
  ItemPlace place = place_of(event, kind_of_item(content.type), false);
  if (!id.empty()) place.id = id;
  place.call_id = call_id;
  if (place.kind == ItemKind::other) note_other(content.type);
  OpenItem* item = items_.find(place);
  if (!item || (!done && item->added)) item = items_.add(place);
  begun_ = true;
  too_large_ |= !item || items_.too_large();
  if (!item) return true;
  item->added = true;
  item->closed |= done;
  return done ? settle(*item, content) : !item->is_call() || name_call(*item, content.name);
}

OpenItem* ResponsesAnswer::item_at(const ItemPlace& place) {
  OpenItem* item = items_.find(place);
  if (!item) item = items_.add(place);
  begun_ = true;
  too_large_ |= !item || items_.too_large();
  return item;
}

// `done`: `piece` is the whole part. What was said of it may have come under another index: some servers give every
// delta its own, others count a part that they do not send.
bool ResponsesAnswer::say_part(OpenItem& item, Voice voice, int64_t index, std::string_view piece, bool done) {
  if (voice != Voice::text && item.voice.value_or(voice) != voice) return true;
  if (done) {
    auto rest = index == item.part ? item.part_said.rest_of(piece) : std::nullopt;
    if (!rest) rest = item.said.rest_of(piece);
    if (rest) item.joiner.flush();  // half a character, which the whole part has whole
    piece = rest ? *rest : index > item.part ? piece : std::string_view();
  }
  if (piece.empty()) return true;
  item.voice = voice;
  if (index > item.part) {
    item.apart = voice == Voice::summary || item.part < 0;
    item.part = index;
    item.part_said = {};
  }
  const std::string_view whole = item.joiner.next(piece, joined_);
  if (index == item.part) item.part_said.add(whole);
  return whole.empty() || say(item, whole);
}

bool ResponsesAnswer::say(OpenItem& item, std::string_view whole) {
  item.said.add(whole);
  transport::Lifeline::Watch watch(line_);
  if (item.voice == Voice::text) {
    text_.add(whole);
    handler_.on_text(whole);
    return !watch.gone();
  }
  const bool apart = std::exchange(item.apart, false) && said_reasoning_;
  said_reasoning_ = true;
  handler_.on_reasoning(apart ? "\n\n" + std::string(whole) : whole);
  return !watch.gone();
}

bool ResponsesAnswer::say_arguments(OpenItem& item, std::string_view raw, bool done) {
  json::Reader in(raw, scratch_);
  // Usually a string; some servers send the object itself.
  std::string_view piece = in.peek() == json::Reader::Kind::string ? in.string() : raw;
  if (done) {
    const auto rest = item.said.rest_of(piece);
    if (!rest || rest->empty()) return true;
    item.joiner.flush();
    piece = *rest;
  }
  const std::string_view whole = item.joiner.next(piece, joined_);
  if (whole.empty()) return true;
  item.said.add(whole);
  if (item.number >= 0) return hand_on(item, whole);
  held_bytes_ += whole.size();
  too_large_ |= held_bytes_ > max_held_bytes;
  if (!too_large_) item.held += whole;
  return true;
}

bool ResponsesAnswer::name_call(OpenItem& item, std::string_view raw_name) {
  if (item.number >= 0) return true;
  const std::string name = json::repaired(responses_text(raw_name, scratch_));
  if (name.empty()) return true;
  item.number = tools_++;
  const std::string id = json::repaired(item.call_id), held = std::exchange(item.held, {});
  held_bytes_ -= held.size();
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(item.number, id, name, held);
  return !watch.gone();
}

bool ResponsesAnswer::hand_on(OpenItem& item, std::string_view whole) {
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(item.number, {}, {}, whole);
  return !watch.gone();
}

bool ResponsesAnswer::flush() {
  for (OpenItem& item : items_) {
    const std::string_view rest = item.joiner.flush();
    if (rest.empty() || (item.is_call() && item.number < 0)) continue;
    if (!(item.is_call() ? hand_on(item, rest) : say(item, rest))) return false;
  }
  return true;
}

Outcome ResponsesAnswer::outcome() const {
  Outcome outcome;
  outcome.usage = usage_;
  const bool nameless = std::any_of(items_.begin(), items_.end(), [](const OpenItem& item) {
    return item.is_call() && item.number < 0 && item.said.anything();
  });
  if (nameless) outcome.failure = protocol_error("the upstream sent a tool call without a name", 0);
  outcome.finish_reason = tools_ > 0 ? FinishReason::tool_calls : FinishReason::stop;
  if (!is_incomplete()) return outcome;
  if (incomplete_reason_ == "max_output_tokens" || incomplete_reason_ == "max_tokens") {
    outcome.finish_reason = FinishReason::length;
  } else if (incomplete_reason_ == "content_filter") {
    outcome.finish_reason = FinishReason::content_filter;
  } else {
    outcome.finish_reason = FinishReason::other;
    outcome.finish_reason_raw = raw_reason(incomplete_reason_.empty() ? status_ : incomplete_reason_);
    if (is_failure_reason(incomplete_reason_)) outcome.failure = error_of_reason(incomplete_reason_);
  }
  return outcome;
}

}  // namespace tokenrelay::upstream
