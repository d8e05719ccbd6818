// The routes of native streams, and reading one: GET /v1/streams/{id}/events.
#include <asio/awaitable.hpp>

#include "service/api/await.h"
#include "service/api/control.h"
#include "service/api/control_socket.h"
#include "service/api/create.h"
#include "service/api/request_parts.h"
#include "service/api/state.h"
#include "service/api/stream_json.h"
#include "service/relay/start_at.h"

namespace tokenrelay::api {
namespace {

using http::Answer;
using http::Code;
using http::Reply;
using http::Request;

// An EventSource treats every status but 200 as final, so a temporary condition must not look like an error.
Answer no_stream(Api& api, const relay::Error& error, const Request& request) {
  const bool final = error.code == relay::Errc::not_found || error.code == relay::Errc::gone;
  if (!final) return come_back_later(api, "unreadable");
  return problem_of(error, request);
}

asio::awaitable<Answer> read_events(Api& api, const Request& request) {
  const auto cursor = read_cursor(request);
  if (!cursor) co_return refuse(Code::invalid_request, cursor.error(), request);
  const auto coalesce = read_coalesce(request);
  if (!coalesce) co_return refuse(Code::invalid_request, coalesce.error(), request);
  if (api.readers.closed()) co_return come_back_later(api, "shutdown");
  if (api.overloaded()) co_return come_back_later(api, "overload");

  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return no_stream(api, found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) co_return refuse(Code::not_found, "no such stream", request);

  const auto start = relay::start_at(*stream, *cursor, relay::AtEnd::nothing);
  if (start.has_all) co_return Reply{204, {{"Cache-Control", "no-store"}}, "", ""};  // stops an EventSource for good
  co_return read_stream(api, stream, start, *coalesce, {});
}

http::Handler handle(Api& api, asio::awaitable<Answer> (*handler)(Api&, const Request&)) {
  return [&api, handler](const Request& request) -> http::Outcome { return handler(api, request); };
}

}  // namespace

Answer read_stream(Api& api, std::shared_ptr<relay::Stream> stream, relay::StartAt start, bool coalesce,
                   http::HeaderList headers) {
  if (api.readers.closed()) return come_back_later(api, "shutdown");
  return http::Takeover([&api, stream = std::move(stream), start, coalesce,
                         headers = std::move(headers)](http::TakenConnection connection) {
    if (connection.log) connection.log(200);
    if (connection.head_only) return answer_head(std::move(connection), headers);
    auto reader = std::make_unique<SseReader>(api, stream, start, native_options(*stream, start.verdict, coalesce),
                                              std::move(connection), headers);
    SseReader& started = *reader;
    api.readers.keep(std::move(reader));
    started.start();
  });
}

void add_stream_routes(http::Router& router, Api& api) {
  router.add("POST", "/v1/streams", "/v1/streams", handle(api, create_stream));
  router.add("GET", R"(/v1/streams/([^/]+)/events)", "/v1/streams/{id}/events", handle(api, read_events));
  router.add("POST", R"(/v1/streams/([^/]+)/cancel)", "/v1/streams/{id}/cancel", handle(api, cancel_stream));
  router.add("POST", R"(/v1/streams/([^/]+)/steer)", "/v1/streams/{id}/steer", handle(api, steer_stream));
  router.add("GET", R"(/v1/streams/([^/]+)/ws)", "/v1/streams/{id}/ws", handle(api, open_control_socket));
  router.add("GET", R"(/v1/streams/([^/]+))", "/v1/streams/{id}", handle(api, read_state));
  router.add("DELETE", R"(/v1/streams/([^/]+))", "/v1/streams/{id}", handle(api, remove_stream));
  router.add("GET", "/v1/streams", "/v1/streams", handle(api, list_streams));
}

}  // namespace tokenrelay::api
