#include "service/http/connection.h"

#include <utility>

namespace tokenrelay::http {
namespace {

constexpr int turns = 16;  // requests or reads of one connection before others have their turn
constexpr int64_t linger_ms = 5'000;
constexpr size_t linger_bytes = 32 << 20;

FramingLimits limits_of(const ServerOptions& options) {
  return {options.head_bytes, options.line_bytes, options.path_bytes, options.headers, options.body_bytes};
}

}  // namespace

Connection::Connection(std::shared_ptr<Server::State> server, std::shared_ptr<ConnectionSlot> slot,
                       transport::Socket socket)
    : server_(std::move(server)),
      slot_(std::move(slot)),
      socket_(std::move(socket)),
      timer_(server_->loop.timers(), [this] { on_deadline(); }) {}

void Connection::serve_first() {
  set_deadline(Deadline::first_byte, server_->options().head_ms);
  wait();
}

void Connection::serve_next(std::string unread) {
  set_deadline(Deadline::idle, server_->options().keep_alive_ms);
  unread_ = std::move(unread);
  pump();
}

void Connection::drain() {
  if (phase_ == Phase::reading && !framer_ && unread_.empty()) end();
}

void Connection::end() {
  if (phase_ == Phase::over) return;
  phase_ = Phase::over;
  timer_.cancel();
  socket_.close();
  auto self = shared_from_this();
  server_->connections.erase(this);
  if (slot_) slot_->end();
}

void Connection::set_deadline(Deadline deadline, int64_t ms) {
  deadline_ = deadline;
  timer_.arm(ms);
}

void Connection::on_deadline() {
  auto self = shared_from_this();
  switch (deadline_) {
    case Deadline::head:
      if (framer_ && framer_->state() != Framer::State::empty) {
        return fail(Code::request_timeout, "the request head did not arrive in time");
      }
      return end();
    case Deadline::body:
      return fail(Code::request_timeout, "the request body did not arrive in time");
    case Deadline::write:
      if (exchange_ && writing_) exchange_->ticket->write(writing_->status);
      count_refusal("write_stall");
      socket_.cut();
      return end();
    case Deadline::first_byte:
    case Deadline::idle:
    case Deadline::linger:
      return end();
  }
}

void Connection::wait() {
  if (waiting_) return;
  waiting_ = true;
  socket_.wait_readable([this] {
    waiting_ = false;
    auto self = shared_from_this();
    if (phase_ == Phase::lingering) return drop_some();
    try_read_ = true;
    pump();
  });
}

// Serves what has arrived. Returns when there is nothing to read, when it has to wait, or when others are due.
void Connection::pump() {
  for (int turn = 0; turn < turns; ++turn) {
    if (phase_ != Phase::reading) return;
    if (!unread_.empty()) {
      consume(std::exchange(unread_, {}));
    } else if (!read_some()) {
      return;
    }
  }
  if (phase_ == Phase::reading) {
    server_->loop.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->pump();
    });
  }
}

bool Connection::read_some() {
  if (!try_read_) {
    wait();
    return false;
  }
  auto got = socket_.read(server_->scratch.data(), server_->scratch.size());
  switch (got.status) {
    case transport::IoStatus::done:
      try_read_ = got.bytes == server_->scratch.size() || framer_;  // a short read has emptied the socket
      consume({server_->scratch.data(), got.bytes});
      return true;
    case transport::IoStatus::would_block:
      try_read_ = false;
      wait();
      return false;
    case transport::IoStatus::eof:
      on_eof();
      return false;
    case transport::IoStatus::failed:
      end();
      return false;
  }
  return false;
}

void Connection::on_eof() {
  if (framer_ && framer_->state() != Framer::State::empty) {
    return fail(Code::invalid_request, "the connection was closed before the request was complete");
  }
  end();
}

void Connection::consume(std::string_view bytes) {
  if (!framer_) {
    framer_ = std::make_unique<Framer>(limits_of(server_->options()));
    started_us_ = server_->loop.clock().mono_us();
    set_deadline(Deadline::head, server_->options().head_ms);
  }
  bool had_head = framer_->state() == Framer::State::body;
  unread_.assign(bytes.substr(framer_->feed(bytes)));
  switch (framer_->state()) {
    case Framer::State::empty:
    case Framer::State::head:
      return;
    case Framer::State::body:
      if (!body_fits()) return fail(Code::overloaded, "too many large requests are being received at the moment");
      return had_head ? void() : on_body_due();
    case Framer::State::complete:
      return handle();
    case Framer::State::failed:
      return fail(framer_->error().code, framer_->error().detail);
  }
}

// Bodies that are each within the limit can be too much together.
bool Connection::body_fits() {
  if (!share_) share_ = std::make_unique<BodyShare>(server_->body_bytes);
  share_->grow_to(framer_->request().body.size());
  return share_->all() <= server_->options().bodies_bytes;
}

void Connection::on_body_due() {
  set_deadline(Deadline::body, server_->options().body_ms);
  if (!framer_->wants_continue()) return;
  writing_ = std::make_unique<Writing>();
  writing_->head = "HTTP/1.1 100 Continue\r\n\r\n";
  writing_->interim = true;
  phase_ = Phase::writing;
  write_some();
}

// Without unread bytes a close sends a FIN; with some it would be a reset.
void Connection::finish() {
  char byte;
  bool silent = unread_.empty() && socket_.read(&byte, 1).status != transport::IoStatus::done;
  silent ? end() : linger();
}

void Connection::linger() {
  phase_ = Phase::lingering;
  framer_.reset();
  exchange_.reset();
  writing_.reset();
  std::string().swap(unread_);
  socket_.end_writing();
  set_deadline(Deadline::linger, linger_ms);
  drop_some();
}

// Closing with unread bytes makes the kernel send a reset, which may overtake the answer. So they are read and dropped
// for a while, until the client has closed.
void Connection::drop_some() {
  for (int turn = 0; turn < turns; ++turn) {
    auto got = socket_.read(server_->scratch.data(), server_->scratch.size());
    if (got.status == transport::IoStatus::would_block) break;
    if (got.status != transport::IoStatus::done || (dropped_ += got.bytes) > linger_bytes) return end();
  }
  wait();
}

void Connection::write_some() {
  Writing& out = *writing_;
  size_t total = out.head.size() + out.body.size();
  while (out.sent < total) {
    iovec parts[2];
    size_t n = 0;
    if (out.sent < out.head.size()) parts[n++] = {out.head.data() + out.sent, out.head.size() - out.sent};
    size_t body_sent = out.sent - std::min(out.sent, out.head.size());
    if (body_sent < out.body.size()) parts[n++] = {out.body.data() + body_sent, out.body.size() - body_sent};
    auto wrote = socket_.write(std::span<const iovec>(parts, n));
    if (wrote.status == transport::IoStatus::would_block) {
      set_deadline(Deadline::write, server_->options().write_stall_ms);
      socket_.wait_writable([this] {
        auto self = shared_from_this();
        write_some();
        pump();
      });
      return;
    }
    if (wrote.status != transport::IoStatus::done) {
      if (exchange_) exchange_->ticket->write(out.status);
      return end();
    }
    out.sent += wrote.bytes;
  }
  on_written();
}

void Connection::on_written() {
  auto done = std::exchange(writing_, nullptr);
  phase_ = Phase::reading;
  if (done->interim) return set_deadline(Deadline::body, server_->options().body_ms);
  exchange_->ticket->write(done->status);
  bool broken = std::exchange(exchange_, nullptr)->broken;
  if (done->last) return broken ? linger() : finish();
  set_deadline(Deadline::idle, server_->options().keep_alive_ms);
  if (server_->draining && unread_.empty()) end();
}

}  // namespace tokenrelay::http
