// POST /v1/streams: starts a stream, or joins the one that an idempotency key or a re-sent POST's cursor names.
#include "service/api/create.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "service/api/await.h"
#include "service/api/create_request.h"
#include "service/api/request_parts.h"
#include "service/api/sse_reader.h"
#include "service/api/stream_json.h"

namespace tokenrelay::api {
namespace {

using http::Answer;
using http::Code;
using http::Reply;
using http::Request;
using MadeStream = relay::Result<relay::CreatedStream>;

constexpr size_t max_key_bytes = 255;

bool visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// What is wrong with the request before its body is looked at.
std::optional<Reply> check_head(const Request& request) {
  if (!request.has_length) return refuse(Code::length_required, "a body with its length is required", request);
  if (auto why = not_json(request)) return refuse(Code::unsupported_media_type, std::move(*why), request);
  if (const auto key = request.header("idempotency-key");
      key && (key->empty() || key->size() > max_key_bytes || !visible_ascii(*key))) {
    return refuse(Code::invalid_request, "Idempotency-Key must be 1 to 255 visible ASCII characters", request);
  }
  return std::nullopt;
}

// The answer for a stream that exists: its JSON, or its events from `place` on.
Answer answer_with(Api& api, const Request& request, std::shared_ptr<relay::Stream> stream, Place place, int status) {
  http::HeaderList headers = {{"Location", stream_path(stream->id())}, {"Stream-Id", stream->id()}};
  if (!request.accepts("text/event-stream")) {
    return Reply{status, std::move(headers), json::dump(created_json(*stream)), "application/json"};
  }
  return read_stream(api, std::move(stream), place, std::move(headers));
}

// Where a POST that is sent again goes on. At the terminal event: that event again (a fetch-based client would ask for
// ever).
Place place_for(const relay::Stream& stream, const std::optional<relay::EventId>& cursor, bool coalesce) {
  Place place{0, relay::Verdict::start, coalesce};
  if (!cursor) return place;
  place.verdict = relay::judge(stream.runs(), stream.durable(), *cursor);
  if (place.verdict == relay::Verdict::exact) place.after = cursor->seq;
  if (stream.ended() && place.after == stream.durable()) --place.after;
  return place;
}

asio::awaitable<Answer> resume(Api& api, const Request& request, relay::EventId cursor, bool coalesce) {
  OpenedStream found =
      co_await until<OpenedStream>([&](auto then) { api.shard.open_run(cursor.run, std::move(then)); });
  if (!found && found.error().code == relay::Errc::not_found) {
    co_return refuse(Code::unknown_cursor, "Last-Event-ID names no stream that exists", request);
  }
  const bool later = !found && found.error().code == relay::Errc::unreadable && request.accepts("text/event-stream");
  if (later) co_return come_back_later(api, "unreadable");  // it starts nothing, so 503 is not for it
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) {
    co_return refuse(Code::unknown_cursor, "Last-Event-ID names no stream that exists", request);
  }
  if (stream->row().body_hash != sha256(request.body)) {
    co_return refuse(Code::idempotency_conflict, "the body is not the one that began this stream", request);
  }
  co_return answer_with(api, request, stream, place_for(*stream, cursor, coalesce), 200);
}

asio::awaitable<Answer> start(Api& api, const Request& request, bool coalesce) {
  auto body = parse_create_request(request.body, api.settings().json_depth);
  if (!body) co_return refuse(Code::invalid_request, body.error(), request);
  const auto& models = api.shard.models();
  const std::string model = body->model.empty() ? models.default_model() : body->model;
  if (model.empty())
    co_return refuse(Code::invalid_request, "\"model\" is required: no default is configured", request);
  auto route = models.find(model);
  if (!route) co_return refuse(Code::unknown_model, "no upstream serves this model", request);

  relay::NewStream what;
  what.overloaded = api.overloaded();
  what.owner = request.principal.owner;
  what.model = model;
  what.metadata = std::move(body->metadata);
  what.body_hash = sha256(request.body);
  if (const auto key = request.header("idempotency-key")) {
    what.idempotency_key = request.principal.owner + "\n" + request.route + "\n" + std::string(*key);
  }
  what.prompt.request = {route->model, std::move(body->messages), std::move(body->parameters), request.request_id};
  if (const auto cannot = route->upstream->provider->refuses(what.prompt.request)) {
    co_return refuse(Code::invalid_request, cannot->field + ": " + cannot->why, request);
  }
  what.prompt.route = std::move(*route);
  what.prompt.prompt_bytes = body->prompt_bytes;
  what.prompt.on_disconnect = body->on_disconnect;

  const std::string logged = api.settings().log_prompts ? what.prompt.request.messages : std::string();
  MadeStream made = co_await until<MadeStream>([&](auto then) { api.shard.create(std::move(what), std::move(then)); });
  if (!made) co_return problem_of(made.error(), request);
  if (!logged.empty() && !made->existing) spdlog::info("prompt {} {}", made->stream->id(), logged);
  const Place place = place_for(*made->stream, std::nullopt, coalesce);
  co_return answer_with(api, request, made->stream, place, made->existing ? 200 : 201);
}

}  // namespace

asio::awaitable<Answer> create_stream(Api& api, const Request& request) {
  if (auto refused = check_head(request)) co_return std::move(*refused);
  const auto cursor = read_cursor(request);
  if (!cursor) co_return refuse(Code::invalid_request, cursor.error(), request);
  const auto coalesce = read_coalesce(request);
  if (!coalesce) co_return refuse(Code::invalid_request, coalesce.error(), request);
  if (*cursor) co_return co_await resume(api, request, **cursor, *coalesce);
  co_return co_await start(api, request, *coalesce);
}

}  // namespace tokenrelay::api
