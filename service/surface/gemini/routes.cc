#include "service/surface/gemini/routes.h"

#include <algorithm>

#include "service/api/compute.h"
#include "service/json/exact.h"
#include "service/surface/gemini/chunk.h"
#include "service/surface/gemini/encoder.h"
#include "service/surface/gemini/fold.h"
#include "service/surface/gemini/opaque.h"
#include "service/surface/gemini/request.h"

namespace tokenrelay::surface {
namespace {

using http::Answer;
using http::Request;
using json::Value;

// An empty block: most of Google's clients fail at a comment, and Go's at a single blank line (CLIENTS.md, Every
// client: heartbeats). Between the elements of an array, white space is a heartbeat.
constexpr std::string_view heartbeat = "\n\n", array_heartbeat = "\n";

bool wants_events(const Request& request) {
  return std::any_of(request.query.begin(), request.query.end(), [](const auto& parameter) {
    return (parameter.first == "alt" || parameter.first == "$alt") && parameter.second == "sse";
  });
}

using Parsed = tl::expected<SurfaceRequest, Error>;

Parsed read_request(const Request& request, json::Limits limits, const relay::ModelTable& models) {
  const std::string& model = request.captures.at(0);
  if (model.size() > api::max_model_bytes) return tl::make_unexpected(invalid("model", "must have at most 256 bytes"));
  const auto body = json::parse(request.body, limits);
  if (!body) return tl::make_unexpected(invalid("", "the body is not valid JSON: " + body.error().message));
  if (!body->is_object()) return tl::make_unexpected(invalid("", "the body must be a JSON object"));
  return read_gemini_request(*body, request.body, model, api::provider_of(models, model));
}

http::Reply whole(const relay::Stream& stream, const Transcript& transcript);

asio::awaitable<Answer> generate(api::Api& api, const Request& request, bool streams) {
  if (auto refused = check_head(Protocol::gemini, request)) co_return std::move(*refused);
  const std::function<Parsed()> read = [&request, limits = api.settings().json, models = api.shard.model_table()] {
    return read_request(request, limits, *models);
  };
  Parsed parsed = co_await api::compute<Parsed>(api.shard.worker(), request.body.size(), read);
  if (!parsed) co_return error_reply(Protocol::gemini, parsed.error(), request.request_id);
  parsed->stream = streams;
  parsed->on_disconnect = default_on_disconnect(api, Protocol::gemini);
  const bool as_array = !wants_events(request);
  auto started = co_await begin(api, request, Protocol::gemini, std::move(*parsed), gemini_field);
  if (!started) co_return std::move(started.error());
  if (!streams)
    co_return whole_answer(api, request, Protocol::gemini, started->stream,
                           {whole, false, true, own_kind(Protocol::gemini)});
  auto encoder = make_gemini_encoder(gemini_facts(*started->stream), as_array);
  Profile profile{Protocol::gemini, heartbeat, {}};
  if (as_array) profile = {Protocol::gemini, array_heartbeat, {{"Content-Type", "application/json"}}};
  co_return co_await stream_answer(api, request, std::move(profile), std::move(*started), std::move(encoder));
}

std::string signature_of_call(const Transcript& transcript, uint64_t index) {
  for (const auto& item : transcript.items) {
    const bool of_call = item.kind == Item::Kind::opaque && item.opaque.value("index", Value()) == index;
    if (of_call) return gemini_signature(item.opaque);
  }
  return {};
}

void append_part(std::string& parts, const std::string& part) {
  if (!parts.empty() && !part.empty()) parts += ',';
  parts += part;
}

// An answer that was ended in mid-stream has no reason of its provider's.
http::Reply own_reply(const relay::Stream& stream, const Transcript& transcript) {
  const Done done = transcript.done.value_or(Done{});
  ResponseFold fold;
  transcript.each_own([&fold](Value chunk) { fold.take(std::move(chunk)); });
  const bool ended = fold.has_reason();
  if (!ended && done.failed()) return http::Reply{0, {}, {}, {}};
  Value response = std::move(fold).response();
  if (!ended && response.contains("candidates") && response["candidates"].is_array()) {
    for (Value& candidate : response["candidates"]) candidate["finishReason"] = gemini_finish_reason(done, false);
  }
  if (response.contains("responseId")) response["responseId"] = gemini_facts(stream).id;
  return http::Reply{200, {}, json::dump_exact(response), "application/json"};
}

http::Reply whole(const relay::Stream& stream, const Transcript& transcript) {
  if (transcript.is_own()) return own_reply(stream, transcript);
  return http::Reply{200, {}, gemini_response(gemini_facts(stream), transcript), "application/json"};
}

}  // namespace

GeminiFacts gemini_facts(const relay::Stream& stream) {
  return {id_with("", stream), stream.row().model};
}

std::string gemini_response(const GeminiFacts& facts, const Transcript& transcript) {
  std::string parts;
  bool malformed = false;
  for (const auto& item : transcript.items) {
    if (item.voided) continue;
    std::string part;
    if (item.kind == Item::Kind::tool_call) {
      part = gemini_call_part(item.id, item.name, item.text, signature_of_call(transcript, item.index));
      malformed |= part.empty();
    } else if (item.kind != Item::Kind::opaque) {
      append_gemini_text(part, item.text, item.kind == Item::Kind::reasoning);
    } else if (!item.opaque.contains("index")) {
      part = gemini_signature_part(item.opaque);
    }
    append_part(parts, part);
  }
  if (parts.empty()) parts = R"({"text":""})";
  const Done done = transcript.done.value_or(Done{});
  std::string body;
  append_gemini_chunk(body, parts, gemini_finish_reason(done, malformed), gemini_usage(done), gemini_tail(facts));
  return body;
}

void add_gemini_routes(http::Router& router, api::Api& api) {
  for (const std::string root : {"/v1beta", "/v1"}) {
    const auto add = [&](const std::string& method, bool streams) {
      router.add("POST", root + "/models/(.+):" + method, root + "/models/{model}:" + method,
                 [&api, streams](const Request& request) -> http::Outcome { return generate(api, request, streams); });
    };
    add("streamGenerateContent", true);
    add("generateContent", false);
  }
}

}  // namespace tokenrelay::surface
