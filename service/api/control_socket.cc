#include "service/api/control_socket.h"

#include <algorithm>

#include "service/api/await.h"
#include "service/api/control.h"
#include "service/api/stream_json.h"
#include "service/relay/start_at.h"

namespace tokenrelay::api {
namespace {

constexpr std::string_view subprotocol = "tokenrelay.v1";
constexpr double messages_per_second = 50, burst = 100;
constexpr int commands_open = 64;
constexpr int64_t after_end_ms = 60'000;

http::WebSocket::Options socket_options(const Settings& settings, http::HeaderList handshake) {
  http::WebSocket::Options options;
  options.headers = std::move(handshake);
  options.write_stall_ms = settings.write_stall_ms;
  return options;
}

}  // namespace

ControlSocket::ControlSocket(Api& api, std::shared_ptr<relay::Stream> stream, http::TakenConnection connection,
                             http::HeaderList handshake)
    : api_(api),
      stream_(std::move(stream)),
      request_id_(connection.request_id),
      budget_(burst),
      socket_(std::move(connection), socket_options(api.settings(), std::move(handshake)), *this),
      after_end_(api.loop.timers(), [this] { on_after_end(); }) {
  api_.metrics.websocket_opened();
}

ControlSocket::~ControlSocket() {
  alive_.end();
  if (subscriber_) api_.metrics.subscriber_left(metrics::Transport::websocket);
}

void ControlSocket::start() {
  say(hello_message(*stream_, request_id_));
  budget_at_ms_ = api_.shard.context().now_ms();
  after_end_.arm(after_end_ms);
}

// Checked by a timer: a stream does not keep a list of its sockets that it could notify.
void ControlSocket::on_after_end() {
  const int64_t since_end = stream_->ended() ? stream_->context().wall_ms() - stream_->row().finished_ms : 0;
  const int64_t left = after_end_ms - std::max<int64_t>(since_end, 0);
  if (left > 0) return after_end_.arm(left);
  close_when_answered(1000, "the stream has ended");
}

void ControlSocket::turn_away() {
  close_when_answered(1013, "come back later");
}

void ControlSocket::leave() {
  if (subscriber_) subscriber_->detach(true);
  close_when_answered(1001, "the relay is shutting down");
}

// ---- messages in

bool ControlSocket::within_rate() {
  const int64_t now = api_.shard.context().now_ms();
  budget_ = std::min(burst, budget_ + messages_per_second * static_cast<double>(now - budget_at_ms_) / 1000);
  budget_at_ms_ = now;
  if (budget_ < 1) return false;
  budget_ -= 1;
  return true;
}

void ControlSocket::on_message(std::string_view text) {
  api_.metrics.websocket_message(true);
  auto command = parse_socket_command(text, api_.settings().json);
  if (!command) return say(error_message(command.error().ref, "invalid_request", command.error().detail));
  if (!within_rate() || open_commands_ >= commands_open)
    return refuse(*command, "rate_limited", "too many commands: send fewer per second, or wait for their answers");
  run(std::move(*command));
}

void ControlSocket::run(SocketCommand command) {
  if (command.kind == SocketCommand::Kind::subscribe) return subscribe(command);
  if (command.kind == SocketCommand::Kind::unsubscribe) return unsubscribe(command);
  ++open_commands_;
  if (command.kind == SocketCommand::Kind::cancel) {
    return relay::cancel(
        *stream_, [this, here = alive_.mark(), command](tl::expected<relay::Cancelled, relay::Refusal> outcome) {
          if (!here) return;
          outcome ? acknowledge(command, stream_->durable())
                  : refuse(command, http::name_of(code_of(outcome.error())), detail_of(outcome.error()));
          answered();
        });
  }
  const std::string content = std::move(command.content);
  relay::steer(*stream_, content,
               [this, here = alive_.mark(), command](tl::expected<relay::Steered, relay::Refusal> outcome) {
                 if (!here) return;
                 outcome ? acknowledge(command, outcome->seq)
                         : refuse(command, http::name_of(code_of(outcome.error())), detail_of(outcome.error()));
                 answered();
               });
}

void ControlSocket::subscribe(const SocketCommand& command) {
  if (subscriber_) return refuse(command, "already_subscribed", "this WebSocket is already subscribed to the stream");
  const auto start = relay::start_at(*stream_, command.cursor, relay::AtEnd::nothing);
  acknowledge(command, 0);
  say(resumed_message(*stream_, start.verdict));
  after_end_.cancel();
  api_.metrics.subscriber_joined(metrics::Transport::websocket);
  api_.metrics.resumed(metric_of(start.verdict));
  if (start.has_all) {  // done was delivered before
    return close_when_answered(1000, "the stream has ended");
  }
  relay::Sink& sink = *this;
  subscriber_ = std::make_unique<relay::Subscriber>(stream_, start.after, true, socket_format(), sink);
  subscriber_->pump();
}

void ControlSocket::unsubscribe(const SocketCommand& command) {
  if (!subscriber_) return refuse(command, "not_subscribed", "this WebSocket is not subscribed to the stream");
  subscriber_.reset();
  api_.metrics.subscriber_left(metrics::Transport::websocket);
  after_end_.arm(after_end_ms);
  acknowledge(command, 0);
}

// ---- messages out

void ControlSocket::say(const std::string& message) {
  if (!socket_.send(message)) return;
  api_.metrics.websocket_message(false);
  socket_.flush();
}

void ControlSocket::acknowledge(const SocketCommand& command, relay::Seq seq) {
  api_.metrics.command(name_of(command.kind), "websocket", "ok");
  say(ack_message(command.ref, stream_->status(), relay::event_id(stream_->runs(), seq)));
}

void ControlSocket::refuse(const SocketCommand& command, std::string_view code, std::string_view message) {
  api_.metrics.command(name_of(command.kind), "websocket", code);
  say(error_message(command.ref, code, message));
}

void ControlSocket::answered() {
  --open_commands_;
  if (open_commands_ > 0) return;
  closing_ ? socket_.close(closing_->first, closing_->second) : socket_.flush();  // a close frame may have waited
}

void ControlSocket::close_when_answered(uint16_t code, std::string_view reason) {
  if (closing_) return;
  closing_.emplace(code, reason);
  if (open_commands_ == 0) socket_.close(code, reason);
}

void ControlSocket::send(std::string_view events, bool last) {
  while (!events.empty()) {
    const auto end = events.find('\n');
    socket_.send(events.substr(0, end));
    api_.metrics.websocket_message(false);
    events.remove_prefix(end + 1);
  }
  socket_.flush();
  if (last) close_when_answered(1000, "done");
}

void ControlSocket::on_room() {
  if (subscriber_) subscriber_->pump();
}

void ControlSocket::cut(relay::CutReason reason) {
  const bool leaving = reason == relay::CutReason::shutdown;
  close_when_answered(leaving ? 1001 : 1013, leaving ? "the relay is shutting down" : "come back later");
}

void ControlSocket::on_gone(int close_code) {
  if (std::exchange(released_, true)) return;
  alive_.end();
  after_end_.cancel();
  if (subscriber_) subscriber_->detach(false);
  if (socket_.stalled()) api_.metrics.cut("slow_reader");
  api_.metrics.websocket_closed(close_code);
  api_.readers.release(*this);
}

// ---- the route

asio::awaitable<http::Answer> open_control_socket(Api& api, const http::Request& request) {
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) {
    co_return http::problem(http::Code::not_found, "no such stream", request.request_id);
  }
  auto handshake = http::check_upgrade(request, subprotocol);
  if (!handshake) {
    auto refusal = http::problem(handshake.error().code, handshake.error().detail, request.request_id);
    refusal.headers.emplace_back("Upgrade", "websocket");
    refusal.headers.emplace_back("Sec-WebSocket-Version", "13");
    co_return refusal;
  }
  co_return http::Takeover([&api, stream, handshake = std::move(*handshake)](http::TakenConnection connection) {
    if (connection.log) connection.log(101);
    auto socket = std::make_unique<ControlSocket>(api, stream, std::move(connection), handshake);
    ControlSocket& started = *socket;
    api.readers.keep(std::move(socket));
    started.start();
    if (api.readers.closed()) return started.leave();
    if (api.overloaded()) started.turn_away();
  });
}

}  // namespace tokenrelay::api
