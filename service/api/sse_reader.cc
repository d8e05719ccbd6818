#include "service/api/sse_reader.h"

#include <array>

#include "service/api/stream_json.h"
#include "service/http/sse.h"

namespace tokenrelay::api {
namespace {

constexpr int reconnect_ms = 1000;

std::string_view name_of(relay::CutReason reason) {
  switch (reason) {
    case relay::CutReason::log_failed:
      return "log_failed";
    case relay::CutReason::unreadable:
      return "unreadable";
    case relay::CutReason::removed:
      return "removed";
    case relay::CutReason::retention:
      return "retention";
    case relay::CutReason::shutdown:
      return "shutdown";
    case relay::CutReason::whole_reads:
      return "whole_reads";
  }
  return "other";
}

std::string preface(const relay::Stream& stream, relay::Verdict verdict) {
  std::string out;
  http::sse::append_retry(out, reconnect_ms);
  http::sse::append_event(out, "resumed", resumed_json(stream, verdict));
  return out;
}

// Random, so that the clients that are asked to come back do not all come at once.
std::string retry_line(const relay::Random& random) {
  uint32_t draw = 0;
  random(&draw, sizeof draw);
  std::string out;
  http::sse::append_retry(out, 2000 + draw % 8001);
  return out;
}

http::StreamingBody::Options body_options(const Settings& settings, http::HeaderList headers, http::HeaderList extra) {
  http::StreamingBody::Options options;
  options.headers = std::move(headers);
  for (auto& header : extra) options.headers.push_back(std::move(header));
  options.write_stall_ms = settings.write_stall_ms;
  return options;
}

// Holds a connection just long enough to send when to come back.
class Goodbye final : private http::StreamingBody::Owner {
 public:
  Goodbye(Api& api, http::TakenConnection connection)
      : body_(std::move(connection), body_options(api.settings(), event_stream_headers(), {}), *this) {
    const std::string line = retry_line(api.random);
    const std::string_view part = line;
    body_.write({&part, 1});
    body_.cut();
  }

 private:
  void on_room() override {}
  void on_gone() override {}
  http::StreamingBody body_;
};

}  // namespace

http::HeaderList event_stream_headers() {
  return {{"Content-Type", "text/event-stream; charset=utf-8"},
          {"Cache-Control", "no-store, no-transform"},
          {"X-Accel-Buffering", "no"}};
}

http::Takeover come_back_later(Api& api, std::string reason) {
  return [&api, reason = std::move(reason)](http::TakenConnection connection) {
    if (connection.log) connection.log(200);
    api.metrics.cut(reason);
    Goodbye goodbye(api, std::move(connection));
  };
}

void answer_head(http::TakenConnection connection, http::HeaderList extra_headers) {
  // The body writes only the head, since the request was HEAD; then the connection serves its next request.
  class Silent final : public http::StreamingBody::Owner {
    void on_room() override {}
    void on_gone() override {}
  } silent;
  http::StreamingBody::Options options;
  options.headers = event_stream_headers();
  for (auto& header : extra_headers) options.headers.push_back(std::move(header));
  http::StreamingBody(std::move(connection), std::move(options), silent).finish({});
}

ReaderOptions native_options(const relay::Stream& stream, relay::Verdict verdict, bool coalesce) {
  ReaderOptions options;
  options.preface = preface(stream, verdict);
  options.heartbeat = http::sse::heartbeat;
  options.headers = event_stream_headers();
  options.coalesce = coalesce;
  return options;
}

SseReader::SseReader(Api& api, std::shared_ptr<relay::Stream> stream, relay::StartAt start, ReaderOptions options,
                     http::TakenConnection connection, http::HeaderList extra_headers)
    : api_(api),
      format_(std::move(options.format)),
      share_(std::move(options.share)),
      heartbeat_line_(options.heartbeat),
      heartbeat_ms_(api.settings().heartbeat_ms),
      tells_retry_(options.tells_retry),
      preface_(std::move(options.preface)),
      body_(std::move(connection), body_options(api.settings(), std::move(options.headers), std::move(extra_headers)),
            *this),
      writer_(api.loop, body_),
      subscriber_(std::move(stream), start.after, options.coalesce, format_ ? *format_ : relay::sse_format(), *this),
      heartbeat_(api.loop.timers(), [this] { beat(); }) {
  api_.metrics.subscriber_joined(metrics::Transport::sse);
  api_.metrics.resumed(metric_of(start.verdict));
}

SseReader::~SseReader() {
  api_.metrics.subscriber_left(metrics::Transport::sse);
}

void SseReader::start() {
  last_write_ms_ = api_.loop.clock().coarse_ms();
  heartbeat_.arm(heartbeat_ms_);
  const relay::Stream& stream = subscriber_.stream();
  if (stream.ended() && subscriber_.position() == stream.durable()) {  // the preface is everything
    subscriber_.detach(false);
    return send({}, true);
  }
  subscriber_.pump();
  if (released_) return;
  if (!preface_.empty()) return send({}, false);  // nothing else is due yet
  body_.flush_head();                             // a slow first token must not look like a dead relay
}

// A format that keeps what it has sent grows with its stream, and may send all of it again at the end.
bool SseReader::within_budget(size_t due_bytes) {
  return !share_ || share_->grow_to(format_->held_bytes() + due_bytes);
}

void SseReader::send(std::string_view events, bool last) {
  if (!within_budget(preface_.size() + events.size())) {
    subscriber_.detach(true);
    return cut(relay::CutReason::whole_reads);
  }
  if (auto excerpts = format_ ? format_->take_excerpts() : nullptr) {
    std::string due = std::exchange(preface_, {});
    due += events;
    return send_pieces(std::move(due), std::move(excerpts), last);
  }
  const std::array<std::string_view, 2> parts = {preface_, events};
  const bool first = !preface_.empty();
  const auto due = std::span(parts).subspan(first ? 0 : 1);
  last_write_ms_ = api_.loop.clock().coarse_ms();
  if (last) {
    body_.finish(due, share_);
    over();
  } else {
    body_.write(due);
  }
  if (first) std::string().swap(preface_);
}

// Until all of it is written, the subscriber is given no room.
void SseReader::send_pieces(std::string events, std::shared_ptr<const relay::Excerpts> excerpts, bool last) {
  auto pieces =
      std::make_unique<relay::Pieces>(subscriber_.stream().shared_from_this(), std::move(events), std::move(excerpts));
  writer_.begin(std::move(pieces), [this, last](bool readable) { on_pieces(readable, last); });
}

void SseReader::on_pieces(bool readable, bool last) {
  last_write_ms_ = api_.loop.clock().coarse_ms();
  if (!readable) {
    subscriber_.detach(true);
    return cut(relay::CutReason::unreadable);
  }
  if (!last) return subscriber_.pump();
  body_.finish({}, share_);
  over();
}

void SseReader::cut(relay::CutReason reason) {
  api_.metrics.cut(name_of(reason));
  if (body_.has_room() && !writer_.busy()) {
    const std::string line = tells_retry_ ? retry_line(api_.random) : std::string();
    const std::array<std::string_view, 2> parts = {preface_, line};
    body_.write(parts);
  }
  body_.cut();
  over();
}

void SseReader::on_room() {
  if (writer_.busy()) return writer_.on_room();
  subscriber_.pump();
}

void SseReader::on_gone() {
  if (body_.stalled()) api_.metrics.cut("slow_reader");
  subscriber_.detach(false);
  over();
}

// Writing does not re-arm the timer, to save that cost: a timer that fires too early is put off.
void SseReader::beat() {
  const int64_t silent_ms = api_.loop.clock().coarse_ms() - last_write_ms_;
  const int64_t due_in_ms = heartbeat_ms_ - heartbeat_ms_ / 30 - silent_ms;  // a little early: "at most"
  if (due_in_ms > 0) return heartbeat_.arm(due_in_ms);
  heartbeat_.arm(heartbeat_ms_ - heartbeat_ms_ / 30);
  if (!has_room()) return;
  last_write_ms_ = api_.loop.clock().coarse_ms();
  body_.write({&heartbeat_line_, 1});
  api_.metrics.heartbeat();
}

void SseReader::over() {
  if (std::exchange(released_, true)) return;
  heartbeat_.cancel();
  api_.readers.release(*this);
}

}  // namespace tokenrelay::api
