#include "service/api/control.h"

#include "service/api/await.h"
#include "service/api/compute.h"
#include "service/api/request_parts.h"
#include "service/api/stream_json.h"

namespace tokenrelay::api {
namespace {

using http::Answer;
using http::Code;
using http::Reply;
using http::Request;
using CancelOutcome = tl::expected<relay::Cancelled, relay::Refusal>;
using SteerOutcome = tl::expected<relay::Steered, relay::Refusal>;

Reply refuse(relay::Refusal refusal, const Request& request) {
  const Code code = code_of(refusal);
  const auto retry_after = code == Code::log_unavailable ? std::optional<int>(5) : std::nullopt;
  return http::problem(code, detail_of(refusal), request.request_id, retry_after);
}

using Content = tl::expected<std::string, std::string>;

Content read_content(const Request& request, json::Limits limits) {
  const auto body = json::parse(request.body, limits);
  if (!body) return tl::make_unexpected("the body is not valid JSON: " + body.error().message);
  const bool alone = body->is_object() && body->size() == 1 && body->contains("content");
  if (!alone || !(*body)["content"].is_string())
    return tl::make_unexpected(std::string("the body must be {\"content\": string}"));
  auto content = (*body)["content"].get<std::string>();
  if (content.empty()) return tl::make_unexpected(std::string("\"content\" must not be empty"));
  return content;
}

json::Value cancelled_json(const relay::Stream& stream, const relay::Cancelled& cancelled) {
  json::Value out = {{"id", stream.id()},
                     {"status", std::string(stream.status())},
                     {"last_event_id", relay::event_id(stream.runs(), stream.durable())},
                     {"upstream_closed_ms", nullptr},
                     {"usage", usage_of(stream)}};
  if (cancelled.upstream_closed_ms) out["upstream_closed_ms"] = *cancelled.upstream_closed_ms;
  return out;
}

}  // namespace

json::Value usage_of(const relay::Stream& stream) {
  if (!stream.ended()) return nullptr;
  const auto done = json::parse(stream.row().done);
  return done && done->is_object() && done->contains("usage") ? (*done)["usage"] : json::Value();
}

Code code_of(relay::Refusal refusal) {
  switch (refusal) {
    case relay::Refusal::stream_ended:
      return Code::stream_ended;
    case relay::Refusal::too_long:
      return Code::body_too_large;
    case relay::Refusal::too_many:
      return Code::steer_limit;
    case relay::Refusal::log_unavailable:
      return Code::log_unavailable;
  }
  return Code::internal;
}

std::string detail_of(relay::Refusal refusal) {
  switch (refusal) {
    case relay::Refusal::stream_ended:
      return "the stream has ended";
    case relay::Refusal::too_long:
      return "the content is too long for one steer command (limits.steer_bytes)";
    case relay::Refusal::too_many:
      return "the stream has reached its limit of steer commands (limits.steers)";
    case relay::Refusal::log_unavailable:
      return "the log cannot take new events";
  }
  return "";
}

asio::awaitable<Answer> cancel_stream(Api& api, const Request& request) {
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) co_return refuse(Code::not_found, "no such stream", request);
  const CancelOutcome outcome =
      co_await until<CancelOutcome>([&](auto then) { relay::cancel(*stream, std::move(then)); });
  api.metrics.command("cancel", "http", outcome ? "ok" : http::name_of(code_of(outcome.error())));
  if (!outcome) co_return refuse(outcome.error(), request);
  co_return json_reply(200, cancelled_json(*stream, *outcome));
}

asio::awaitable<Answer> steer_stream(Api& api, const Request& request) {
  if (!request.has_length) co_return refuse(Code::length_required, "a body with its length is required", request);
  if (auto why = not_json(request)) co_return refuse(Code::unsupported_media_type, std::move(*why), request);
  const std::function<Content()> read = [&request, limits = api.settings().json] {
    return read_content(request, limits);
  };
  const Content content = co_await compute<Content>(api.shard.worker(), request.body.size(), read);
  if (!content) co_return refuse(Code::invalid_request, content.error(), request);
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) co_return refuse(Code::not_found, "no such stream", request);
  const SteerOutcome outcome =
      co_await until<SteerOutcome>([&](auto then) { relay::steer(*stream, *content, std::move(then)); });
  api.metrics.command("steer", "http", outcome ? "ok" : http::name_of(code_of(outcome.error())));
  if (!outcome) co_return refuse(outcome.error(), request);
  co_return json_reply(202, {{"event_id", relay::event_id(stream->runs(), outcome->seq)}});
}

}  // namespace tokenrelay::api
