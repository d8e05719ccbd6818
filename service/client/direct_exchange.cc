#include "service/client/direct_exchange.h"

#include <array>
#include <utility>

#include "service/client/request_head.h"
#include "service/transport/loop.h"

namespace tokenrelay::client {
namespace {

using Cause = TransferEnd::Cause;

constexpr size_t joined_bytes = 16 << 10;             // bodies up to this are sent together with the head
constexpr int reads_at_once = 8;                      // then it is the other streams' turn
thread_local std::array<char, 16 << 10> read_buffer;  // shared: a read's bytes are taken before the next read begins

}  // namespace

DirectExchange::DirectExchange(transport::Loop& loop, Shared shared, std::optional<Target> target,
                               const HttpRequest& request, TransferHandler& handler)
    : Exchange(loop, request.timeouts, handler),
      reader_(loop.clock()),
      text_(target ? request_head(request, *target) : ""),
      body_(request.method == HttpRequest::Method::post ? request.body : nullptr),
      shared_(std::move(shared)),
      connect_ms_(request.timeouts.connect_ms),
      target_(std::move(target)) {
  if (!body_ || body_->size() > joined_bytes) return;
  text_ += *body_;  // one write, one packet
  body_.reset();
}

void DirectExchange::start() {
  if (!target_) return later(&DirectExchange::fail_unaddressed);
  connection_ = shared_.pool.take(target_->origin);
  reused_ = connection_ != nullptr;
  reused_ ? ask() : connect();
}

void DirectExchange::fail_unaddressed() {
  end(Cause::unreachable, "the URL is not a valid http:// or https:// URL");
}

void DirectExchange::later(void (DirectExchange::*what)()) {
  loop_.post([weak = weak_from_this(), what] {
    const auto alive = std::static_pointer_cast<DirectExchange>(weak.lock());
    if (alive && !alive->over()) (alive.get()->*what)();
  });
}

void DirectExchange::connect() {
  phase_ = Phase::connecting;
  connecting();
  connector_ = std::make_unique<Connector>(shared_.curl, shared_.resolver, target_->origin, connect_ms_,
                                           [this](Connector::Result result) { on_connected(std::move(result)); });
}

void DirectExchange::on_connected(Connector::Result result) {
  const auto alive = shared_from_this();
  connector_.reset();
  if (result.descriptor < 0) return end(result.cause, std::move(result.message));
  connection_ = std::make_unique<Connection>(result.descriptor, target_->origin, shared_.tls);
  phase_ = Phase::handshake;
  shake_hands();
}

void DirectExchange::shake_hands() {
  const Connection::Status status = connection_->handshake();
  if (status == Connection::Status::done) return ask();
  if (status == Connection::Status::again) return watch();
  const std::string fault = connection_->fault();
  end(Cause::unreachable, fault);
}

void DirectExchange::ask() {
  asked();
  phase_ = Phase::asking;
  written_ = 0;
  write();
  watch();
}

std::string_view DirectExchange::unsent() const {
  if (written_ < text_.size()) return std::string_view(text_).substr(written_);
  return body_ ? std::string_view(*body_).substr(written_ - text_.size()) : std::string_view();
}

// If writing fails, reading goes on: the response may have arrived nevertheless, and else reading tells why.
void DirectExchange::write() {
  for (std::string_view next = unsent(); !next.empty(); next = unsent()) {
    const Connection::Io io = connection_->write(next);
    if (io.status == Connection::Status::again) return;
    write_failed_ = io.status != Connection::Status::done;
    if (write_failed_) break;
    written_ += io.bytes;
  }
  phase_ = Phase::reading;
}

// A pause does not change what the Poller watches until the next bytes arrive: most pauses are short.
void DirectExchange::watch() {
  const bool waits_for_room = phase_ != Phase::reading && connection_->wants_room();
  const bool reads = !paused() || phase_ == Phase::handshake;
  uint32_t events = (reads ? uint32_t{EPOLLIN} : 0u) | (waits_for_room ? uint32_t{EPOLLOUT} : 0u);
  // Edge-triggered, so that the kernel does not check every connection a second time after a read. Not with TLS, which
  // does not read a descriptor until it is empty.
  if (events != 0 && !connection_->secure()) events |= uint32_t{EPOLLET} | EPOLLRDHUP | EPOLLPRI;
  watch(events);
}

void DirectExchange::watch(uint32_t events) {
  if (std::exchange(watched_, events) == events) return;
  events ? shared_.poller->watch(connection_->descriptor(), events, *this)
         : shared_.poller->forget(connection_->descriptor());
}

// Of `events` only those count that a short read would hide; reading and writing show the others.
void DirectExchange::on_ready(int, uint32_t events) {
  const auto alive = shared_from_this();
  reads_to_the_end_ |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0;
  if (phase_ == Phase::handshake) return shake_hands();
  if (phase_ == Phase::asking) write();
  if (may_take()) read();
  if (connection_) watch();
}

// A read that does not fill the buffer leaves nothing in the kernel except perhaps the peer's end, which on_ready was
// told of.
bool DirectExchange::reads_on(size_t count) const {
  return connection_->secure() ? connection_->has_unread() : reads_to_the_end_ || count == read_buffer.size();
}

void DirectExchange::read() {
  unread_ = false;
  for (int turn = 0; turn < reads_at_once; ++turn) {
    const Connection::Io io = connection_->read(read_buffer.data(), read_buffer.size());
    if (io.status == Connection::Status::again) return;
    if (io.status != Connection::Status::done) return lost(io.status);
    if (phase_ == Phase::reading && !text_.empty()) forget_request();
    reused_ = false;
    take({read_buffer.data(), io.bytes});
    if (!connection_ || !may_take() || !reads_on(io.bytes)) return;
  }
  unread_ = true;
  later(&DirectExchange::take_held);
}

// A response has begun, so the request will not be sent again.
void DirectExchange::forget_request() {
  text_ = std::string();
  body_.reset();
}

void DirectExchange::take(std::string_view bytes) {
  do {
    if (paused()) {
      held_.emplace(bytes);
      return;
    }
  } while (take_piece(bytes));
}

// False: stop taking pieces.
bool DirectExchange::take_piece(std::string_view& bytes) {
  const ResponseReader::Piece piece = reader_.next(bytes);
  switch (piece.kind) {
    case ResponseReader::Kind::more:
      return false;
    case ResponseReader::Kind::head:
      say_head(reader_.head());
      return !over();
    case ResponseReader::Kind::body:
      say_body(piece.bytes);
      return !over();
    case ResponseReader::Kind::end:
      finished(bytes.empty());
      return false;
    case ResponseReader::Kind::bad:
      end(Cause::not_http, "the server did not send an HTTP/1.1 response");
      return false;
  }
  return false;
}

void DirectExchange::take_held() {
  if (paused() || !connection_ || phase_ == Phase::handshake) return;
  if (held_) {
    const std::string held = *std::exchange(held_, std::nullopt);
    take(held);
  }
  if (connection_ && may_take() && (unread_ || connection_->has_unread())) read();
  if (connection_) watch();
}

void DirectExchange::finished(bool nothing_left) {
  const bool whole = phase_ == Phase::reading && !write_failed_ && nothing_left;
  if (whole && reader_.keeps_connection() && !connection_->has_unread()) shared_.pool.put(std::move(connection_));
  end(Cause::clean, "");
}

void DirectExchange::lost(Connection::Status how) {
  if (std::exchange(reused_, false)) {
    hang_up();
    write_failed_ = false;
    return connect();
  }
  const bool complete = how == Connection::Status::closed && reader_.ends_by_close();
  end(complete ? Cause::clean : Cause::cut, complete ? "" : "the connection was lost before the response was complete");
}

void DirectExchange::hang_up() {
  connector_.reset();
  if (!connection_) return;
  watch(0);
  reads_to_the_end_ = unread_ = false;
  if (phase_ == Phase::asking) connection_->reset_on_close();
  connection_.reset();
}

}  // namespace tokenrelay::client
