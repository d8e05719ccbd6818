#include "service/surface/responses/routes.h"

#include <charconv>

#include "service/api/await.h"
#include "service/api/compute.h"
#include "service/api/whole_answer.h"
#include "service/http/sse.h"
#include "service/surface/responses/encoder.h"
#include "service/surface/responses/own.h"
#include "service/surface/responses/parts.h"
#include "service/surface/responses/references.h"
#include "service/surface/responses/request.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Answer;
using http::Reply;
using http::Request;
using json::Value;
using FoundStream = tl::expected<std::shared_ptr<relay::Stream>, Reply>;

Profile profile() {
  return {Protocol::responses, http::sse::heartbeat, {}};
}

Reply refused(const Error& fault, const Request& request) {
  return error_reply(Protocol::responses, fault, request.request_id);
}

Reply object_reply(const Value& object) {
  return Reply{200, {}, json::dump(object), "application/json"};
}

std::shared_ptr<relay::Excerpts> new_excerpts(api::Api& api) {
  return std::make_shared<relay::Excerpts>(api.random, api::held_text_bytes);
}

// As the provider told it at its end; else as far as it has come.
Reply response_reply(const relay::Stream& stream, const Transcript& transcript) {
  const bool told = transcript.is_own() && !transcript.own_parts.empty();
  const std::string_view raw =
      told ? upstream::member_of(transcript.own_parts.back().json, "response") : std::string_view();
  // Some servers leave out at the end what they have said before.
  const std::string_view output = upstream::member_of(raw, "output");
  const bool leaves_out = (output.empty() || output == "[]") && !transcript.items.empty();
  const bool says_otherwise =
      transcript.done && transcript.done->failed() && upstream::member_of(raw, "status") == R"("completed")";
  if (!raw.starts_with('{') || says_otherwise || leaves_out) return object_reply(response_object(stream, transcript));
  const OwnResponse served{id_with("resp_", stream), transcript.start.value("background", false)};
  return Reply{200, {}, own_response(raw, served), "application/json"};
}

// The response as it is now.
asio::awaitable<Answer> object_now(api::Api& api, const Request& request, std::shared_ptr<relay::Stream> stream) {
  const auto transcript = std::make_shared<Transcript>();
  transcript->excerpts = new_excerpts(api);
  transcript->own.emplace(own_kind(Protocol::responses));
  transcript->keeps_own = is_last_own;
  const auto share = api.whole_reads.none();
  auto refusal = co_await read_transcript(request, stream, transcript, share);
  if (refusal) co_return std::move(*refusal);
  // A stream that runs changes while a worker would look at it; it has seldom much beside its texts.
  const size_t held = transcript->excerpts->held_bytes() + stream->row().metadata.size();
  std::function<Reply()> make = [stream, transcript] { return response_reply(*stream, *transcript); };
  Reply reply = co_await api::compute<Reply>(api.shard.worker(), stream->ended() ? held : 0, std::move(make));
  reply.headers = {{"Stream-Id", stream->id()}, {"Cache-Control", "no-store"}};
  co_return api::pieces_reply(api, std::move(reply), stream, transcript->excerpts, share, request);
}

// A run that failed before it had any output is the request's error; later, it is a response that failed.
Render render_for(const Request& request) {
  return [request_id = request.request_id](const relay::Stream& stream, const Transcript& transcript) {
    const auto& done = transcript.done;
    const bool said_nothing = done && done->failed() && done->error && transcript.items.empty();
    if (!said_nothing) return response_reply(stream, transcript);
    return error_reply(Protocol::responses, error_of(*done->error, stream.failure()), request_id);
  };
}

using Body = tl::expected<Value, Error>;
using Parsed = tl::expected<ResponsesRequest, Error>;

Body parse_body(const Request& request, json::Limits limits) {
  auto body = json::parse(request.body, limits);
  if (!body) return refuse("", "the body is not valid JSON: " + body.error().message);
  if (!body->is_object()) return refuse("", "the body must be a JSON object");
  return std::move(*body);
}

asio::awaitable<Answer> create(api::Api& api, const Request& request) {
  if (auto wrong = check_head(Protocol::responses, request)) co_return std::move(*wrong);
  const std::function<Body()> parse = [&request, limits = api.settings().json] { return parse_body(request, limits); };
  Body body = co_await api::compute<Body>(api.shard.worker(), request.body.size(), parse);
  if (!body) co_return refused(body.error(), request);
  auto referred = co_await resolve_references(api, request, *body);
  if (!referred) co_return std::move(referred.error());
  const size_t bytes = request.body.size() + (*referred ? (*referred)->bytes() : 0);
  const std::string_view raw = *referred ? std::string_view() : std::string_view(request.body);
  const std::function<Parsed()> read = [&body, raw, models = api.shard.model_table()] {
    const Value whole = std::move(*body);  // let go there too
    return read_responses_request(whole, raw, api::provider_of(*models, json::word(whole, "model")));
  };
  Parsed parsed = co_await api::compute<Parsed>(api.shard.worker(), bytes, read);
  if (!parsed) co_return refused(parsed.error(), request);
  const bool streams = parsed->stream, background = parsed->background;
  if (!background) parsed->on_disconnect = default_on_disconnect(api, Protocol::responses);
  auto started = co_await begin(api, request, Protocol::responses, std::move(*parsed), responses_field);
  if (!started) co_return std::move(started.error());
  *referred = nullptr;  // nobody waits for a share while holding one
  if (streams) {
    auto encoder = make_responses_encoder(facts_of(*started->stream), new_excerpts(api));
    co_return co_await stream_answer(api, request, profile(), std::move(*started), std::move(encoder));
  }
  if (background) co_return co_await object_now(api, request, started->stream);
  co_return whole_answer(api, request, Protocol::responses, started->stream,
                         {render_for(request), true, false, own_kind(Protocol::responses), is_last_own});
}

// A client that dials this surface as a WebSocket (Codex) falls back to HTTP at once on 426, and on no other status
// (CLIENTS.md, Responses over WebSocket: handshake).
http::Outcome no_socket(const Request& request) {
  if (request.header("upgrade")) {
    Reply reply =
        api::refuse(http::Code::upgrade_required, "Responses over WebSocket is not served: use POST", request);
    reply.headers.emplace_back("Upgrade", "HTTP/1.1");
    return reply;
  }
  Reply reply = api::refuse(http::Code::method_not_allowed, "this path does not support " + request.method, request);
  reply.headers.emplace_back("Allow", "POST");
  return reply;
}

asio::awaitable<FoundStream> find(api::Api& api, const Request& request) {
  std::string id = stream_id_of(request.captures.at(0), "resp_");
  co_return co_await find_stream(api, request, Protocol::responses, std::move(id));
}

tl::expected<std::optional<uint64_t>, Error> read_starting_after(const Request& request) {
  const auto text = request.query_value("starting_after");
  if (!text || text->empty()) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number >= UINT64_MAX - 1) {
    return refuse("starting_after", "must be a sequence number");
  }
  return number;
}

asio::awaitable<Answer> retrieve(api::Api& api, const Request& request) {
  const std::string_view stream = request.query_value("stream").value_or("");
  if (!stream.empty() && stream != "true" && stream != "false") {
    co_return refused(invalid("stream", "must be true or false"), request);
  }
  const auto after = read_starting_after(request);
  if (!after) co_return refused(after.error(), request);
  // openai-go's GetStreaming sends a cursor alone (CLIENTS.md, Responses: numbers).
  const bool streams = stream == "true" || (stream.empty() && after->has_value());
  auto found = co_await find(api, request);
  if (!found) co_return std::move(found.error());
  if (!streams) co_return co_await object_now(api, request, *found);
  auto encoder = make_responses_encoder(facts_of(**found), new_excerpts(api));
  co_return co_await resume_answer(api, request, profile(), *found, std::move(encoder), *after, "starting_after");
}

asio::awaitable<Answer> cancel(api::Api& api, const Request& request) {
  using Outcome = tl::expected<relay::Cancelled, relay::Refusal>;
  auto found = co_await find(api, request);
  if (!found) co_return std::move(found.error());
  const auto stream = *found;
  const Outcome outcome = co_await until<Outcome>([&](auto then) { relay::cancel(*stream, std::move(then)); });
  api.metrics.command("cancel", "http", outcome ? "ok" : "log_unavailable");
  if (!outcome) {
    co_return refused({503, "log_unavailable", "the log cannot take new events", "", 5'000, true}, request);
  }
  co_return co_await object_now(api, request, stream);
}

asio::awaitable<Answer> remove(api::Api& api, const Request& request) {
  using Removed = relay::Result<bool>;
  auto found = co_await find(api, request);
  if (!found) co_return std::move(found.error());
  const std::string id = (*found)->id(), shown = id_with("resp_", **found);
  const Removed removed = co_await until<Removed>([&](auto then) { api.shard.remove(id, std::move(then)); });
  if (!removed) co_return api::problem_of(removed.error(), request);
  co_return object_reply(Value{{"id", shown}, {"object", "response"}, {"deleted", true}});
}

http::Handler handle(api::Api& api, asio::awaitable<Answer> (*handler)(api::Api&, const Request&)) {
  return [&api, handler](const Request& request) -> http::Outcome { return handler(api, request); };
}

}  // namespace

void add_responses_routes(http::Router& router, api::Api& api) {
  router.add("POST", "/v1/responses", "/v1/responses", handle(api, create));
  router.add("GET", "/v1/responses", "/v1/responses", no_socket);
  router.add("POST", R"(/v1/responses/([^/]+)/cancel)", "/v1/responses/{id}/cancel", handle(api, cancel));
  router.add("GET", R"(/v1/responses/([^/]+))", "/v1/responses/{id}", handle(api, retrieve));
  router.add("DELETE", R"(/v1/responses/([^/]+))", "/v1/responses/{id}", handle(api, remove));
}

}  // namespace tokenrelay::surface
