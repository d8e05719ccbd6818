#include "service/api/begin.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "service/api/await.h"
#include "service/api/compute.h"
#include "service/api/known_models.h"
#include "service/api/own_headers.h"
#include "service/api/request_parts.h"
#include "service/relay/start_event.h"
#include "service/upstream/own_request.h"

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

using ReadyStream = tl::expected<relay::NewStream, BeginError>;

// A request that goes up as the client wrote it needs the neutral form for a fallback of another kind only.
bool needs_neutral(const relay::Route& route, const std::string& own_kind) {
  return std::any_of(route.fallbacks.begin(), route.fallbacks.end(),
                     [&](const relay::Route& fallback) { return fallback.upstream->provider->kind() != own_kind; });
}

void add_own(const Request& request, const relay::Route& route, const std::string& own_kind,
             upstream::ModelRequest& wanted) {
  wanted.own = std::make_shared<const upstream::OwnRequest>(upstream::OwnRequest{
      own_kind, request.body, headers_up(request, route.upstream->pass_headers), query_up(request)});
  if (needs_neutral(route, own_kind) || wanted.untranslated) return;
  wanted.messages = wanted.parameters = std::string();
  wanted.untranslated = upstream::UnsupportedField{
      "model", "was asked in another protocol than its upstream's of today (" + own_kind + ")"};
}

// The stream to create, or why it cannot be created. Runs on a worker if the body is large: it reads the body, the
// route and what is immutable.
ReadyStream prepare(const Request& request, relay::Route route, StreamRequest from) {
  upstream::ModelRequest wanted = {
      route.model, std::move(from.messages),    std::move(from.parameters), request.request_id,
      nullptr,     std::move(from.untranslated)};
  if (from.own_kind == route.upstream->provider->kind()) add_own(request, route, from.own_kind, wanted);
  auto prepared = upstream::prepare(*route.upstream->provider, wanted);
  if (!prepared) return wrong(Code::invalid_request, prepared.error().field, prepared.error().why);
  relay::NewStream what;
  what.request = relay::stored_request(wanted);
  what.metadata = std::move(from.metadata);
  what.marks = std::move(from.marks);
  if (wanted.own) what.marks += R"(,"own":true)";
  what.body_hash = sha256(request.body);
  what.prompt.request = std::move(*prepared);
  what.prompt.request_id = request.request_id;
  what.prompt.prompt_bytes = from.prompt_bytes;
  what.prompt.on_disconnect = from.on_disconnect;
  what.prompt.route = std::move(route);
  return what;
}

// `from` names a model.
asio::awaitable<ReadyStream> prepared(Api& api, const Request& request, StreamRequest from) {
  const std::string model = from.model;
  auto route = api.shard.models().find(model);
  if (!route) co_return wrong(Code::unknown_model, "model", "no upstream serves the model " + model);
  const auto shared = std::make_shared<StreamRequest>(std::move(from));
  const std::function<ReadyStream()> work = [&request, route = *route, shared] {
    return prepare(request, route, std::move(*shared));
  };
  ReadyStream what = co_await compute<ReadyStream>(api.shard.worker(), request.body.size(), work);
  if (!what) co_return what;
  what->model = model;
  what->overloaded = api.overloaded();
  what->owner = request.principal.owner;
  if (const auto key = request.header("idempotency-key")) {
    what->idempotency_key = request.principal.owner + "\n" + request.route + "\n" + std::string(*key);
  }
  co_return what;
}

// Whether the body is the one that started the stream. Large ones are hashed on a worker.
asio::awaitable<bool> same_body(Api& api, const Request& request, std::string hash) {
  const std::function<bool()> compare = [&request, &hash] { return sha256(request.body) == hash; };
  co_return co_await compute<bool>(api.shard.worker(), request.body.size(), compare);
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
  const bool same = co_await same_body(api, request, (*found)->row().body_hash);
  if (!same) {
    co_return wrong(Code::idempotency_conflict, "", "the body differs from the one that started this stream");
  }
  co_return StartedStream{std::move(*found), std::move(cursor), true};
}

asio::awaitable<Started> create(Api& api, const Request& request, StreamRequest from) {
  if (from.model.empty()) {
    auto model = co_await model_for_none(api);
    if (!model) co_return wrong(Code::invalid_request, "model", std::move(model.error()));
    from.model = std::move(*model);
  }
  const std::string logged = api.settings().log_prompts ? from.messages : std::string();
  ReadyStream what = co_await prepared(api, request, std::move(from));
  if (!what) co_return tl::make_unexpected(std::move(what.error()));
  MadeStream made = co_await until<MadeStream>([&](auto then) { api.shard.create(std::move(*what), std::move(then)); });
  if (!made) co_return wrong(made.error());
  if (!logged.empty() && !made->existing) spdlog::info("prompt {} {}", made->stream->id(), logged);
  co_return StartedStream{made->stream, std::nullopt, made->existing};
}

std::string provider_of(const relay::ModelTable& models, const std::string& model) {
  const auto route = models.find(model.empty() ? models.default_model() : model);
  return route ? std::string(route->upstream->provider->kind()) : std::string();
}

}  // namespace tokenrelay::api
