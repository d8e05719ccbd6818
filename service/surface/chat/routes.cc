#include "service/surface/chat/routes.h"

#include <map>

#include "service/api/compute.h"
#include "service/http/sse.h"
#include "service/json/exact.h"
#include "service/surface/chat/encoder.h"
#include "service/surface/chat/own.h"
#include "service/surface/chat/request.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using http::Answer;
using http::Request;
using json::Value;

asio::awaitable<Answer> complete(api::Api& api, const Request& request) {
  if (auto refused = check_head(Protocol::chat, request)) co_return std::move(*refused);
  using Parsed = tl::expected<ChatRequest, Error>;
  const std::function<Parsed()> parse = [&request, limits = api.settings().json, models = api.shard.model_table()] {
    return parse_chat_request(request.body, limits,
                              [&models](const std::string& model) { return api::provider_of(*models, model); });
  };
  Parsed parsed = co_await api::compute<Parsed>(api.shard.worker(), request.body.size(), parse);
  if (!parsed) co_return error_reply(Protocol::chat, parsed.error(), request.request_id);
  parsed->on_disconnect = default_on_disconnect(api, Protocol::chat);
  const bool streams = parsed->stream, include_usage = parsed->include_usage;
  auto started = co_await begin(api, request, Protocol::chat, std::move(*parsed));
  if (!started) co_return std::move(started.error());
  if (!streams)
    co_return whole_answer(api, request, Protocol::chat, started->stream,
                           {chat_completion, false, false, own_kind(Protocol::chat)});
  auto encoder = make_chat_encoder(*started->stream, include_usage);
  co_return co_await stream_answer(api, request, {Protocol::chat, http::sse::heartbeat, {}}, std::move(*started),
                                   std::move(encoder));
}

Value tool_calls_of(const Transcript& transcript) {
  Value calls = Value::array();
  std::map<uint64_t, size_t> places;  // by the call's index
  for (const auto& item : transcript.items) {
    if (item.voided) continue;
    if (item.kind == Item::Kind::tool_call) {
      places[item.index] = calls.size();
      calls.push_back(Value{
          {"id", item.id}, {"type", "function"}, {"function", Value{{"name", item.name}, {"arguments", item.text}}}});
    }
    if (item.kind != Item::Kind::opaque || json::word(item.opaque, "type") != "thought_signature") continue;
    const auto index = item.opaque.find("index");
    if (index == item.opaque.end() || !index->is_number_unsigned()) continue;
    const auto place = places.find(index->get<uint64_t>());
    if (place == places.end()) continue;
    calls[place->second]["extra_content"] = thought_signature(json::word(item.opaque, "data"));
  }
  return calls;
}

// An answer that was ended in mid-stream has no reason of its provider's.
http::Reply own_reply(const relay::Stream& stream, const Transcript& transcript) {
  const Done done = transcript.done.value_or(Done{});
  CompletionFold fold;
  transcript.each_own([&fold](Value chunk) { fold.take(std::move(chunk)); });
  Value completion = std::move(fold).completion();
  bool ended = false, failed = completion.contains("error") && !completion["error"].is_null();
  for (Value& choice : completion["choices"]) {
    failed |= !choice.value("error", Value()).is_null();
    const bool unsaid = choice.value("finish_reason", Value()).is_null();
    ended |= !unsaid;
    if (unsaid) choice["finish_reason"] = chat_finish_reason(done);
  }
  if ((!ended || failed) && done.failed()) return http::Reply{0, {}, {}, {}};
  completion["id"] = id_with("chatcmpl-", stream);
  if (!completion.contains("created")) completion["created"] = stream.row().created_ms / 1000;
  if (!completion.contains("model")) completion["model"] = stream.row().model;
  if (completion.value("usage", Value()).is_null()) completion["usage"] = chat_usage(done);
  return http::Reply{200, {}, json::dump_exact(completion), "application/json"};
}

}  // namespace

std::string chat_finish_reason(const Done& done) {
  // This protocol has no reason for a cancelled answer, which was ended on purpose, nor for `other`.
  return done.finish_reason.empty() || done.finish_reason == "other" ? "stop" : done.finish_reason;
}

Value chat_usage(const Done& done) {
  if (!done.counted()) return nullptr;
  const upstream::Usage& said = done.usage;
  const uint64_t in = said.input_tokens.value_or(0), out = said.output_tokens.value_or(0);
  Value usage = {{"prompt_tokens", in}, {"completion_tokens", out}, {"total_tokens", in + out}};
  // What the upstream did not tell is left out: these members are optional, and a zero would be a lie.
  const auto detail = [&usage](const char* of, const char* name, const upstream::Usage::Count& count) {
    if (count) usage[of][name] = *count;
  };
  detail("prompt_tokens_details", "cached_tokens", said.cached_tokens);
  detail("prompt_tokens_details", "cache_write_tokens", said.cache_write_tokens);
  detail("prompt_tokens_details", "audio_tokens", said.audio_input_tokens);
  detail("completion_tokens_details", "reasoning_tokens", said.reasoning_tokens);
  detail("completion_tokens_details", "audio_tokens", said.audio_output_tokens);
  return usage;
}

http::Reply chat_completion(const relay::Stream& stream, const Transcript& transcript) {
  if (transcript.is_own()) return own_reply(stream, transcript);
  Value message = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  const Value calls = tool_calls_of(transcript);
  const std::string text = transcript.text(), reasoning = transcript.reasoning();
  if (!text.empty() || calls.empty()) message["content"] = text;
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!calls.empty()) message["tool_calls"] = calls;
  const Done done = transcript.done.value_or(Done{});
  Value choice = {
      {"index", 0}, {"message", message}, {"logprobs", nullptr}, {"finish_reason", chat_finish_reason(done)}};
  Value out = {{"id", id_with("chatcmpl-", stream)},
               {"object", "chat.completion"},
               {"created", stream.row().created_ms / 1000},
               {"model", stream.row().model},
               {"choices", Value::array()}};
  out["choices"].push_back(std::move(choice));
  out["usage"] = chat_usage(done);
  return http::Reply{200, {}, json::dump(out), "application/json"};
}

void add_chat_routes(http::Router& router, api::Api& api) {
  router.add("POST", "/v1/chat/completions", "/v1/chat/completions",
             [&api](const Request& request) -> http::Outcome { return complete(api, request); });
}

}  // namespace tokenrelay::surface
