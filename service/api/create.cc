// POST /v1/streams: starts a stream, or joins the one that an idempotency key or a re-sent POST's cursor names.
#include "service/api/create.h"

#include "service/api/await.h"
#include "service/api/begin.h"
#include "service/api/compute.h"
#include "service/api/create_request.h"
#include "service/api/request_parts.h"
#include "service/api/stream_json.h"
#include "service/relay/start_at.h"

namespace tokenrelay::api {
namespace {

using http::Answer;
using http::Code;
using http::Reply;
using http::Request;

// A request that resumes starts nothing, so it must not get a 503 (PROTOCOL.md, Read).
Answer refuse_begin(Api& api, const BeginError& error, const Request& request, bool resumes = false) {
  if (!error.relay) {
    const bool names_field = error.code == Code::invalid_request && !error.field.empty();
    return refuse(error.code, names_field ? error.field + ": " + error.message : error.message, request);
  }
  const bool later = resumes && request.accepts("text/event-stream") && error.relay->code == relay::Errc::unreadable;
  if (later) return come_back_later(api, "unreadable");
  return problem_of(*error.relay, request);
}

// The answer for a stream that exists: its JSON, or its events.
Answer answer_with(Api& api, const Request& request, const StartedStream& started, bool coalesce) {
  const auto& stream = started.stream;
  http::HeaderList headers = {{"Location", stream_path(stream->id())}, {"Stream-Id", stream->id()}};
  if (!request.accepts("text/event-stream")) {
    return Reply{started.existing ? 200 : 201, std::move(headers), json::dump(created_json(*stream)),
                 "application/json"};
  }
  const auto start = relay::start_at(*stream, started.cursor, relay::AtEnd::end_again);
  return read_stream(api, stream, start, coalesce, std::move(headers));
}

asio::awaitable<Started> begin(Api& api, const Request& request, const std::optional<relay::EventId>& cursor) {
  if (cursor) co_return co_await join(api, request, *cursor);
  using Parsed = tl::expected<StreamRequest, std::string>;
  const std::function<Parsed()> parse = [&request, limits = api.settings().json] {
    return parse_create_request(request.body, limits);
  };
  Parsed body = co_await compute<Parsed>(api.shard.worker(), request.body.size(), parse);
  if (!body) {
    co_return tl::make_unexpected(BeginError{Code::invalid_request, "", std::move(body.error()), std::nullopt});
  }
  co_return co_await create(api, request, std::move(*body));
}

}  // namespace

asio::awaitable<Answer> create_stream(Api& api, const Request& request) {
  if (const auto error = check_head(request)) co_return refuse_begin(api, *error, request);
  const auto cursor = read_cursor(request);
  if (!cursor) co_return refuse(Code::invalid_request, cursor.error(), request);
  const auto coalesce = read_coalesce(request);
  if (!coalesce) co_return refuse(Code::invalid_request, coalesce.error(), request);
  const auto started = co_await begin(api, request, *cursor);
  if (!started) co_return refuse_begin(api, started.error(), request, cursor->has_value());
  co_return answer_with(api, request, *started, *coalesce);
}

}  // namespace tokenrelay::api
