#include "service/surface/ui/routes.h"

#include "service/api/await.h"
#include "service/api/compute.h"
#include "service/http/sse.h"
#include "service/surface/ui/encoder.h"
#include "service/surface/ui/request.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Answer;
using http::Reply;
using http::Request;
using json::Value;

Profile profile() {
  return {Protocol::ui, http::sse::heartbeat, {{"x-vercel-ai-ui-message-stream", "v1"}}};
}

asio::awaitable<Answer> send(api::Api& api, Chats& chats, const Request& request) {
  if (auto refused = check_head(Protocol::ui, request)) co_return std::move(*refused);
  using Parsed = tl::expected<UiRequest, Error>;
  const std::function<Parsed()> parse = [&request, limits = api.settings().json, models = api.shard.model_table()] {
    return parse_ui_request(request.body, limits,
                            [&models](const std::string& model) { return api::provider_of(*models, model); });
  };
  Parsed parsed = co_await api::compute<Parsed>(api.shard.worker(), request.body.size(), parse);
  if (!parsed) co_return error_reply(Protocol::ui, parsed.error(), request.request_id);
  parsed->on_disconnect = default_on_disconnect(api, Protocol::ui);
  const std::string chat = parsed->chat;
  auto started = co_await begin(api, request, Protocol::ui, std::move(*parsed), ui_field);
  if (!started) co_return std::move(started.error());
  chats.add(chat, started->stream);
  auto encoder = make_ui_encoder(*started->stream, false);
  co_return co_await stream_answer(api, request, profile(), std::move(*started), std::move(encoder));
}

asio::awaitable<Answer> resume(api::Api& api, Chats& chats, const Request& request) {
  const auto running = chats.running(request.principal.owner, request.captures.at(0));
  if (running.empty()) co_return Reply{204, {{"Cache-Control", "no-store"}}, "", ""};
  const auto& stream = running.front();
  co_return co_await resume_answer(api, request, profile(), stream, make_ui_encoder(*stream, true), std::nullopt, "");
}

Reply stopped(const Value& body) {
  return Reply{200, {{"Cache-Control", "no-store"}}, json::dump(body), "application/json"};
}

asio::awaitable<Answer> stop(api::Api& api, Chats& chats, const Request& request) {
  using Outcome = tl::expected<relay::Cancelled, relay::Refusal>;
  const auto running = chats.running(request.principal.owner, request.captures.at(0));
  for (const auto& stream : running) {
    const Outcome outcome = co_await until<Outcome>([&](auto then) { relay::cancel(*stream, std::move(then)); });
    api.metrics.command("cancel", "http", outcome ? "ok" : "log_unavailable");
    if (outcome) continue;
    const Error error{503, "log_unavailable", "the log cannot take new events", "", 5'000, true};
    co_return error_reply(Protocol::ui, error, request.request_id);
  }
  if (running.empty()) co_return stopped({{"status", "idle"}});
  const auto& newest = *running.front();
  co_return stopped({{"id", newest.id()}, {"status", std::string(newest.status())}});
}

using Handle = asio::awaitable<Answer> (*)(api::Api&, Chats&, const Request&);

http::Handler handler(api::Api& api, std::shared_ptr<Chats> chats, Handle handle) {
  return [&api, chats = std::move(chats), handle](const Request& request) -> http::Outcome {
    return handle(api, *chats, request);
  };
}

}  // namespace

std::shared_ptr<Chats> add_ui_routes(http::Router& router, api::Api& api) {
  auto chats = std::make_shared<Chats>();
  router.add("POST", "/api/chat", "/api/chat", handler(api, chats, send));
  router.add("GET", R"(/api/chat/([^/]+)/stream)", "/api/chat/{chat}/stream", handler(api, chats, resume));
  router.add("POST", R"(/api/chat/([^/]+)/stop)", "/api/chat/{chat}/stop", handler(api, chats, stop));
  return chats;
}

}  // namespace tokenrelay::surface
