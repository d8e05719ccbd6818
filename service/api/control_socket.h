// ControlSocket: one WebSocket on one stream: commands in, acknowledgements out, and the stream's events if subscribed.
//
// Every command gets exactly one ack or error, before any close. A bad message gets an error and the socket stays open.
// Bounds: messages_per_second with a burst, commands_open unanswered commands; beyond them, an error `rate_limited`.
// Ownership: Readers; it releases itself when it is over. Threads: the shard's loop.
#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "service/api/api.h"
#include "service/api/socket_message.h"
#include "service/http/websocket.h"
#include "service/relay/commands.h"
#include "service/relay/subscriber.h"
#include "service/transport/lifeline.h"

namespace tokenrelay::api {

class ControlSocket final : public Reader, private relay::Sink, private http::WebSocket::Owner {
 public:
  ControlSocket(Api& api, std::shared_ptr<relay::Stream> stream, http::TakenConnection connection,
                http::HeaderList handshake);
  ~ControlSocket() override;

  void start();
  bool awaits_events() const override { return subscriber_ && !released_ && !closing_; }
  void leave() override;
  void turn_away();  // the relay has no room for it now

 private:
  // http::WebSocket::Owner
  void on_message(std::string_view text) override;
  void on_room() override;
  bool answers_due() const override { return open_commands_ > 0; }
  void on_gone(int close_code) override;
  // relay::Sink
  bool has_room() const override { return socket_.has_room(); }
  void send(std::string_view events, bool last) override;
  void cut(relay::CutReason reason) override;

  void run(SocketCommand command);
  void subscribe(const SocketCommand& command);
  void unsubscribe(const SocketCommand& command);
  void say(const std::string& message);
  void refuse(const SocketCommand& command, std::string_view code, std::string_view message);
  void acknowledge(const SocketCommand& command, relay::Seq seq);
  void answered();
  void on_after_end();
  void close_when_answered(uint16_t code, std::string_view reason);
  bool within_rate();

  Api& api_;
  std::shared_ptr<relay::Stream> stream_;
  std::string request_id_;
  transport::Alive alive_;  // guards answers that arrive after the socket's end
  int open_commands_ = 0;
  std::optional<std::pair<uint16_t, std::string>> closing_;  // once every command is answered
  double budget_;                                            // messages allowed now
  int64_t budget_at_ms_ = 0;
  bool released_ = false;
  http::WebSocket socket_;
  std::unique_ptr<relay::Subscriber> subscriber_;
  transport::Timer after_end_;  // a socket without subscription is closed 60 s after the stream's end
};

// GET /v1/streams/{id}/ws
asio::awaitable<http::Answer> open_control_socket(Api& api, const http::Request& request);

}  // namespace tokenrelay::api
