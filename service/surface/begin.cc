#include "service/surface/begin.h"

#include <charconv>

#include "service/api/await.h"
#include "service/api/compute.h"
#include "service/api/request_parts.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Reply;
using http::Request;
using Refused = tl::unexpected<Reply>;

// How long the head of an answer is held back so that a refusal can have its own status. Limited, because an upstream
// that is slow to accept a request must not make the relay look dead (CLIENTS.md, Every client: refusals and retries).
constexpr int64_t hold_ms = 5'000;

Refused refused(Protocol protocol, const Request& request, const Error& what) {
  return tl::make_unexpected(error_reply(protocol, what, request.request_id));
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
  if (ms < 0 || ms > api::max_cancel_after_ms) {
    return tl::make_unexpected(std::string("must be continue, cancel or cancel_after_ms=N"));
  }
  return relay::OnDisconnect{Action::cancel_after, ms};
}

// An error about a field is written here, with the client's name for the field; the others get this surface's shape
// later (shape_error).
Reply reply_of(const api::BeginError& why, const Request& request, Protocol protocol, const FieldName& field_name) {
  if (why.relay) return api::problem_of(*why.relay, request);
  if (why.field.empty()) return api::refuse(why.code, why.message, request);
  Error error = invalid(field_name(why.field), why.message);
  error.status = http::status_of(why.code);
  error.code = http::name_of(why.code);
  return error_reply(protocol, error, request.request_id);
}

// The stream that an SDK asks for again. A large body is hashed on a worker.
asio::awaitable<std::shared_ptr<relay::Stream>> repeated(api::Api& api, const Request& request) {
  if (!api.retries.may_repeat(request)) co_return nullptr;
  const std::function<std::string()> hash = [&request] { return api::sha256(request.body); };
  const std::string body_hash = co_await api::compute<std::string>(api.shard.worker(), request.body.size(), hash);
  co_return api.retries.find(request, body_hash);
}

// Not one expression: GCC 12 destroys what co_await gives in a conditional expression twice.
asio::awaitable<api::Started> join_or_create(api::Api& api, const Request& request,
                                             const std::optional<relay::EventId>& cursor, SurfaceRequest wanted) {
  if (cursor) co_return co_await api::join(api, request, *cursor);
  if (auto running = co_await repeated(api, request)) {
    co_return api::StartedStream{std::move(running), std::nullopt, true};
  }
  auto started = co_await api::create(api, request, std::move(wanted));
  if (started) api.retries.remember(request, started->stream);
  co_return started;
}

}  // namespace

std::string same_name(const std::string& neutral_field) {
  constexpr std::string_view prefix = "parameters.";
  return neutral_field.starts_with(prefix) ? neutral_field.substr(prefix.size()) : neutral_field;
}

std::optional<Reply> check_head(Protocol protocol, const Request& request) {
  const auto why = api::check_head(request);
  return why ? std::optional(reply_of(*why, request, protocol, same_name)) : std::nullopt;
}

relay::OnDisconnect default_on_disconnect(const api::Api& api, Protocol protocol) {
  const api::Settings& settings = api.settings();
  switch (protocol) {
    case Protocol::chat:
      return settings.chat_on_disconnect;
    case Protocol::responses:
      return settings.responses_on_disconnect;
    case Protocol::anthropic:
      return settings.messages_on_disconnect;
    case Protocol::gemini:
      return settings.gemini_on_disconnect;
    case Protocol::ui:
      return settings.ui_on_disconnect;
  }
  return {};
}

asio::awaitable<tl::expected<api::StartedStream, Reply>> begin(api::Api& api, const Request& request, Protocol protocol,
                                                               SurfaceRequest wanted, FieldName field_name) {
  const auto cursor = api::read_cursor(request);
  if (!cursor) co_return refused(protocol, request, invalid("", cursor.error()));
  const auto policy = read_on_disconnect(request);  // of a new stream; one that is joined has its own
  if (!policy && !*cursor) co_return refused(protocol, request, invalid("On-Disconnect", policy.error()));
  if (policy && *policy) wanted.on_disconnect = **policy;
  auto started = co_await join_or_create(api, request, *cursor, std::move(wanted));
  if (!started) co_return tl::make_unexpected(reply_of(started.error(), request, protocol, field_name));
  co_return std::move(*started);
}

asio::awaitable<std::optional<Reply>> refusal_of(const Request& request, Protocol protocol,
                                                 const std::shared_ptr<relay::Stream>& stream) {
  co_await until<bool>([&](auto then) { stream->when_answered(hold_ms, [then = std::move(then)] { then(true); }); });
  if (!stream->ended() || !stream->failure() || stream->said_anything()) co_return std::nullopt;
  const auto& failure = *stream->failure();
  const relay::StreamError error{std::string(upstream::name_of(failure.code)), failure.message, failure.retryable};
  Reply reply = error_reply(protocol, error_of(error, failure), request.request_id);
  reply.headers.emplace_back("Stream-Id", stream->id());
  co_return reply;
}

asio::awaitable<tl::expected<std::shared_ptr<relay::Stream>, Reply>> find_stream(api::Api& api, const Request& request,
                                                                                 Protocol protocol, std::string id) {
  auto found = co_await until<api::OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found && found.error().code != relay::Errc::not_found) {
    co_return tl::make_unexpected(api::problem_of(found.error(), request));
  }
  if (!found || !api::may_see(request.principal, **found)) {
    co_return refused(
        protocol, request,
        {404, "not_found", "this id does not exist, has expired or was deleted", "", std::nullopt, false});
  }
  co_return std::move(*found);
}

}  // namespace tokenrelay::surface
