#include "service/surface/responses/encoder.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/surface/error.h"
#include "service/surface/own_replay.h"
#include "service/surface/responses/own.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

// Events are in the order that the accumulator in OpenAI's SDK requires. Text and reasoning end where the next item
// begins; a tool call ends only with the answer, because calls may be interleaved in the log.
class ResponsesEncoder final : public Encoder {
 public:
  ResponsesEncoder(ResponseFacts facts, std::shared_ptr<relay::Excerpts> excerpts)
      : Encoder(true), facts_(std::move(facts)) {
    transcript_.excerpts = std::move(excerpts);
    served_.id = "resp_" + facts_.key;
  }

  bool merges() const override { return !own_.began(); }  // the provider's deltas come one by one, as it sent them

  std::shared_ptr<const relay::Excerpts> take_excerpts() override {
    const bool marked = std::exchange(marked_, false);
    return marked ? transcript_.excerpts : nullptr;
  }

 private:
  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    const OwnReplay::Step step = own_.take(kind, payload);
    if (kind == EventKind::start) served_.background = says_background(payload);
    // What the provider's own events say is known in neutral words, too: for the last object, after a steer.
    if (kind != EventKind::own && (own_.began() || own_.was_own())) {
      said_.excerpts = transcript_.excerpts;
      said_.add(seq() - merged, seq(), kind, payload);
    }
    if (step == OwnReplay::Step::begin || kind == EventKind::start) start(kind, payload, step);
    switch (step) {
      case OwnReplay::Step::skip:
        return;
      case OwnReplay::Step::event:
        return own_event(own_.json());
      case OwnReplay::Step::delta:
        return own_delta(merged);
      case OwnReplay::Step::begin:
      case OwnReplay::Step::translate:
        return translate(kind, payload, merged);
    }
  }

  // The start event is told at once, unless the provider's own may come instead.
  void start(EventKind kind, std::string_view payload, OwnReplay::Step step) {
    if (kind == EventKind::start) start_ = payload;
    if (kind != EventKind::start || step == OwnReplay::Step::translate) tell_start();
  }

  void tell_start() {
    transcript_.add(0, 1, EventKind::start, start_);
    whole("response.created", "in_progress");
    whole("response.in_progress", "in_progress");
  }

  // --- the provider's own
  void own_event(const std::string& raw) {
    keeps_all(raw.size());
    const std::string type = own_type(raw);
    own_ended_ |= ends_response(type);
    own_error_ |= type == "error";  // response.failed is still due
    if (type == "response.output_item.added" || type == "response.output_item.done") note_item(raw, type);
    write(is_event_name(type) ? type : std::string(), own_response_event(raw, served_, number_of_next()));
  }

  void own_delta(uint64_t merged) {
    const std::string& raw = own_.json();
    const std::string type = own_type(raw);
    json_ = "{\"sequence_number\":" + std::to_string(number_of_next(merged)) + ",";
    json_ += std::string_view(raw).substr(raw.find('{') + 1);
    write_delta(is_event_name(type) ? type : std::string(), json_, merged);
  }

  // An item that is done may be large: it is not needed.
  void note_item(std::string_view raw, std::string_view type) {
    const std::string_view index = upstream::member_of(raw, "output_index");
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), number);
    if (error != std::errc() || end != index.data() + index.size() || number > most_items) return;
    first_number_ = std::max(first_number_, number + 1);
    own_items_.erase(number);
    if (type == "response.output_item.done") return;
    auto item = json::parse(upstream::member_of(raw, "item"), json::deepest);
    if (item && item->is_object()) own_items_[number] = std::move(*item);
  }

  // Nothing more comes of the provider's: items that are open end as they are, and what follows is of new ones.
  void leave_own() {
    for (auto& [number, item] : std::exchange(own_items_, {})) {
      if (!item.is_object()) continue;
      item["status"] = "incomplete";
      const bool speaks = json::word(item, "type") == "message" && !said_.items.empty();
      if (speaks && said_.items.back().kind == Item::Kind::text) {
        item["content"] = Value::array();
        item["content"].push_back(text_part(said_.items.back().text));
      }
      write_whole("response.output_item.done", Value{{"type", "response.output_item.done"},
                                                     {"sequence_number", number_of_next()},
                                                     {"output_index", number},
                                                     {"item", std::move(item)}});
    }
    transcript_.start = said_.start.is_null() ? json::parse(start_).value_or(Value::object()) : said_.start;
    said_.start = transcript_.start;
  }

  void keeps_all(size_t more) {
    const size_t held = transcript_.excerpts ? transcript_.excerpts->held_bytes() : held_bytes();
    keeps(held + own_.held_bytes() + (transcript_.excerpts ? 0 : more));
  }

  static constexpr uint64_t most_items = 1 << 20;

  static bool says_background(std::string_view start) {
    bool background = false;
    std::string scratch;
    json::Reader in(start, scratch);
    in.object([&](std::string_view key) {
      if (key == "background") background = in.boolean();
    });
    return background;
  }

  void translate(EventKind kind, std::string_view payload, uint64_t merged) {
    if (kind == EventKind::start) return;
    if (kind == EventKind::steer || kind == EventKind::done) leave_own_if_open();
    if (kind == EventKind::done && own_ended_ && !own_.was_own()) return;
    transcript_.add(seq() - merged, seq(), kind, payload);
    keeps_all(payload.size());
    const bool begins = output_.follow(transcript_);
    switch (kind) {
      case EventKind::start:
        return;
      case EventKind::text:
        if (begins) begin_text();
        return delta("response.output_text.delta", position_, payload, R"(,"logprobs":[]})", merged);
      case EventKind::reasoning:
        if (begins) begin_reasoning();
        return delta("response.reasoning_summary_text.delta", position_, payload, "}", merged);
      case EventKind::tool_call:
        return tool_call(payload, begins, merged);
      case EventKind::opaque:
        return opaque(begins);
      case EventKind::done:
        return end(*transcript_.done);
      case EventKind::steer:
        return drop_calls();
      case EventKind::upstream:
      case EventKind::own:
        return;
    }
  }

  void leave_own_if_open() {
    const bool was = own_.began() || own_.was_own();
    if (was && !own_ended_ && !std::exchange(left_own_, true)) leave_own();
  }

  // --- events about one item
  void event(std::string_view name, size_t number, const Value& members) {
    Value out = {{"type", std::string(name)}, {"sequence_number", number_of_next()}};
    if (!members.contains("item")) out["item_id"] = item_id(facts_, transcript_, output_, number);
    out["output_index"] = number + first_number_;
    out.update(members);
    write_whole(name, out);
  }

  // What may contain a whole text.
  void write_whole(std::string_view name, const Value& object) {
    marked_ |= transcript_.excerpts && transcript_.excerpts->any();
    write(name, json::dump(object));
  }

  void item_added(size_t number, const Value& without) {
    Value item = item_json(facts_, transcript_, output_, number, "in_progress");
    item.update(without);  // its content follows in deltas
    event("response.output_item.added", number, Value{{"item", std::move(item)}});
  }

  void item_done(size_t number, std::string_view status) {
    Value item = item_json(facts_, transcript_, output_, number, status);
    event("response.output_item.done", number, Value{{"item", std::move(item)}});
  }

  void begin_text() {
    const size_t number = begin_item("content_index");
    item_added(number, Value{{"content", Value::array()}});
    event("response.content_part.added", number, Value{{"content_index", 0}, {"part", text_part("")}});
  }

  void begin_reasoning() {
    const size_t number = begin_item("summary_index");
    item_added(number, Value{{"summary", Value::array()}});
    event("response.reasoning_summary_part.added", number, Value{{"summary_index", 0}, {"part", summary_part("")}});
  }

  size_t begin_item(std::string_view part_index) {
    close_open("completed");
    open_ = output_.items().size() - 1;
    position_ = position_of(*open_);
    position_ += ",\"";
    position_ += part_index;
    position_ += "\":0,\"delta\":";
    return *open_;
  }

  std::string position_of(size_t number) const {
    return R"(,"item_id":")" + item_id(facts_, transcript_, output_, number) + R"(","output_index":)" +
           std::to_string(number + first_number_);
  }

  void delta(std::string_view name, std::string_view place, std::string_view text, std::string_view tail,
             uint64_t merged) {
    json_ = R"({"type":")";
    json_ += name;
    json_ += R"(","sequence_number":)" + std::to_string(number_of_next(merged));
    json_ += place;
    json::append_string(json_, text);
    json_ += tail;
    write_delta(name, json_, merged);
  }

  static Value text_part(const std::string& text) {
    return Value{
        {"type", "output_text"}, {"text", text}, {"annotations", Value::array()}, {"logprobs", Value::array()}};
  }
  static Value summary_part(const std::string& text) { return Value{{"type", "summary_text"}, {"text", text}}; }

  // Ends the text or reasoning that is open, if any.
  void close_open(std::string_view status) {
    if (!open_) return;
    const size_t number = *open_;
    open_.reset();
    const Item& said = transcript_.items[output_.items()[number].said];
    if (said.kind == Item::Kind::text) {
      event("response.output_text.done", number,
            Value{{"content_index", 0}, {"text", said.text}, {"logprobs", Value::array()}});
      event("response.content_part.done", number, Value{{"content_index", 0}, {"part", text_part(said.text)}});
    } else {
      event("response.reasoning_summary_text.done", number, Value{{"summary_index", 0}, {"text", said.text}});
      event("response.reasoning_summary_part.done", number,
            Value{{"summary_index", 0}, {"part", summary_part(said.text)}});
    }
    item_done(number, status);
  }

  void opaque(bool begins) {
    if (!begins) return close_open("completed");  // it belongs to the reasoning before it
    close_open("completed");
    const size_t number = output_.items().size() - 1;
    item_added(number, Value::object());
    item_done(number, "completed");
  }

  void tool_call(std::string_view payload, bool begins, uint64_t merged) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    if (begins) {
      close_open("completed");
      const size_t number = output_.items().size() - 1;
      calls_[piece->index] = number;
      item_added(number, Value{{"arguments", ""}});
    }
    const auto call = calls_.find(piece->index);
    if (call == calls_.end()) return;
    const std::string place = position_of(call->second) + ",\"delta\":";
    delta("response.function_call_arguments.delta", place, piece->arguments, "}", merged);
  }

  void close_calls(bool complete) {
    for (const auto& [index, number] : calls_) {
      const bool cut = !complete && number + 1 == output_.items().size();
      const Item& said = transcript_.items[output_.items()[number].said];
      event("response.function_call_arguments.done", number, Value{{"name", said.name}, {"arguments", said.text}});
      item_done(number, cut ? "incomplete" : "completed");
    }
  }

  // Calls before a steer are void: they end as incomplete, without a done event, and are not in the final output.
  void drop_calls() {
    for (const auto& [index, number] : std::exchange(calls_, {})) item_done(number, "incomplete");
  }

  // --- events about the whole
  void whole(std::string_view name, std::string_view status) {
    Value response;
    if (left_own_) {
      Output all;
      all.follow(said_);
      response = response_object(facts_, said_, all, status);
    } else {
      response = response_object(facts_, transcript_, output_, status);
    }
    write_whole(
        name,
        Value{{"type", std::string(name)}, {"sequence_number", number_of_next()}, {"response", std::move(response)}});
  }

  void end(const Done& done) {
    const auto status = response_status(transcript_.start, done);
    if (status == "failed") {
      error(done);
      return whole("response.failed", status);
    }
    close_open(status == "completed" ? "completed" : "incomplete");
    // Clients act on a call that is done, so a call that was cancelled in the middle is not.
    if (status != "cancelled") close_calls(status == "completed");
    // The protocol has no event for a cancelled answer that its clients would accept; `response.status` is "cancelled".
    whole(status == "completed" ? "response.completed" : "response.incomplete", status);
  }

  void error(const Done& done) {
    if (own_error_) return;
    const auto said = done.error.value_or(relay::StreamError{"server_error", "the answer is incomplete", false});
    auto event = json::parse(error_json(Protocol::responses, error_of(said, std::nullopt), ""));
    if (!event) return;
    (*event)["sequence_number"] = number_of_next();
    write("error", json::dump(*event));
  }

  const ResponseFacts facts_;
  Transcript transcript_;
  Output output_;
  std::optional<size_t> open_;        // the text or reasoning item that is open
  std::string position_;              // the members of its deltas that name the item
  std::map<uint64_t, size_t> calls_;  // from the log's index of a call to its item's number
  std::string json_;                  // reused
  OwnReplay own_{own_kind(Protocol::responses)};
  OwnResponse served_;
  Transcript said_;                      // of a stream with own events: all of it in neutral words
  std::map<uint64_t, Value> own_items_;  // that are open
  uint64_t first_number_ = 0;            // of the items after them
  bool own_ended_ = false, own_error_ = false, left_own_ = false;
  std::string start_;
  bool marked_ = false;  // what was written since take_excerpts() may have marks
};

}  // namespace

std::unique_ptr<Encoder> make_responses_encoder(ResponseFacts facts, std::shared_ptr<relay::Excerpts> excerpts) {
  return std::make_unique<ResponsesEncoder>(std::move(facts), std::move(excerpts));
}

}  // namespace tokenrelay::surface
