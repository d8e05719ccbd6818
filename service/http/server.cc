#include "service/http/server.h"

#include "service/http/connection.h"

namespace tokenrelay::http {

Server::Server(transport::Loop& loop, Router& router, std::function<const ServerOptions&()> options,
               std::function<void(const RequestRecord&)> log, std::function<std::string()> draw_request_id)
    : state_(std::make_shared<State>(State{.loop = loop,
                                           .router = router,
                                           .options = std::move(options),
                                           .log = std::make_shared<Ticket::Log>(std::move(log)),
                                           .draw_request_id = std::move(draw_request_id),
                                           .connections = {},
                                           .scratch = {}})) {}

Server::~Server() {
  state_->closed = true;
  state_->slots->closed = true;  // the owner of `ended` may go with the server; a stream may outlive both
  *state_->log = nullptr;        // remaining tickets must not reach the owner's log any more
  auto connections = std::move(state_->connections);
  state_->connections.clear();
  for (auto& [raw, connection] : connections) connection->end();
}

void Server::serve(transport::Socket socket, bool loopback_listener, std::function<void()> ended) {
  auto slot = std::make_shared<ConnectionSlot>(state_->slots, loopback_listener, std::move(ended));
  auto connection = std::make_shared<Connection>(state_, std::move(slot), std::move(socket));
  state_->connections.emplace(connection.get(), connection);
  connection->serve_first();
}

void Server::drain() {
  state_->draining = true;
  auto connections = state_->connections;  // a copy: ending one removes it from the list
  for (auto& [raw, connection] : connections) connection->drain();
}

size_t Server::connections() const {
  return state_->slots->taken;
}

}  // namespace tokenrelay::http
