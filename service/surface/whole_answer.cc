#include "service/api/whole_answer.h"

#include "service/api/piece_writer.h"
#include "service/api/stream_json.h"
#include "service/http/streaming_body.h"
#include "service/relay/event_walk.h"
#include "service/relay/subscriber.h"
#include "service/surface/answer.h"
#include "service/surface/answer_headers.h"
#include "service/transport/lifeline.h"

namespace tokenrelay::surface {
namespace {

constexpr int64_t turn_ms = 60'000;  // long, because the answer has been paid for

// Reads nothing: the subscriber is there to be woken, and to be counted.
class Waiting final : public relay::Format {
  void append(std::string&, const std::vector<relay::Run>&, relay::Seq, storage::EventKind, std::string_view) override {
  }
};

// Waits for a stream's end, with nothing written to the connection before: the status is known only then. At the end
// the transcript is read from the log, with the long texts left there. What else is held has a share of the budget. If
// that is full, it waits for its turn and reads again.
class WholeReader final : public api::Reader, private relay::Sink, private http::StreamingBody::Owner {
 public:
  WholeReader(api::Api& api, Protocol protocol, std::shared_ptr<relay::Stream> stream, WholeAnswer how,
              http::TakenConnection connection)
      : api_(api),
        protocol_(protocol),
        how_(std::move(how)),
        request_id_(connection.request_id),
        head_only_(connection.head_only),
        log_(connection.log),
        stream_(stream),
        body_(std::move(connection), open_options(api), *this),
        writer_(api.loop, body_),
        subscriber_(std::move(stream), 0, true, waiting_, *this) {
    api_.metrics.subscriber_joined(metrics::Transport::sse);
  }
  ~WholeReader() override {
    alive_.end();
    api_.metrics.subscriber_left(metrics::Transport::sse);
  }

  void start() { subscriber_.pump(); }
  bool awaits_events() const override { return !released_; }
  void leave() override { subscriber_.cut(relay::CutReason::shutdown); }

 private:
  static http::StreamingBody::Options open_options(api::Api& api) {
    http::StreamingBody::Options options;
    options.status = 0;
    options.write_stall_ms = api.settings().write_stall_ms;
    return options;
  }

  // Called at every commit and at the end. The end is noticed in a later turn of the loop, not inside the stream. No
  // events are taken: until the answer has gone, this counts as a reader of them.
  bool has_room() const override {
    if (tell_over_ && (stream_->ended() || stream_->broken())) std::exchange(tell_over_, nullptr)();
    return false;
  }

  void on_over() {
    if (released_) return;
    if (!stream_->ended()) return subscriber_.cut(relay::CutReason::log_failed);
    share_ = api_.whole_reads.none();
    gather([this] { wait_for_turn(); });
  }

  // `refused` is called when the share may not grow to what is held.
  void gather(std::function<void()> refused) {
    transcript_ = std::make_shared<Transcript>();
    transcript_->excerpts = std::make_shared<relay::Excerpts>(api_.random, api::held_text_bytes);
    transcript_->keeps_arguments = how_.keeps_arguments;
    if (!how_.own_kind.empty()) transcript_->own.emplace(how_.own_kind);
    transcript_->keeps_own = how_.keeps_own;
    const auto over = std::make_shared<bool>(false);
    const auto add = [this, here = alive_.mark(), over](storage::Seq seq, storage::EventKind kind,
                                                        std::string_view payload) {
      if (!here) return false;
      transcript_->add(seq - 1, seq, kind, payload);
      *over = !share_->grow_to(api::gathered_twice(transcript_->excerpts->held_bytes()));
      return !*over;
    };
    const auto done = [this, here = alive_.mark(), over, refused = std::move(refused)](bool readable) {
      if (!here || released_) return;
      if (!readable) return subscriber_.cut(relay::CutReason::unreadable);
      *over ? refused() : render();
    };
    relay::walk_events(stream_, 0, relay::all_durable, add, done);
  }

  void wait_for_turn() {
    transcript_ = nullptr;
    share_ = nullptr;  // nobody waits for a share while holding one
    api_.whole_reads.ask(
        api::gathered_twice(stream_->bytes()), turn_ms,
        [this, here = alive_.mark()](api::WholeReads::SharePtr share) {
          if (!here || released_) return;
          if (!share) return subscriber_.cut(relay::CutReason::whole_reads);
          share_ = std::move(share);
          gather([this] { subscriber_.cut(relay::CutReason::whole_reads); });
        },
        [here = alive_.mark()] { return static_cast<bool>(here); });
  }

  void render() {
    const auto& done = transcript_->done;
    const bool failed = done && done->failed() && done->error && !how_.render_failures;
    if (failed && !transcript_->is_own()) return answer_error();
    const auto reply = std::make_shared<http::Reply>();
    const size_t bytes = transcript_->excerpts->held_bytes() + stream_->row().metadata.size();
    api_.shard.worker().run_if_large(
        bytes,
        [reply, stream = stream_, transcript = transcript_, render = how_.render] {
          *reply = render(*stream, *transcript);
        },
        [this, here = alive_.mark(), reply] {
          if (!here || released_) return;
          reply->status == 0 ? answer_error() : answer(std::move(*reply));
        });
  }

  void answer_error() {
    answer(error_reply(protocol_, error_of(*transcript_->done->error, stream_->failure()), request_id_));
  }

  void on_room() override {
    if (writer_.busy()) writer_.on_room();
  }
  void send(std::string_view, bool) override {}
  void cut(relay::CutReason reason) override {
    if (begun_) return cut_body();
    if (reason == relay::CutReason::whole_reads) return answer(too_many());
    answer(error_reply(protocol_,
                       {503, "log_unavailable", "the log failed before this answer was complete", "", 5'000, false},
                       request_id_));
  }
  void on_gone() override {
    subscriber_.detach(false);
    if (log_ && !begun_) log_(499);
    release();
  }

  http::Reply too_many() const {
    const std::string message = "the answer is complete, but too many large answers are being read right now; GET " +
                                api::stream_path(stream_->id()) + " has it";
    return error_reply(protocol_, {503, "overloaded", message, "", 5'000, false}, request_id_);
  }

  void answer(http::Reply reply) {
    auto excerpts = transcript_ ? std::shared_ptr<const relay::Excerpts>(transcript_->excerpts) : nullptr;
    transcript_ = nullptr;
    if (share_ && !share_->resize(reply.body.size())) {
      share_ = nullptr;
      reply = too_many();
    }
    reply.headers.emplace_back("Content-Type", reply.content_type);
    reply.headers.emplace_back("Stream-Id", stream_->id());
    if (reply.status == 200) add_answer_headers(reply.headers, *stream_, protocol_);
    reply.headers.emplace_back("Cache-Control", "no-store");
    if (log_) log_(reply.status);
    begun_ = true;
    body_.begin(reply.status, reply.headers);
    const bool left_out = reply.status == 200 && excerpts && excerpts->any() && !head_only_;
    if (!left_out) {
      const std::string_view part = reply.body;
      body_.finish({&part, 1}, std::move(share_));
      return over();
    }
    writer_.begin(std::make_unique<relay::Pieces>(stream_, std::move(reply.body), std::move(excerpts)),
                  [this](bool readable) {
                    if (!readable) return cut_body();
                    body_.finish({});
                    over();
                  });
  }

  void cut_body() {
    body_.cut();
    over();
  }

  void over() {
    subscriber_.detach(false);
    release();
  }

  void release() {
    if (!std::exchange(released_, true)) api_.readers.release(*this);
  }

  api::Api& api_;
  const Protocol protocol_;
  const WholeAnswer how_;
  const std::string request_id_;
  const bool head_only_;
  const std::function<void(int)> log_;
  const std::shared_ptr<relay::Stream> stream_;
  mutable transport::Alive alive_;
  mutable std::function<void()> tell_over_ = [this] {
    api_.loop.post([this, here = alive_.mark()] {
      if (here) on_over();
    });
  };
  bool released_ = false, begun_ = false;
  api::WholeReads::SharePtr share_;
  std::shared_ptr<Transcript> transcript_;
  Waiting waiting_;
  http::StreamingBody body_;
  api::PieceWriter writer_;
  relay::Subscriber subscriber_;
};

}  // namespace

http::Answer whole_answer(api::Api& api, const http::Request& request, Protocol protocol,
                          std::shared_ptr<relay::Stream> stream, WholeAnswer how) {
  if (api.readers.closed()) {
    return api::problem_of({relay::Errc::draining, "the relay is shutting down"}, request);
  }
  return http::Takeover(
      [&api, protocol, stream = std::move(stream), how = std::move(how)](http::TakenConnection connection) {
        auto reader = std::make_unique<WholeReader>(api, protocol, stream, how, std::move(connection));
        WholeReader& started = *reader;
        api.readers.keep(std::move(reader));
        started.start();
      });
}

}  // namespace tokenrelay::surface
