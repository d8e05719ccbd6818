#include "service/client/exchange.h"

#include <utility>

#include "service/transport/loop.h"

namespace tokenrelay::client {
namespace {

using Cause = TransferEnd::Cause;

constexpr int64_t drain_ms = 50;
constexpr size_t most_at_once = 128 << 10;  // unpacked in one turn: what a turn reads of a plain body
constexpr int64_t coarse_lag_ms = 10;       // how far the coarse clock may lag: a timeout must not fire early

const char* what_was_late(Cause late) {
  switch (late) {
    case Cause::connect_timeout:
      return "the connection was not established in time";
    case Cause::idle_timeout:
      return "no data arrived for too long";
    default:
      return "the response did not start in time";
  }
}

}  // namespace

Exchange::Exchange(transport::Loop& loop, Timeouts timeouts, TransferHandler& handler)
    : loop_(loop), handler_(&handler), timer_(loop.timers(), [this] { expired(); }), timeouts_(timeouts) {}

void Exchange::connecting() {
  asked_ = false;
  late_ = Cause::connect_timeout;
  timer_.arm(timeouts_.connect_ms);
}

void Exchange::asked() {
  asked_ = true;
  timer_.cancel();
  expect(Cause::first_byte_timeout, timeouts_.first_byte_ms);
}

void Exchange::say_head(const HttpHead& head) {
  head_said_ = true;
  coding_ = head.content_encoding;
  if (handler_) handler_->on_head(head);
}

void Exchange::say_body(std::string_view bytes) {
  if (!handler_) return;
  if (late_ == Cause::idle_timeout && timer_.armed()) {
    heard_ms_ = loop_.clock().coarse_ms();
  } else {
    expect(Cause::idle_timeout, timeouts_.idle_ms);
  }
  plain_ ? handler_->on_body(bytes) : say_coded(bytes);
}

// What comes before the first byte of a plain body, and every byte of another.
void Exchange::say_coded(std::string_view bytes) {
  if (!decoder_ && !open_decoder(bytes.front())) return;
  plain_ ? handler_->on_body(bytes) : unpack(bytes);
}

// No text begins with gzip's first byte: some servers forget to say what they send, and some proxies unpack a body but
// leave its header. False: the exchange has ended.
bool Exchange::open_decoder(char first) {
  using Coding = BodyDecoder::Coding;
  Coding coding = BodyDecoder::coding_of(coding_);
  if (coding == Coding::none || coding == Coding::gzip) coding = first == '\x1f' ? Coding::gzip : Coding::none;
  if (coding == Coding::unknown) {
    end(Cause::undecodable, "Content-Encoding " + coding_ + " is not supported");
    return false;
  }
  plain_ = coding == Coding::none;
  if (!plain_) decoder_ = std::make_unique<BodyDecoder>(coding);
  return true;
}

// Stops at a pause, and when the other streams are due: a few bytes may unpack to megabytes.
void Exchange::unpack(std::string_view bytes) {
  while (!paused_ && unpacked_ < most_at_once) {
    const BodyDecoder::Piece piece = decoder_->next(bytes);
    if (piece.kind == BodyDecoder::Kind::bad) {
      end_.reset();
      return end(Cause::undecodable, "the body is not valid " + (coding_.empty() ? "gzip" : coding_));
    }
    if (piece.kind == BodyDecoder::Kind::more) return;
    unpacked_ += piece.bytes.size();
    handler_->on_body(piece.bytes);
    if (over_ || !handler_) return;
  }
  packed_.assign(bytes);
  behind_ = true;
  if (!paused_) unpack_later();
}

void Exchange::unpack_later() {
  loop_.post([weak = weak_from_this()] {
    const auto alive = weak.lock();
    if (!alive || alive->over_ || alive->paused_ || !std::exchange(alive->behind_, false)) return;
    alive->unpacked_ = 0;
    const std::string packed = std::move(alive->packed_);
    alive->unpack(packed);
    if (alive->over_ || alive->behind_) return;
    if (const auto end = std::exchange(alive->end_, std::nullopt)) return alive->end(end->cause, end->message);
    if (!alive->paused_) alive->go_on();
  });
}

void Exchange::expect(Cause cause, int64_t within_ms) {
  late_ = cause;
  heard_ms_ = loop_.clock().coarse_ms();
  if (!paused_) timer_.arm(within_ms);
}

void Exchange::expired() {
  const auto alive = shared_from_this();
  if (draining_) return leave();
  const int64_t left_ms = heard_ms_ + coarse_lag_ms + timeouts_.idle_ms - loop_.clock().coarse_ms();
  if (late_ == Cause::idle_timeout && left_ms > 0) return timer_.arm(left_ms);
  end(late_, what_was_late(late_));
}

void Exchange::end(Cause cause, std::string message) {
  const auto alive = shared_from_this();
  if (behind_ && handler_ && (cause == Cause::clean || cause == Cause::cut)) {
    end_ = {cause, std::move(message)};
    return;
  }
  if (cause == Cause::clean && decoder_ && !decoder_->whole()) {
    cause = Cause::cut;
    message = "the compressed body ended in the middle";
  }
  TransferHandler* const handler = std::exchange(handler_, nullptr);
  leave();
  if (handler) handler->on_end({cause, std::move(message)});
}

void Exchange::abandon() {
  const auto alive = shared_from_this();
  handler_ = nullptr;
  draining_ = false;
  leave();
}

void Exchange::drain() {
  if (over_) return;
  if (!head_said_ || behind_ || holds_back()) return abandon();
  handler_ = nullptr;
  draining_ = true;
  timer_.arm(drain_ms);
  if (std::exchange(paused_, false)) go_on();
}

void Exchange::leave() {
  if (std::exchange(over_, true)) return;
  timer_.cancel();
  close();
  if (on_over_) on_over_(*this);
}

void Exchange::pause() {
  if (paused_) return;
  paused_ = true;
  if (asked_) timer_.cancel();
}

void Exchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (over_ || draining_ || !handler_) return;
  if (asked_) {
    head_said_ ? expect(Cause::idle_timeout, timeouts_.idle_ms)
               : expect(Cause::first_byte_timeout, timeouts_.first_byte_ms);
  }
  behind_ ? unpack_later() : go_on();
}

}  // namespace tokenrelay::client
