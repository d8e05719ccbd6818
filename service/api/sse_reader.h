// SseReader: one response to GET …/events, or to a POST that asks for the stream, on any surface: the head at once, a
// preface (the verdict; surfaces have none), then the stream's events with heartbeats between them, then the end in one
// write with the last chunk, or a cut.
//
// Ownership: Readers; it releases itself when it is over. Threads: the shard's loop.
#pragma once

#include <memory>
#include <string>

#include "service/api/api.h"
#include "service/api/piece_writer.h"
#include "service/http/streaming_body.h"
#include "service/relay/start_at.h"
#include "service/relay/stream.h"
#include "service/relay/subscriber.h"

namespace tokenrelay::api {

// The form of the answer: native events, or another protocol's.
struct ReaderOptions {
  std::unique_ptr<relay::Format> format;  // the protocol's own, with its state; null: native events
  std::string preface;                    // the first bytes; may be empty
  std::string_view heartbeat;
  http::HeaderList headers;              // Content-Type and the like
  bool coalesce = true;                  // neighbouring deltas are merged for a reader that is behind
  bool tells_retry = true;               // a `retry:` line before a cut: in native streams only
  WholeReads::SharePtr share = nullptr;  // for what a protocol's format keeps; null with native events
};
ReaderOptions native_options(const relay::Stream& stream, relay::Verdict verdict, bool coalesce);

class SseReader final : public Reader, private relay::Sink, private http::StreamingBody::Owner {
 public:
  SseReader(Api& api, std::shared_ptr<relay::Stream> stream, relay::StartAt start, ReaderOptions options,
            http::TakenConnection connection, http::HeaderList extra_headers);
  ~SseReader() override;

  void start();
  bool awaits_events() const override { return !released_; }
  void leave() override { subscriber_.cut(relay::CutReason::shutdown); }

 private:
  bool has_room() const override { return !writer_.busy() && body_.has_room(); }
  void send(std::string_view events, bool last) override;
  void cut(relay::CutReason reason) override;
  void on_room() override;
  void on_gone() override;

  bool within_budget(size_t due_bytes);
  void send_pieces(std::string events, std::shared_ptr<const relay::Excerpts> excerpts, bool last);
  void on_pieces(bool readable, bool last);
  void beat();
  void over();

  Api& api_;
  const std::unique_ptr<relay::Format> format_;
  const WholeReads::SharePtr share_;
  const std::string_view heartbeat_line_;
  const int64_t heartbeat_ms_;
  const bool tells_retry_;
  bool released_ = false;
  std::string preface_;  // until it is sent
  int64_t last_write_ms_ = 0;
  http::StreamingBody body_;
  PieceWriter writer_;  // of events with marks
  relay::Subscriber subscriber_;
  transport::Timer heartbeat_;
};

// Answers a reader that cannot be served now: 200, `retry:` of 2 to 10 seconds, a cut. Never 429 or 503: for an
// EventSource those are final (CLIENTS.md, Native stream: reconnects).
http::Takeover come_back_later(Api& api, std::string reason);

// HEAD: the headers of the answer to GET, and nothing else.
void answer_head(http::TakenConnection connection, http::HeaderList extra_headers);

// The headers of every event stream.
http::HeaderList event_stream_headers();

}  // namespace tokenrelay::api
