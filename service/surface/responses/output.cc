#include "service/surface/responses/output.h"

#include <charconv>

namespace tokenrelay::surface {
namespace {

using json::Value;

constexpr std::string_view stream_prefix = "strm_";
constexpr std::string_view item_prefixes[] = {"msg_", "rs_", "fc_"};

std::string_view prefix_of(Item::Kind kind) {
  switch (kind) {
    case Item::Kind::text:
      return "msg_";
    case Item::Kind::tool_call:
      return "fc_";
    case Item::Kind::reasoning:
    case Item::Kind::opaque:
      return "rs_";
  }
  return "";
}

Value one(Value value) {
  Value list = Value::array();
  list.push_back(std::move(value));
  return list;
}

Value reasoning_json(const Item& said) {
  Value item = {{"type", "reasoning"}, {"summary", Value::array()}};
  if (!said.text.empty()) item["summary"] = one(Value{{"type", "summary_text"}, {"text", said.text}});
  return item;
}

Value message_json(const Item& said) {
  Value part = {
      {"type", "output_text"}, {"text", said.text}, {"annotations", Value::array()}, {"logprobs", Value::array()}};
  return Value{{"type", "message"}, {"role", "assistant"}, {"content", one(std::move(part))}};
}

Value usage_json(const Done& done) {
  if (!done.counted()) return nullptr;
  const upstream::Usage& said = done.usage;
  const uint64_t in = said.input_tokens.value_or(0), out = said.output_tokens.value_or(0);
  return Value{{"input_tokens", in},
               {"input_tokens_details", Value{{"cached_tokens", said.cached_tokens.value_or(0)},
                                              {"cache_write_tokens", said.cache_write_tokens.value_or(0)}}},
               {"output_tokens", out},
               {"output_tokens_details", Value{{"reasoning_tokens", said.reasoning_tokens.value_or(0)}}},
               {"total_tokens", in + out}};
}

// The schema of OpenAI's clients has a closed list of codes. The event `error` and the native state have the relay's.
std::string_view openai_failure(std::string_view code) {
  if (code == "upstream_rate_limited") return "rate_limit_exceeded";
  return code == "upstream_bad_request" ? "invalid_prompt" : "server_error";
}

// The reason as OpenAI's clients know it; null, which they take, where the upstream gave none.
Value incomplete_details(const Done& done) {
  if (done.finish_reason == "length") return Value{{"reason", "max_output_tokens"}};
  if (done.finish_reason == "content_filter") return Value{{"reason", "content_filter"}};
  const bool unsaid = done.finish_reason_raw.empty() || done.finish_reason_raw == "incomplete";
  return unsaid ? Value() : Value{{"reason", done.finish_reason_raw}};
}

void add_ending(Value& out, const Value& start, const Done& done) {
  out["status"] = std::string(response_status(start, done));
  out["usage"] = usage_json(done);
  if (done.failed()) {
    const auto error = done.error.value_or(relay::StreamError{"server_error", "the answer is incomplete", false});
    out["error"] = Value{{"code", std::string(openai_failure(error.code))}, {"message", error.message}};
  }
  if (out["status"] == "incomplete") out["incomplete_details"] = incomplete_details(done);
}

Value metadata_of(const ResponseFacts& facts) {
  auto metadata = json::parse(facts.metadata);
  return metadata && metadata->is_object() ? std::move(*metadata) : Value::object();
}

}  // namespace

ResponseFacts facts_of(const relay::Stream& stream) {
  return {stream.id().substr(stream_prefix.size()), stream.row().model, stream.row().metadata,
          stream.row().created_ms / 1000};
}

bool Output::follow(const Transcript& transcript) {
  const size_t before = items_.size();
  for (; seen_ < transcript.items.size(); ++seen_) {
    const bool opaque = transcript.items[seen_].kind == Item::Kind::opaque;
    const bool joins =
        opaque && seen_ > 0 && transcript.items[seen_ - 1].kind == Item::Kind::reasoning && !items_.back().opaque;
    if (joins) {
      items_.back().opaque = seen_;
    } else {
      items_.push_back({seen_, opaque ? std::optional(seen_) : std::nullopt});
    }
  }
  return items_.size() > before;
}

std::string item_id(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number) {
  const auto kind = transcript.items[output.items()[number].said].kind;
  return std::string(prefix_of(kind)) + facts.key + "_" + std::to_string(number);
}

Value item_json(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number,
                std::string_view status) {
  const auto& place = output.items()[number];
  const Item& said = transcript.items[place.said];
  Value item = {{"id", item_id(facts, transcript, output, number)}};
  if (said.kind == Item::Kind::tool_call) {
    item.update(Value{{"type", "function_call"}, {"call_id", said.id}, {"name", said.name}, {"arguments", said.text}});
  } else {
    item.update(said.kind == Item::Kind::text ? message_json(said) : reasoning_json(said));
  }
  if (place.opaque) item["encrypted_content"] = json::dump(transcript.items[*place.opaque].opaque);
  item["status"] = std::string(status);
  return item;
}

std::optional<ItemReference> parse_item_id(std::string_view item_id) {
  for (const auto prefix : item_prefixes) {
    if (!item_id.starts_with(prefix)) continue;
    const auto rest = item_id.substr(prefix.size());
    const size_t bar = rest.rfind('_');
    if (bar == 0 || bar == rest.npos) return std::nullopt;
    ItemReference place{std::string(stream_prefix) + std::string(rest.substr(0, bar)), 0};
    const auto digits = rest.substr(bar + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.number);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return place;
  }
  return std::nullopt;
}

// A reason that other protocols have and this one has not is an end like any other. One that came in this protocol was
// the reason of an incomplete response.
std::string_view response_status(const Value& start, const Done& done) {
  if (done.failed()) return "failed";
  if (done.status == "cancelled") return "cancelled";
  const bool of_this_protocol = json::word(start, "provider") == "openai-responses";
  const bool incomplete = done.finish_reason == "length" || done.finish_reason == "content_filter" ||
                          (done.finish_reason == "other" && of_this_protocol);
  return incomplete ? "incomplete" : "completed";
}

Value response_object(const ResponseFacts& facts, const Transcript& transcript, const Output& output,
                      std::string_view status) {
  Value out = {{"id", "resp_" + facts.key},
               {"object", "response"},
               {"access_programs", nullptr},
               {"created_at", facts.created_s},
               {"status", std::string(status)},
               {"background", transcript.start.is_object() && transcript.start.value("background", false)},
               {"error", nullptr},
               {"incomplete_details", nullptr},
               {"instructions", nullptr},
               {"metadata", metadata_of(facts)},
               {"model", facts.model},
               {"output", Value::array()},
               {"parallel_tool_calls", true},
               {"previous_response_id", nullptr},
               {"store", true},
               {"temperature", nullptr},
               {"tool_choice", "auto"},
               {"tools", Value::array()},
               {"top_p", nullptr},
               {"usage", nullptr}};
  if (transcript.done) add_ending(out, transcript.start, *transcript.done);
  // If an answer is incomplete, so is its last item, unless it has its signature, which ends an item.
  const bool whole = out["status"] == "completed";
  const std::string_view last = whole ? "completed" : transcript.done ? "incomplete" : "in_progress";
  for (size_t i = 0; i < output.items().size(); ++i) {
    if (transcript.items[output.items()[i].said].voided) continue;
    const bool open = i + 1 == output.items().size() && !output.items()[i].opaque;
    out["output"].push_back(item_json(facts, transcript, output, i, open ? last : "completed"));
  }
  return out;
}

Value response_object(const relay::Stream& stream, const Transcript& transcript) {
  Output output;
  output.follow(transcript);
  const bool queued = stream.status() == "queued";
  return response_object(facts_of(stream), transcript, output, queued ? "queued" : "in_progress");
}

}  // namespace tokenrelay::surface
