#include "service/surface/anthropic/routes.h"

#include "service/api/compute.h"
#include "service/json/exact.h"
#include "service/surface/anthropic/blocks.h"
#include "service/surface/anthropic/encoder.h"
#include "service/surface/anthropic/fold.h"
#include "service/surface/anthropic/opaque.h"
#include "service/surface/anthropic/request.h"

namespace tokenrelay::surface {
namespace {

using http::Answer;
using http::Request;
using json::Value;

constexpr std::string_view heartbeat = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

std::string header_of(const Request& request, const char* name) {
  const auto value = request.header(name);
  return value ? std::string(*value) : std::string();
}

MessageFacts facts_of(const relay::Stream& stream) {
  return {id_with("msg_", stream), stream.row().model};
}

// An answer that was ended in mid-stream has no reason of its provider's.
http::Reply own_reply(const relay::Stream& stream, const Transcript& transcript) {
  const Done done = transcript.done.value_or(Done{});
  MessageFold fold;
  transcript.each_own([&fold](Value event) { fold.take(std::move(event)); });
  Value message = std::move(fold).message();
  const bool counted = message.contains("usage");
  const MessageFacts facts = facts_of(stream);
  complete_message(message, facts.id, facts.model);
  message["id"] = facts.id;
  if (!counted) message["usage"] = anthropic_usage(done);
  const bool ended = !message.value("stop_reason", Value()).is_null();
  if (!ended && done.failed()) return http::Reply{0, {}, {}, {}};
  if (!ended) message["stop_reason"] = anthropic_stop_reason(done);
  return http::Reply{200, {}, json::dump_exact(message), "application/json"};
}

http::Reply render(const relay::Stream& stream, const Transcript& transcript) {
  if (transcript.is_own()) return own_reply(stream, transcript);
  return http::Reply{200, {}, json::dump(anthropic_message(facts_of(stream), transcript)), "application/json"};
}

asio::awaitable<Answer> message(api::Api& api, const Request& request) {
  if (auto refused = check_head(Protocol::anthropic, request)) co_return std::move(*refused);
  const AnthropicHeaders headers{header_of(request, "anthropic-version"), header_of(request, "anthropic-beta")};
  using Parsed = tl::expected<AnthropicRequest, Error>;
  const std::function<Parsed()> parse = [&request, &headers, limits = api.settings().json,
                                         models = api.shard.model_table()] {
    return parse_anthropic_request(request.body, limits, headers,
                                   [&models](const std::string& model) { return api::provider_of(*models, model); });
  };
  Parsed parsed = co_await api::compute<Parsed>(api.shard.worker(), request.body.size(), parse);
  if (!parsed) co_return error_reply(Protocol::anthropic, parsed.error(), request.request_id);
  parsed->on_disconnect = default_on_disconnect(api, Protocol::anthropic);
  const bool streams = parsed->stream;
  const FieldName field_name = parsed->field_name;
  auto started = co_await begin(api, request, Protocol::anthropic, std::move(*parsed), field_name);
  if (!started) co_return std::move(started.error());
  if (!streams)
    co_return whole_answer(api, request, Protocol::anthropic, started->stream,
                           {render, false, true, own_kind(Protocol::anthropic)});
  auto encoder = make_anthropic_encoder(facts_of(*started->stream));
  co_return co_await stream_answer(api, request, {Protocol::anthropic, heartbeat, {}}, std::move(*started),
                                   std::move(encoder));
}

// Arguments that are not an object are from an answer that was cut. They are kept, under a name that shows that they
// are not input.
Value input_of(const std::string& arguments) {
  if (arguments.empty()) return Value::object();
  auto input = json::parse(arguments);
  return input && input->is_object() ? std::move(*input) : Value{{"INVALID_JSON", arguments}};
}

// A signature belongs to the thinking before it.
void add_opaque(const Value& opaque, Value& blocks) {
  Value block = opaque_block(opaque);
  if (!block.is_null()) return blocks.push_back(std::move(block));
  const bool unsigned_thinking =
      !blocks.empty() && blocks.back()["type"] == "thinking" && blocks.back()["signature"] == "";
  if (!unsigned_thinking) blocks.push_back(Value{{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
  blocks.back()["signature"] = json::word(opaque, "data");
}

Value blocks_of(const Transcript& transcript) {
  Value blocks = Value::array();
  for (const Item& item : transcript.items) {
    if (item.voided) continue;
    switch (item.kind) {
      case Item::Kind::text:
        blocks.push_back(anthropic_text_block(item.text));
        break;
      case Item::Kind::reasoning:
        blocks.push_back(Value{{"type", "thinking"}, {"thinking", item.text}, {"signature", ""}});
        break;
      case Item::Kind::tool_call:
        blocks.push_back(anthropic_tool_block(item.id, item.name, input_of(item.text)));
        break;
      case Item::Kind::opaque:
        add_opaque(item.opaque, blocks);
        break;
    }
  }
  return blocks;
}

}  // namespace

std::string anthropic_stop_reason(const Done& done) {
  if (done.finish_reason == "length") return "max_tokens";
  if (done.finish_reason == "tool_calls") return "tool_use";
  if (done.finish_reason == "content_filter") return "refusal";
  if (done.finish_reason == "other" && done.finish_reason_raw == "pause_turn") return "pause_turn";
  if (done.finish_reason == "stop" && !done.stop_sequence.empty()) return "stop_sequence";
  return "end_turn";  // also for a cancelled answer: it was ended on purpose, and the protocol has no reason for that
}

Value anthropic_stop_sequence(const Done& done) {
  return anthropic_stop_reason(done) == "stop_sequence" ? Value(done.stop_sequence) : Value();
}

// Its input is what was neither read from a cache nor written to one: these cost something else.
Value anthropic_usage(const Done& done) {
  const upstream::Usage& said = done.usage;
  const uint64_t cached = said.cached_tokens.value_or(0) + said.cache_write_tokens.value_or(0);
  const auto or_null = [](const upstream::Usage::Count& count) { return count ? Value(*count) : Value(); };
  Value usage = {{"input_tokens", said.input_tokens.value_or(0) - std::min(cached, said.input_tokens.value_or(0))},
                 {"output_tokens", said.output_tokens.value_or(0)},
                 {"cache_creation_input_tokens", or_null(said.cache_write_tokens)},
                 {"cache_read_input_tokens", or_null(said.cached_tokens)},
                 {"output_tokens_details", nullptr},
                 {"server_tool_use", nullptr}};
  if (said.reasoning_tokens) usage["output_tokens_details"] = Value{{"thinking_tokens", *said.reasoning_tokens}};
  return usage;
}

Value anthropic_text_block(std::string text) {
  return Value{{"type", "text"}, {"text", std::move(text)}, {"citations", Value::array()}};
}

Value anthropic_tool_block(std::string_view id, std::string_view name, Value input) {
  return Value{{"type", "tool_use"},
               {"id", std::string(id)},
               {"name", std::string(name)},
               {"input", std::move(input)},
               {"caller", Value{{"type", "direct"}}}};
}

Value anthropic_message(const MessageFacts& facts, Value content, Value stop_reason, const Done& done) {
  Value usage = anthropic_usage(done);
  for (const char* unknown : {"cache_creation", "inference_geo", "service_tier", "speed"}) usage[unknown] = nullptr;
  return Value{{"id", facts.id},
               {"type", "message"},
               {"role", "assistant"},
               {"model", facts.model},
               {"content", std::move(content)},
               {"stop_reason", std::move(stop_reason)},
               {"stop_sequence", anthropic_stop_sequence(done)},
               {"stop_details", nullptr},
               {"container", nullptr},
               {"diagnostics", nullptr},
               {"usage", std::move(usage)}};
}

Value anthropic_message(const MessageFacts& facts, const Transcript& transcript) {
  const Done done = transcript.done.value_or(Done{});
  return anthropic_message(facts, blocks_of(transcript), anthropic_stop_reason(done), done);
}

void add_anthropic_routes(http::Router& router, api::Api& api) {
  router.add("POST", "/v1/messages", "/v1/messages",
             [&api](const Request& request) -> http::Outcome { return message(api, request); });
}

}  // namespace tokenrelay::surface
