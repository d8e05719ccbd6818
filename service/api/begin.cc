#include "service/api/begin.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "service/api/await.h"
#include "service/api/request_parts.h"

namespace tokenrelay::api {
namespace {

using http::Code;
using http::Request;
using MadeStream = relay::Result<relay::CreatedStream>;
using Wrong = tl::unexpected<BeginError>;

constexpr size_t max_key_bytes = 255;

bool visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

Wrong wrong(Code code, std::string field, std::string message) {
  return tl::make_unexpected(BeginError{code, std::move(field), std::move(message), std::nullopt});
}

Wrong wrong(relay::Error error) {
  return tl::make_unexpected(BeginError{Code::internal, "", "", std::move(error)});
}

// The stream to create, or why it cannot be created.
tl::expected<relay::NewStream, BeginError> prepare(Api& api, const Request& request, StreamRequest from) {
  const auto& models = api.shard.models();
  const std::string model = from.model.empty() ? models.default_model() : from.model;
  if (model.empty()) return wrong(Code::invalid_request, "model", "is required: no default is configured");
  auto route = models.find(model);
  if (!route) return wrong(Code::unknown_model, "model", "no upstream serves the model " + model);

  relay::NewStream what;
  what.prompt.request = {route->model, std::move(from.messages), std::move(from.parameters), request.request_id};
  if (const auto refused = route->upstream->provider->refuses(what.prompt.request)) {
    return wrong(Code::invalid_request, refused->field, refused->why);
  }
  what.overloaded = api.overloaded();
  what.owner = request.principal.owner;
  what.model = model;
  what.metadata = std::move(from.metadata);
  what.marks = std::move(from.marks);
  what.body_hash = sha256(request.body);
  if (const auto key = request.header("idempotency-key")) {
    what.idempotency_key = request.principal.owner + "\n" + request.route + "\n" + std::string(*key);
  }
  what.prompt.route = std::move(*route);
  what.prompt.prompt_bytes = from.prompt_bytes;
  what.prompt.on_disconnect = from.on_disconnect;
  return what;
}

}  // namespace

std::optional<BeginError> check_head(const Request& request) {
  if (!request.has_length) {
    return BeginError{Code::length_required, "", "the body needs Content-Length or Transfer-Encoding: chunked",
                      std::nullopt};
  }
  if (auto why = not_json(request)) {
    return BeginError{Code::unsupported_media_type, "", std::move(*why), std::nullopt};
  }
  const auto key = request.header("idempotency-key");
  if (key && (key->empty() || key->size() > max_key_bytes || !visible_ascii(*key))) {
    return BeginError{Code::invalid_request, "", "Idempotency-Key must be 1 to 255 visible ASCII characters",
                      std::nullopt};
  }
  return std::nullopt;
}

// A stream that belongs to another owner is answered like one that does not exist.
asio::awaitable<Started> join(Api& api, const Request& request, relay::EventId cursor) {
  auto found = co_await until<OpenedStream>([&](auto then) { api.shard.open_run(cursor.run, std::move(then)); });
  if (!found && found.error().code != relay::Errc::not_found) co_return wrong(found.error());
  if (!found || !may_see(request.principal, **found)) {
    co_return wrong(Code::unknown_cursor, "", "Last-Event-ID is not the id of an event in an existing stream");
  }
  if ((*found)->row().body_hash != sha256(request.body)) {
    co_return wrong(Code::idempotency_conflict, "", "the body differs from the one that started this stream");
  }
  co_return StartedStream{std::move(*found), std::move(cursor), true};
}

asio::awaitable<Started> create(Api& api, const Request& request, StreamRequest from) {
  auto what = prepare(api, request, std::move(from));
  if (!what) co_return tl::make_unexpected(std::move(what.error()));
  const std::string logged = api.settings().log_prompts ? what->prompt.request.messages : std::string();
  MadeStream made = co_await until<MadeStream>([&](auto then) { api.shard.create(std::move(*what), std::move(then)); });
  if (!made) co_return wrong(made.error());
  if (!logged.empty() && !made->existing) spdlog::info("prompt {} {}", made->stream->id(), logged);
  co_return StartedStream{made->stream, std::nullopt, made->existing};
}

std::string provider_of(Api& api, const std::string& model) {
  const auto& models = api.shard.models();
  const auto route = models.find(model.empty() ? models.default_model() : model);
  return route ? std::string(route->upstream->provider->kind()) : std::string();
}

}  // namespace tokenrelay::api
