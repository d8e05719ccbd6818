#include "service/surface/begin.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "service/api/await.h"
#include "service/api/request_parts.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Reply;
using http::Request;
using MadeStream = relay::Result<relay::CreatedStream>;
using Refused = tl::unexpected<Reply>;

constexpr size_t max_key_bytes = 255;
constexpr int64_t max_cancel_after_ms = 24 * 3600 * 1000;
// How long the head of an answer is held back for a refusal's status: an upstream that is slow to take a request must
// not make the relay look dead (CLIENTS.md, Every client: refusals and retries).
constexpr int64_t hold_ms = 5'000;

Refused fault(Dialect dialect, const Request& request, Error what) {
  return tl::make_unexpected(error_reply(dialect, what, request.request_id));
}

bool visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// On-Disconnect: continue | cancel | cancel_after_ms=N
tl::expected<std::optional<relay::OnDisconnect>, std::string> read_on_disconnect(const Request& request) {
  using Action = relay::OnDisconnect::Action;
  const auto header = request.header("on-disconnect");
  if (!header) return std::nullopt;
  if (*header == "continue") return relay::OnDisconnect{Action::keep_going, 0};
  if (*header == "cancel") return relay::OnDisconnect{Action::cancel, 0};
  constexpr std::string_view after = "cancel_after_ms=";
  int64_t ms = -1;
  if (header->starts_with(after)) {
    const auto digits = header->substr(after.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ms);
    if (error != std::errc() || end != digits.data() + digits.size()) ms = -1;
  }
  if (ms < 0 || ms > max_cancel_after_ms) {
    return tl::make_unexpected(std::string("must be continue, cancel or cancel_after_ms=N"));
  }
  return relay::OnDisconnect{Action::cancel_after, ms};
}

asio::awaitable<tl::expected<StartedStream, Reply>> join(api::Api& api, const Request& request, Dialect dialect,
                                                         relay::EventId cursor) {
  auto found = co_await until<api::OpenedStream>([&](auto then) { api.shard.open_run(cursor.run, std::move(then)); });
  if (!found && found.error().code != relay::Errc::not_found) {
    co_return tl::make_unexpected(api::problem_of(found.error(), request));
  }
  if (!found || !api::may_see(request.principal, **found)) {
    co_return fault(dialect, request,
                    {404, "unknown_cursor", "Last-Event-ID names no stream that exists", "", std::nullopt, false});
  }
  if ((*found)->row().body_hash != api::sha256(request.body)) {
    co_return fault(
        dialect, request,
        {422, "idempotency_conflict", "the body is not the one that began this stream", "", std::nullopt, false});
  }
  co_return StartedStream{std::move(*found), std::move(cursor), true};
}

// What is to be created, or why it cannot be.
tl::expected<relay::NewStream, Reply> prepare(api::Api& api, const Request& request, Dialect dialect,
                                              SurfaceRequest asked, const FieldName& field_name) {
  const auto wanted = read_on_disconnect(request);
  if (!wanted) return fault(dialect, request, invalid("On-Disconnect", wanted.error()));
  const auto& models = api.shard.models();
  const std::string model = asked.model.empty() ? models.default_model() : asked.model;
  if (model.empty()) return fault(dialect, request, invalid("model", "is required: no default is configured"));
  auto route = models.find(model);
  if (!route) {
    return fault(dialect, request,
                 {404, "unknown_model", "no upstream serves the model " + model, "model", std::nullopt, false});
  }
  relay::NewStream what;
  what.prompt.request = {route->model, std::move(asked.messages), std::move(asked.parameters), request.request_id};
  if (const auto refused = route->upstream->provider->refuses(what.prompt.request)) {
    return fault(dialect, request, invalid(field_name(refused->field), refused->why));
  }
  what.overloaded = api.overloaded();
  what.owner = request.principal.owner;
  what.model = model;
  what.metadata = std::move(asked.metadata);
  what.marks = std::move(asked.marks);
  what.body_hash = api::sha256(request.body);
  if (const auto key = request.header("idempotency-key")) {
    what.idempotency_key = request.principal.owner + "\n" + request.route + "\n" + std::string(*key);
  }
  what.prompt.route = std::move(*route);
  what.prompt.prompt_bytes = asked.prompt_bytes;
  what.prompt.on_disconnect = wanted->value_or(asked.on_disconnect);
  return what;
}

asio::awaitable<tl::expected<StartedStream, Reply>> create(api::Api& api, const Request& request,
                                                           relay::NewStream what) {
  const std::string logged = api.settings().log_prompts ? what.prompt.request.messages : std::string();
  MadeStream made = co_await until<MadeStream>([&](auto then) { api.shard.create(std::move(what), std::move(then)); });
  if (!made) co_return tl::make_unexpected(api::problem_of(made.error(), request));
  if (!logged.empty() && !made->existing) spdlog::info("prompt {} {}", made->stream->id(), logged);
  co_return StartedStream{made->stream, std::nullopt, made->existing};
}

}  // namespace

std::string same_name(const std::string& neutral_field) {
  constexpr std::string_view prefix = "parameters.";
  return neutral_field.starts_with(prefix) ? neutral_field.substr(prefix.size()) : neutral_field;
}

std::optional<Reply> check_head(Dialect dialect, const Request& request) {
  if (!request.has_length) {
    return api::refuse(http::Code::length_required, "a body with its length is required", request);
  }
  if (auto why = api::not_json(request)) {
    return api::refuse(http::Code::unsupported_media_type, std::move(*why), request);
  }
  const auto key = request.header("idempotency-key");
  if (key && (key->empty() || key->size() > max_key_bytes || !visible_ascii(*key))) {
    return error_reply(dialect, invalid("", "Idempotency-Key must be 1 to 255 visible ASCII characters"),
                       request.request_id);
  }
  return std::nullopt;
}

std::string provider_of(api::Api& api, const std::string& model) {
  const auto& models = api.shard.models();
  const auto route = models.find(model.empty() ? models.default_model() : model);
  return route ? std::string(route->upstream->provider->kind()) : std::string();
}

relay::OnDisconnect default_on_disconnect(api::Api& api) {
  return api.settings().surface_on_disconnect;
}

asio::awaitable<tl::expected<StartedStream, Reply>> begin(api::Api& api, const Request& request, Dialect dialect,
                                                          SurfaceRequest asked, FieldName field_name) {
  const auto cursor = api::read_cursor(request);
  if (!cursor) co_return fault(dialect, request, invalid("", cursor.error()));
  if (*cursor) co_return co_await join(api, request, dialect, **cursor);
  auto what = prepare(api, request, dialect, std::move(asked), field_name);
  if (!what) co_return tl::make_unexpected(std::move(what.error()));
  co_return co_await create(api, request, std::move(*what));
}

asio::awaitable<std::optional<Reply>> refusal_of(const Request& request, Dialect dialect,
                                                 const std::shared_ptr<relay::Stream>& stream) {
  co_await until<bool>([&](auto then) { stream->when_answered(hold_ms, [then = std::move(then)] { then(true); }); });
  if (!stream->ended() || !stream->failure() || stream->said_anything()) co_return std::nullopt;
  const auto& failure = *stream->failure();
  const relay::StreamError error{std::string(upstream::name_of(failure.code)), failure.message, failure.retryable};
  Reply reply = error_reply(dialect, error_of(error, failure), request.request_id);
  reply.headers.emplace_back("Stream-Id", stream->id());
  co_return reply;
}

asio::awaitable<tl::expected<std::shared_ptr<relay::Stream>, Reply>> find_stream(api::Api& api, const Request& request,
                                                                                 Dialect dialect, std::string id) {
  auto found = co_await until<api::OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found && found.error().code != relay::Errc::not_found) {
    co_return tl::make_unexpected(api::problem_of(found.error(), request));
  }
  if (!found || !api::may_see(request.principal, **found)) {
    co_return fault(dialect, request, {404, "not_found", "there is nothing by this id", "", std::nullopt, false});
  }
  co_return std::move(*found);
}

}  // namespace tokenrelay::surface
