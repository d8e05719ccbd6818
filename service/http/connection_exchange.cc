// The part of a connection between a framed request and its answer.
#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <utility>

#include "service/http/browser.h"
#include "service/http/client_address.h"
#include "service/http/connection.h"
#include "service/http/reply_head.h"

namespace tokenrelay::http {
namespace {

std::string_view reason_of(Code code) {
  switch (code) {
    case Code::request_timeout:
      return "timeout";
    case Code::overloaded:
      return "uploads";
    case Code::head_too_large:
    case Code::uri_too_long:
    case Code::body_too_large:
      return "too_large";
    default:
      return "framing";
  }
}

bool sane_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

bool sets(const HeaderList& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
}

}  // namespace

// From here on the request can be answered: it has an id, a log line, and its browser headers.
void Connection::start_exchange() {
  const ServerOptions& options = server_->options();
  exchange_ = std::make_shared<Exchange>();
  Exchange& exchange = *exchange_;
  exchange.request = std::move(framer_->request());
  exchange.share = std::move(share_);
  framer_.reset();
  Request& request = exchange.request;
  auto id = request.header("request-id");
  request.request_id = id && sane_request_id(*id) ? std::string(*id) : server_->draw_request_id();
  exchange.arrival = {socket_.peer_address(), slot_->loopback(), socket_.secured()};
  exchange.own = own_origin(request, exchange.arrival, options);
  request.client_address = client_address(request, exchange.arrival.peer, options.trusted_proxies);
  exchange.common = cors_headers(request, options.cors_origins);
  append_guard_headers(exchange.common, exchange.arrival.tls, exchange.own);
  exchange.common.emplace_back("Request-Id", request.request_id);
  if (options.add_headers) options.add_headers(request, exchange.common);
  exchange.ticket = std::make_shared<Ticket>(server_->log, server_->loop.clock(), started_us_);
  RequestRecord& record = exchange.ticket->record();
  record.method = request.method;
  record.path = request.path;
  record.request_id = request.request_id;
  record.client_address = request.client_address;
}

void Connection::count_refusal(std::string_view reason) const {
  if (const auto& refused = server_->options().refused) refused(reason);
}

void Connection::fail(Code code, std::string detail) {
  count_refusal(reason_of(code));
  start_exchange();
  auto retry_after_s = code == Code::overloaded ? std::optional<int>(5) : std::nullopt;
  Reply error = problem(code, std::move(detail), exchange_->request.request_id, retry_after_s);
  error.close = true;
  exchange_->broken = true;
  reply(std::move(error));
}

std::optional<Reply> Connection::refusal() {
  const ServerOptions& options = server_->options();
  const Request& request = exchange_->request;
  if (auto refused = refuse_host(request, exchange_->arrival, options)) return refused;
  if (auto refused = refuse_cross_site(request, exchange_->arrival, exchange_->own, options)) return refused;
  return preflight(request, options.cors_origins);
}

void Connection::handle() {
  timer_.cancel();
  start_exchange();
  phase_ = Phase::awaiting;
  if (auto refused = refusal()) return reply(std::move(*refused));
  auto self = shared_from_this();
  Outcome outcome = server_->router.dispatch(exchange_->request);
  exchange_->ticket->record().route = exchange_->request.route;
  if (auto* now = std::get_if<Reply>(&outcome)) return reply(std::move(*now));
  if (auto* takeover = std::get_if<Takeover>(&outcome)) return take_over(*takeover);
  await(std::move(std::get<asio::awaitable<Answer>>(outcome)));
}

void Connection::await(asio::awaitable<Answer> answer) {
  // The exchange is held here too, so that the request outlives the coroutine whatever happens to the connection.
  auto done = [self = shared_from_this(), exchange = exchange_](const std::exception_ptr& error, Answer given) {
    if (self->server_->closed || self->phase_ == Phase::over) return;
    if (error) {
      self->reply(
          problem(Code::internal, "the request failed because of an error in the relay", exchange->request.request_id));
    } else {
      self->deliver(std::move(given));
    }
    self->pump();
  };
  asio::co_spawn(server_->loop.context(), std::move(answer), std::move(done));
}

void Connection::deliver(Answer answer) {
  if (auto* now = std::get_if<Reply>(&answer)) return reply(std::move(*now));
  take_over(std::get<Takeover>(answer));
}

void Connection::reply(Reply reply) {
  const Request& request = exchange_->request;
  const auto& shape_error = server_->options().shape_error;
  if (shape_error && reply.content_type == problem_media_type) shape_error(request, reply);
  exchange_->broken = exchange_->broken || reply.status == 411;  // without a length its end is not known
  if (!sets(reply.headers, "Content-Security-Policy")) {
    exchange_->common.emplace_back("Content-Security-Policy", no_page_policy);
  }
  bool last = reply.close || !request.keep_alive || server_->draining || exchange_->broken;
  std::string_view connection = last ? "close" : request.http10 ? "keep-alive" : "";
  writing_ = std::make_unique<Writing>();
  writing_->head = reply_head(reply, exchange_->common, server_->loop.clock().wall_ms(), connection);
  writing_->last = last;
  writing_->status = reply.status;
  bool without_body = request.method == "HEAD" || reply.status == 204 || reply.status == 304;
  if (!without_body) {
    writing_->body = std::move(reply.body);
    writing_->held = std::move(reply.held);
    // Bytes that are counted while they wait here must not wait in the kernel by the megabyte, uncounted.
    if (writing_->held) socket_.prepare_for_stream();
  }
  phase_ = Phase::writing;
  write_some();
}

void Connection::take_over(const Takeover& takeover) {
  auto self = shared_from_this();
  const Request& request = exchange_->request;
  TakenConnection taken;
  socket_.cancel_waits();
  taken.socket = std::move(socket_);
  taken.unread = std::move(unread_);
  taken.head = std::move(exchange_->common);
  taken.head.emplace_back("Content-Security-Policy", no_page_policy);
  taken.head.emplace_back("Date", http_date(server_->loop.clock().wall_ms()));
  taken.request_id = request.request_id;
  taken.http10 = request.http10;
  taken.keep_alive = request.keep_alive && !request.http10;
  taken.head_only = request.method == "HEAD";
  exchange_->ticket->will_be(200);
  taken.log = [ticket = exchange_->ticket](int status) { ticket->write(status); };
  taken.ended = [slot = slot_] { slot->end(); };
  taken.resume = [weak = std::weak_ptr<Server::State>(server_), slot = slot_, keep = taken.keep_alive](
                     transport::Socket socket, std::string unread) {
    auto server = weak.lock();
    if (!server || server->closed) return slot->end();
    auto next = std::make_shared<Connection>(server, slot, std::move(socket));
    server->connections.emplace(next.get(), next);
    keep && !server->draining ? next->serve_next(std::move(unread)) : next->finish();
  };
  phase_ = Phase::over;
  timer_.cancel();
  slot_.reset();
  exchange_.reset();
  server_->connections.erase(this);
  takeover(std::move(taken));
}

}  // namespace tokenrelay::http
